"""The pictures of a failure: on the incident's page and in the API, and only as part of that incident."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from lxml import html

from sentinel.core.model import Signal, Verdict
from sentinel.engine.evidence import PNG, Evidence
from sentinel.web.app import build, serve
from tests.fakes.room import Room, room
from tests.web.conftest import Served

PICTURE = PNG + b"picture"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    async with room(tmp_path) as around:
        around.evidence = Evidence(tmp_path / "evidence")
        runner = await serve(build(around.context()), listener, tmp_path / "control.sock")
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                yield Served(around, http, port, tmp_path / "control.sock")
        finally:
            await runner.cleanup()


async def failing(around: Room, probe: str) -> str:
    """Open an incident of a browser probe; return its number."""
    now, key = around.clock.now(), f"probe:{probe}/campus"
    signal = Signal(
        key=key, source="probe", title="it fails", at=now, since=now - timedelta(minutes=2), detail="no text",
        service="campus", labels={"probe": probe, "target": "campus"},
    )  # fmt: skip
    verdict = Verdict(rule="functional", level=3, severity="blocking", priority="P1", title=f"{probe} fails", dedup=key)
    return (await around.desk.report(signal, verdict)).number


async def test_the_page_and_the_api_show_what_was_kept_while_it_lasted(served: Served) -> None:
    number = await failing(served.room, "campus")
    evidence, now = served.room.evidence, served.room.clock.now()
    assert evidence is not None
    evidence.keep("campus", now - timedelta(days=1), PNG + b"of another incident")
    evidence.keep("moodle", now, PNG + b"of another probe")
    name = evidence.keep("campus", now, PICTURE)
    async with served.http.get(f"/api/v1/incidents/{number}") as answer:
        (listed,) = (await answer.json())["pictures"]
    assert (listed["name"], listed["probe"]) == (name, "campus")
    async with served.http.get(f"/incidents/{number}", headers={"Accept": "text/html"}) as answer:
        links = html.fromstring(await answer.text()).xpath("//a[contains(@href, '/pictures/')]/@href")
    assert links == [listed["url"]]
    async with served.http.get(listed["url"]) as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "image/png", PICTURE)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_picture_is_shown_as_part_of_its_incident_only(served: Served, tmp_path: Path) -> None:
    first, second = await failing(served.room, "campus"), await failing(served.room, "moodle")
    assert served.room.evidence is not None
    name = served.room.evidence.keep("campus", served.room.clock.now(), PICTURE)
    (tmp_path / "evidence" / "state.db").write_text("state")
    for path in (f"{second}/pictures/{name}", f"INC-99/pictures/{name}", f"{first}/pictures/state.db",
                 f"{first}/pictures/..%2Fstate.db", f"{first}/pictures/{name[:-5]}9.png"):  # fmt: skip
        async with served.http.get(f"/incidents/{path}") as answer:
            assert answer.status == 404
