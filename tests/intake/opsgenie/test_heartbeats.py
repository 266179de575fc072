"""Opsgenie's Heartbeat API, and what time brings: silence, the end of a snooze; on virtual time."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.intake.opsgenie import acts
from sentinel.intake.opsgenie.acts import Asked, Created
from sentinel.intake.opsgenie.records import Beat
from tests import virtual
from tests.engine.whole import Whole, whole
from tests.intake.opsgenie.conftest import CONFIGURATION, Client


def story(tell: Callable[[Path], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test's coroutine on virtual time."""

    @functools.wraps(tell)
    def test(tmp_path: Path) -> None:
        virtual.run(tell(tmp_path))

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest must see the path
    return test


def states(running: Whole) -> dict[str, str]:
    return {state.title: state.phase for state in running.daemon.store.incidents(limit=50)}


async def test_heartbeats_are_made_changed_switched_pinged_and_forgotten(og: Client):
    body = {"name": "nightly backup", "interval": 10, "intervalUnit": "minutes", "enabled": True, "description": "d"}
    status, made = await og.ask("POST", "/heartbeats", body)
    assert (status, made["data"]["alertPriority"], made["data"]["expired"]) == (201, "P3", False)
    assert (await og.ask("POST", "/heartbeats", body))[0] == 409
    for method in ("GET", "POST", "PUT", "PATCH"):
        status, said = await og.ask(method, "/heartbeats/nightly%20backup/ping".replace("%20", " "))
        assert (status, said["result"]) == (202, "PONG - Heartbeat received")
    assert (await og.ask("GET", "/heartbeats/nobody/ping"))[0] == 202
    _, changed = await og.ask("PATCH", "/heartbeats/nightly backup", {"interval": 5, "alertPriority": "P1"})
    assert (changed["data"]["interval"], changed["data"]["alertPriority"]) == (5, "P1")
    assert changed["data"]["lastPingTime"]
    _, off = await og.ask("POST", "/heartbeats/nightly backup/disable")
    assert off["data"] == {"name": "nightly backup", "enabled": False, "expired": False}
    assert (await og.ask("POST", "/heartbeats/nightly backup/enable"))[1]["data"]["enabled"]
    _, found = await og.ask("GET", "/heartbeats")
    assert [one["name"] for one in found["data"]["heartbeats"]] == ["nightly backup"]
    assert (await og.ask("DELETE", "/heartbeats/nightly backup"))[0] == 200
    assert (await og.ask("GET", "/heartbeats/nightly backup"))[0] == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"interval": 0}, "interval"),
        ({"interval": True}, "interval"),
        ({"interval": 10**30}, "interval"),
        ({"interval": 400, "intervalUnit": "days"}, "interval"),
        ({"intervalUnit": "weeks"}, "intervalUnit"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
async def test_a_heartbeat_that_makes_no_sense_is_refused_by_field(og: Client, change, field):
    body = {"name": "n", "interval": 10, "intervalUnit": "minutes", "enabled": True, **change}
    status, said = await og.ask("POST", "/heartbeats", body)
    assert (status, list(said["errors"])) == (422, [field])


async def test_a_ping_is_heard_by_the_probe_of_that_name_too(og: Client):
    assert (await og.ask("GET", "/heartbeats/backup/ping"))[0] == 202
    assert og.door.whole.daemon.store.heartbeats()["backup"].at is not None


@story
async def test_a_heartbeat_that_falls_silent_opens_an_incident_and_the_next_ping_ends_it(folder: Path):
    async with whole(folder, CONFIGURATION.replace("every: 10m", "every: 1d")) as running:
        watch = running.daemon.inbound.opsgenie
        now = running.daemon.clock.now()
        beat = Beat(
            name="nightly", integration="watcher", interval=10, unit="minutes", armed_at=now, message="no backup"
        )
        await watch.put(beat)
        await asyncio.sleep(5 * 60)
        assert await watch.ping("watcher", "nightly")
        await asyncio.sleep(9 * 60 + 50)
        assert states(running) == {}
        await asyncio.sleep(20)
        assert states(running) == {"no backup": "open"}
        assert watch.book.beats["watcher", "nightly"].expired_at is not None
        await asyncio.sleep(3600)
        assert len(running.daemon.store.incidents(limit=5)) == 1
        await watch.ping("watcher", "nightly")
        assert states(running) == {"no backup": "resolved"}
    async with whole(folder, CONFIGURATION, start=now + timedelta(days=2)) as running:
        watch = running.daemon.inbound.opsgenie
        await asyncio.sleep(9 * 60)  # Nobody listened for two days: it has its time from now on.
        assert watch.book.beats["watcher", "nightly"].expired_at is None


@story
async def test_the_end_of_a_snooze_lets_the_work_go_on(folder: Path):
    async with whole(folder, CONFIGURATION.replace("every: 10m", "every: 1d")) as running:
        book = running.daemon.inbound.opsgenie.book
        wanted = Created(message="m", alias="a", priority="P1", source="s", user="", details={})
        await acts.create(book, wanted, Asked(integration="watcher", action="Create", by="watcher"))
        until = book.clock.now() + timedelta(minutes=30)
        asked = Asked(integration="watcher", action="Snooze", by="amina", identifier="a", kind="alias")
        assert (await acts.do(book, asked, acts.snooze(until))).success
        await asyncio.sleep(29 * 60)
        assert states(running) == {"m": "pending"}
        await asyncio.sleep(2 * 60)
        assert states(running) == {"m": "in_progress"}
        again = book.find("watcher", "a", "alias")
        assert again is not None
        assert again.snoozed_until is None


@story
async def test_what_a_crash_lost_between_two_writes_is_said_at_the_next_start(folder: Path):
    async with whole(folder, CONFIGURATION) as running:
        book = running.daemon.inbound.opsgenie.book
        wanted = Created(message="m", alias="a", priority="P1", source="s", user="", details={})
        book.say = _nothing  # type: ignore[method-assign]
        await acts.create(book, wanted, Asked(integration="watcher", action="Create", by="watcher"))
        assert states(running) == {}
        running.daemon.inbound.opsgenie.book.open = list  # type: ignore[method-assign]  # It has died by now.
    async with whole(folder, CONFIGURATION) as running:
        await asyncio.sleep(10)
        assert states(running) == {"m": "open"}


async def _nothing(*_: Any) -> None:
    """Die before anything is said."""
