"""An SMS is answered from where it is read: its link shows the incident, and its button takes it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sentinel.core import commands as c
from sentinel.core.pings import Said
from sentinel.web.app import build
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole
from tests.waiting import until

SITE = "site: {url: 'https://s.example.org', language: en}\n"

pytestmark = pytest.mark.rule("DSP-6")


@asynccontextmanager
async def paged(tmp_path: Path) -> AsyncIterator[tuple[Whole, TestClient, str]]:
    """A daemon that has just paged amina, a browser, and the path of the link in her SMS."""
    async with whole(tmp_path, SITE + PEOPLE + HEARTBEAT) as one:
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        await until(lambda: one.mailed(".txt"))
        client = TestClient(TestServer(build(one.doors.context())))
        async with client:
            yield one, client, link(one)


def link(one: Whole, number: int = -1) -> str:
    found = re.findall(r"https://s\.example\.org(/a/\S+)", one.mailed(".txt")[number].read_text())
    return found[-1]


def state(one: Whole):
    (found,) = one.daemon.desk.open()
    return found


async def test_looking_changes_nothing_and_the_button_takes_it(tmp_path: Path):
    async with paged(tmp_path) as (one, browser, path):
        async with browser.get(path) as answer:
            page = await answer.text()
        assert (answer.status, "the disk is full" in page, "<button" in page) == (200, True, True)
        assert "Je le prends en charge" in page or "I take it" in page
        assert state(one).phase == "open"
        async with browser.post(path) as answer:
            page = await answer.text()
        assert (state(one).phase, state(one).acknowledged_by) == ("acknowledged", "amina")
        assert ("<button" in page, answer.status) == (False, 200)


async def test_it_serves_once_and_what_others_took_it_does_not_take_away(tmp_path: Path):
    async with paged(tmp_path) as (one, browser, path):
        await one.daemon.desk.order("INC-1", c.Acknowledge(by="bruno", via="web"))
        await browser.post(path)
        assert state(one).acknowledged_by == "bruno"


async def test_after_a_reopening_the_link_of_before_serves_no_more(tmp_path: Path):
    async with paged(tmp_path) as (one, browser, path):
        by = one.daemon.clock.now()
        await one.daemon.desk.order("INC-1", c.Resolve(by="bruno", text="freed", close_by=by.replace(year=2030)))
        await one.daemon.desk.order("INC-1", c.Reopen(by="bruno", why="not freed"))
        async with browser.post(path) as answer:
            page = await answer.text()
        assert (state(one).phase, "<button" in page) == ("open", False)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path[:-3] + ("a" if path[-3] != "a" else "b") + path[-2:],
        lambda path: path + "aa",
        lambda _: "/a/x",
        lambda _: "/a/" + "a" * 500,
    ],
)
async def test_a_code_that_is_not_ours_leads_nowhere(tmp_path: Path, change: Callable[[str], str]):
    async with paged(tmp_path) as (one, browser, path):
        for ask in (browser.get, browser.post):
            async with ask(change(path)) as answer:
                assert answer.status == 404
        assert state(one).phase == "open"


async def test_the_key_outlives_a_restart_and_no_link_lies_in_the_database(tmp_path: Path):
    async with paged(tmp_path) as (one, _, path):
        code = path.rpartition("/")[2]
        assert not any(code.encode() in row.body for row in one.daemon.store.messages(limit=50))
    async with (
        whole(tmp_path, SITE + PEOPLE + HEARTBEAT) as again,
        TestClient(TestServer(build(again.doors.context()))) as browser,
        browser.get(path, headers={"X-Forwarded-For": "192.0.2.1"}) as answer,
    ):
        assert answer.status == 200
