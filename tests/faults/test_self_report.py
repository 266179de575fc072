"""Invariant I18: what stops delivery for two minutes stops the heartbeat to the outside, and is on the page in one."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from sentinel.core.model import Signal, Verdict
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole

CONFIG = PEOPLE + HEARTBEAT.replace("every: 10m", "every: 7d")
HEARTBEAT_STOPS_S = 120
ON_THE_PAGE_S = 60


class Ear:
    """A place elsewhere: when it was told that all is well, and what it was told is wrong."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.alive_at: list[float] = []
        self.failing_at: list[tuple[float, str]] = []

    async def alive(self) -> None:
        self.alive_at.append(self._now())

    async def failing(self, why: str) -> None:
        self.failing_at.append((self._now(), why))


@asynccontextmanager
async def overheard(folder: Path, text: str = CONFIG) -> AsyncIterator[tuple[Whole, Ear]]:
    """Run a daemon that has been well for a while, and is listened to."""
    async with whole(folder, text, tests_itself=True) as one:
        ear = Ear(one.daemon.clock.monotonic)
        one.daemon.watching.alive.places = {"outside": ear}
        await asyncio.sleep(300)
        assert len(ear.alive_at) >= 3
        yield one, ear


async def report(one: Whole, key: str = "person:1") -> None:
    now = one.daemon.clock.now()
    signal = Signal(key=key, source="person", title="Slow", at=now, since=now, service="campus")
    verdict = Verdict(rule="r", level=3, severity="major", priority="P1", title="Slow", dedup=key)
    await one.daemon.desk.report(signal, verdict)


def fails(one: Whole, check: str) -> bool:
    return one.value("sentinel_self_test_failing", check=check) == 1


async def shown_in_time(one: Whole, check: str, within_s: float) -> None:
    """Wait until a part of the self-test fails on the metrics page."""
    begin = one.daemon.clock.monotonic()
    while not fails(one, check):
        assert one.daemon.clock.monotonic() - begin <= within_s, one.daemon.watching.alive.failing
        await asyncio.sleep(5)


async def silent_since(one: Whole, ear: Ear, begin: float, for_s: float = 600) -> None:
    """Check that the heartbeat stopped within two minutes of the fault, and stays away while it lasts."""
    await asyncio.sleep(for_s)
    assert ear.alive_at[-1] - begin <= HEARTBEAT_STOPS_S
    assert ear.failing_at, "the place is told, not only left to wonder"
    assert ear.failing_at[0][0] - begin <= 2 * HEARTBEAT_STOPS_S + ON_THE_PAGE_S
    assert one.value("sentinel_alive_pings_total", result="held") >= 1


def test_a_channel_that_carries_nothing_stops_the_heartbeat(tmp_path: Path) -> None:
    async def story() -> None:
        async with overheard(tmp_path) as (one, ear):
            shutil.rmtree(one.folder / "outbox", ignore_errors=True)
            (one.folder / "outbox").write_text("a file where the folder should be")
            begin = one.daemon.clock.monotonic()
            await report(one)
            # It must fail for a minute first: then it is on the page within another.
            await shown_in_time(one, "channels", ON_THE_PAGE_S + 60)
            await silent_since(one, ear, begin)
            assert "channels: email has carried nothing since" in ear.failing_at[0][1]
            (one.folder / "outbox").unlink()
            await asyncio.sleep(900)
            assert not fails(one, "channels")
            assert one.daemon.clock.monotonic() - ear.alive_at[-1] <= 90

    virtual.run(story())


def test_a_channel_that_may_be_missed_does_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with overheard(tmp_path, "watchdog: {alive_without: [sms, email]}\n" + CONFIG) as (one, ear):
            shutil.rmtree(one.folder / "outbox", ignore_errors=True)
            (one.folder / "outbox").write_text("a file where the folder should be")
            await report(one)
            await asyncio.sleep(600)
            assert one.daemon.clock.monotonic() - ear.alive_at[-1] <= 90

    virtual.run(story())


def test_a_store_that_takes_nothing_stops_the_heartbeat(tmp_path: Path) -> None:
    async def story() -> None:
        async with overheard(tmp_path) as (one, ear):
            with closing(sqlite3.connect(tmp_path / "sentinel.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                begin = one.daemon.clock.monotonic()
                await shown_in_time(one, "store", ON_THE_PAGE_S)
                await silent_since(one, ear, begin)
                assert ear.failing_at[0][1].startswith("store: ")
                other.execute("ROLLBACK")
            await asyncio.sleep(120)
            assert not fails(one, "store")
            assert one.daemon.clock.monotonic() - ear.alive_at[-1] <= 90

    virtual.run(story())


def test_a_dispatcher_whose_task_is_dead_stops_the_heartbeat(tmp_path: Path) -> None:
    async def story() -> None:
        async with overheard(tmp_path) as (one, ear):
            (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "dispatch"]
            task.cancel()
            begin = one.daemon.clock.monotonic()
            await shown_in_time(one, "loops", ON_THE_PAGE_S)
            assert one.daemon.watching.alive.failing["loops"] == "dispatch"
            await report(one)
            await silent_since(one, ear, begin)
            assert fails(one, "outbox"), "what is due does not leave"

    virtual.run(story())


@pytest.mark.parametrize("loop", ["timers", "recorder", "housekeeping"])
def test_a_loop_that_stands_still_stops_the_heartbeat(tmp_path: Path, loop: str) -> None:
    async def story() -> None:
        async with overheard(tmp_path) as (one, ear):
            (task,) = [task for task in asyncio.all_tasks() if task.get_name() == loop]
            task.cancel()
            begin = one.daemon.clock.monotonic()
            await shown_in_time(one, "loops", ON_THE_PAGE_S)
            await silent_since(one, ear, begin)

    virtual.run(story())


def test_an_event_loop_that_is_late_says_so_and_does_not_call(tmp_path: Path) -> None:
    async def story() -> None:
        async with overheard(tmp_path) as (one, _):
            one.daemon.lag._recent = [7.0]  # What a blocking call of seven seconds leaves; the loop here is never late.
            await one.daemon.watching.alive.test()
            assert one.daemon.watching.alive.said() == ["lag: the event loop was 7.0 s late"]

    virtual.run(story())


def test_the_self_test_passes_on_the_page_also_where_no_place_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, CONFIG, tests_itself=True) as one:
            await asyncio.sleep(300)
            passed = one.value("sentinel_self_test_passed_timestamp_seconds")
            assert one.daemon.clock.now().timestamp() - passed <= timedelta(seconds=30).total_seconds()
            assert set(one.samples()["sentinel_self_test_failing"].values()) == {0}

    virtual.run(story())
