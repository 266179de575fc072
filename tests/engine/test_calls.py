"""Who is called presses a key: 1 takes the incident, 2 calls the next; push goes to a person's own topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from sentinel.core.events import Acknowledged, Told
from sentinel.core.pings import Said
from sentinel.core.state import Incident
from sentinel.web.app import build
from tests.engine.whole import HEARTBEAT, Whole, whole
from tests.fakes.chat_services import Caller, Ntfy
from tests.waiting import until

SITE = """\
site: {url: 'https://s.example.org', language: en}
people:
  amina: {name: Amina Benali, mobile: "+33639980001", ntfy: amina-7f3a, language: fr}
  bruno: {name: Bruno Petit, mobile: "+33639980002", language: en}
escalations:
  on-call:
    - {at: 0m, to: [amina], by: [BY]}
    - {at: 30m, to: [bruno], by: [phone]}
services:
  campus: {name: Campus, escalation: on-call}
"""

pytestmark = pytest.mark.rule("DSP-6")


class Called:
    """A daemon that has asked for a call, what makes the calls, and a way to press keys."""

    def __init__(self, one: Whole, phone: Caller, push: Ntfy, browser: TestClient[Any, Any]) -> None:
        self.one, self.phone, self.push, self._browser = one, phone, push, browser

    async def press(self, keys: str, *, form: bool = False) -> dict[str, Any]:
        path = self.phone.last["reply_url"].removeprefix("https://s.example.org")
        body: dict[str, Any] = {"data": {"Digits": keys}} if form else {"json": {"digits": keys}}
        async with self._browser.post(path, **body) as answer:
            assert answer.status == 200
            return await answer.json()

    def state(self) -> Incident:
        (found,) = self.one.daemon.desk.open()
        return found

    def events(self, kind: type[Any]) -> list[Any]:
        return [one.event for one in self.one.daemon.store.timeline("INC-1") if isinstance(one.event, kind)]


@asynccontextmanager
async def called(tmp_path: Path, by: str = "phone") -> AsyncIterator[Called]:
    async with AsyncExitStack() as stack:
        phone, push = await stack.enter_async_context(Caller()), await stack.enter_async_context(Ntfy())
        channels = (
            f"channels: {{phone: {{type: voice, url: '{phone.url}'}}, "
            f"push: {{type: ntfy, as: person, url: '{push.url}'}}}}\n"
        )
        one = await stack.enter_async_context(whole(tmp_path, SITE.replace("BY", by) + channels + HEARTBEAT))
        await one.daemon.heard("backup", Said(kind="fail", body="the disk is full"))
        await until(lambda: phone.received or push.received)
        browser = await stack.enter_async_context(TestClient(TestServer(build(one.doors.context()))))
        yield Called(one, phone, push, browser)


@pytest.mark.parametrize("form", [False, True])
async def test_key_1_takes_the_incident_once_and_says_so_in_the_language_of_whom_was_called(
    tmp_path: Path, form: bool
) -> None:
    async with called(tmp_path) as made:
        assert made.phone.last["to"] == "+33639980001"
        said = await made.press("1", form=form)
        assert said["say"].startswith("Pris en charge par vous à ")
        assert (said["language"], said["again"]) == ("fr-FR", False)
        assert (await made.press("1"))["say"] == "Déjà pris en charge par vous."
        assert made.state().acknowledged_by == "amina"
        assert [(event.by, event.via) for event in made.events(Acknowledged)] == [("amina", "voice")]


async def test_key_2_calls_the_next_person_and_any_other_says_the_keys_again(tmp_path: Path) -> None:
    async with called(tmp_path) as made:
        said = await made.press("9")
        assert (said["say"], said["again"]) == (
            "Pour prendre en charge, tapez 1. Pour appeler la personne suivante, tapez 2.",
            True,
        )
        assert made.state().phase == "open"
        assert (await made.press("2#"))["say"] == "L'échelon suivant est appelé."
        await until(lambda: made.phone.last["to"] == "+33639980002")
        assert made.phone.last["language"] == "en-GB"


async def test_a_call_that_nobody_was_asked_for_leads_nowhere(tmp_path: Path) -> None:
    async with called(tmp_path) as made:
        url = made.phone.last["reply_url"]
        forged = url.replace("/a/", "/a/a")
        made.phone.received[-1] = made.phone.received[-1].__class__(
            "POST", "/", {}, made.phone.received[-1].body.replace(url.encode(), forged.encode())
        )
        with pytest.raises(AssertionError):
            await made.press("1")
        assert made.state().phase == "open"


async def test_push_goes_to_a_persons_own_topic_with_their_own_link(tmp_path: Path) -> None:
    async with called(tmp_path, by="push") as made:
        assert made.push.last["topic"] == "amina-7f3a"
        assert made.push.last["actions"][0]["label"] == "Prendre en charge"
        assert made.push.last["actions"][0]["url"].startswith("https://s.example.org/a/")
        (told,) = await until(lambda: made.events(Told))
        assert (told.person, told.channel, told.reference) == ("amina", "push", "sPs71M8A2T")
