"""A place elsewhere is told that Sentinel is alive, and only after a self-test that all of it passes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sentinel.engine.alive import overdue
from sentinel.engine.live import Row
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, Whole, whole
from tests.fakes.http_peer import HttpPeer
from tests.waiting import until

CONFIG = (
    "watchdog: {alive_url: 'ADDRESS/ping/8c1e'}\n"
    + PEOPLE
    + HEARTBEAT.replace("interval: 1m", "interval: 1s\n    timeout: 1s")
)


@pytest.fixture
async def peer() -> AsyncIterator[HttpPeer]:
    async with HttpPeer() as made:
        yield made


async def settled(one: Whole) -> None:
    """Wait until every probe has been run."""

    async def looked() -> bool:
        return not await one.daemon.live.find_stale(one.daemon.clock.now())

    await until(looked)


async def test_a_first_run_that_comes_while_the_others_are_looked_at_is_in_time(tmp_path: Path) -> None:
    async with whole(tmp_path, CONFIG.replace("ADDRESS", "http://127.0.0.1:1")) as one:
        look = one.daemon.live.find_stale

        async def all_ran() -> bool:
            return not await look(one.daemon.clock.now())

        async def slow(now: datetime) -> list[Row]:
            found = await look(now)
            assert found, "nothing has run yet"
            await until(all_ran)
            return found

        one.daemon.live.find_stale = slow  # type: ignore[method-assign]
        assert await one.daemon.watching._probes() == ""


async def test_when_all_is_well_the_place_is_told(tmp_path: Path, peer: HttpPeer) -> None:
    async with whole(tmp_path, CONFIG.replace("ADDRESS", peer.url)) as one:
        await settled(one)
        before = len(peer.received)
        assert await one.daemon.watching.alive.cycle() == "sent"
        assert {request.path for request in peer.received[before:]} == {"/ping/8c1e"}
        assert one.value("sentinel_alive_pings_total", result="sent") >= 1


async def test_a_place_that_refuses_is_counted_and_its_address_kept_out_of_the_log(
    tmp_path: Path, peer: HttpPeer, capfd: pytest.CaptureFixture[str]
) -> None:
    peer.status = 404
    async with whole(tmp_path, CONFIG.replace("ADDRESS", peer.url)) as one:
        await settled(one)
        assert await one.daemon.watching.alive.cycle() == "failed"
    said = capfd.readouterr()
    assert "alive_url" in said.err
    assert "8c1e" not in said.out + said.err


async def test_a_store_that_takes_nothing_keeps_it_silent(tmp_path: Path, peer: HttpPeer) -> None:
    async with whole(tmp_path, CONFIG.replace("ADDRESS", peer.url)) as one:
        await settled(one)
        await until(lambda: peer.received, "the daemon's own first call")  # It may still be on its way.
        with sqlite3.connect(tmp_path / "sentinel.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            before = len(peer.received)
            assert await one.daemon.watching.alive.cycle() == "held"
            assert list(await one.daemon.watching.alive.test()) == ["store"]
            other.execute("ROLLBACK")
        other.close()
        assert len(peer.received) == before
        assert await one.daemon.watching.alive.cycle() == "sent"


def test_probes_that_are_not_run_and_loops_that_stand_still_keep_it_silent(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, CONFIG.replace("ADDRESS", "http://127.0.0.1:9")) as one:
            await asyncio.sleep(60)
            await one.daemon.scheduler.stop()
            one.daemon.watching.stuck = lambda: ["dispatch"]
            await asyncio.sleep(600)
            await one.daemon.watching.alive.test()
            assert one.daemon.watching.alive.said() == ["probes: not run in time: backup", "loops: dispatch"]

    virtual.run(story())


def test_what_is_due_and_does_not_leave_keeps_it_silent():
    now = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
    assert overdue(None, now) == ""
    assert overdue(now - timedelta(seconds=59), now) == ""
    assert overdue(now + timedelta(hours=1), now) == ""
    assert overdue(now - timedelta(minutes=2), now) == "messages are due since 2026-11-21 22:08:00 UTC"


def test_without_an_address_nothing_is_asked_and_a_reload_brings_one(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, CONFIG.partition("\n")[2]) as one:
            await asyncio.sleep(120)
            assert one.daemon.watching.alive.places == {}
            assert one.value("sentinel_alive_pings_total", result="held") == 0
            one.write(CONFIG.replace("ADDRESS", "http://127.0.0.1:9").replace("8c1e'", "8c1e', alive_every: 30s"))
            assert (await one.daemon.reload()).done
            assert one.daemon.watching.alive.every_s == 30
            assert set(one.daemon.watching.alive.places) == {"alive_url"}

    virtual.run(story())
