"""The clock of the host is set an hour forward or back: nobody is told late or early (F50, F51)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sentinel.engine.clock import SteadyClock
from sentinel.engine.clock_watch import HELD_MAX_S, ClockWatch
from tests import virtual
from tests.engine import house as houses
from tests.engine.house import START, House

HOUR_S = 3600.0


class Set(SteadyClock):
    """A steady clock on a host whose clock follows the loop, and is set by tests."""

    def __init__(self, start: datetime) -> None:
        self.set_by_s = 0.0
        loop = asyncio.get_event_loop()
        began = loop.time()
        super().__init__(lambda: start.timestamp() + loop.time() - began + self.set_by_s, loop.time, loop.time)


@asynccontextmanager
async def house_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[House, Set, ClockWatch]]:
    """Give a house whose host's clock can be set, and is watched."""
    monkeypatch.setattr(houses, "LoopClock", Set)
    async with houses.house(path) as house:
        assert isinstance(house.clock, Set)
        watch = ClockWatch(house.clock, house.timers.soon)
        task = asyncio.create_task(watch.run())
        yield house, house.clock, watch
        task.cancel()


def paged(house: House) -> list[tuple[str, int]]:
    """Return who was paged by SMS, and how many minutes after the beginning."""
    began = 1_000_000.0
    return [(message.to, round((at - began) / 60)) for at, message in house.sms.given]


@pytest.mark.fault(50, 51)
@pytest.mark.rule("ESC-1")
@pytest.mark.parametrize("by_s", [HOUR_S, -HOUR_S, 24 * HOUR_S, 120.0], ids=["+1 h", "-1 h", "+1 day", "+2 min"])
def test_a_step_of_the_escalation_is_taken_neither_early_nor_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_s: float
):
    async def story() -> None:
        async with house_on(tmp_path, monkeypatch) as (house, clock, watch):
            await house.report()
            await house.wait(minutes=5)
            clock.set_by_s = by_s
            await house.wait(minutes=5)
            assert watch.held_s() == pytest.approx(by_s)
            await house.wait(minutes=15)
            assert paged(house) == [("amina", 0), ("bruno", 15)]
            assert watch.held_s() == 0, "nothing is timed any more"

    virtual.run(story())


def test_when_nothing_is_timed_the_host_is_followed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def story() -> None:
        async with house_on(tmp_path, monkeypatch) as (house, clock, watch):
            clock.set_by_s = -HOUR_S
            await house.wait(seconds=2)
            assert house.clock.now() == pytest.approx(START - timedelta(hours=1), abs=timedelta(seconds=3))
            assert watch.held_s() == 0

    virtual.run(story())


def test_small_corrections_are_followed_also_while_something_is_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def story() -> None:
        async with house_on(tmp_path, monkeypatch) as (house, clock, _watch):
            await house.report()
            clock.set_by_s = 2.5
            await house.wait(seconds=2)
            assert house.clock.now() == pytest.approx(START + timedelta(seconds=4.5), abs=timedelta(seconds=0.1))

    virtual.run(story())


def test_a_mistake_that_is_put_right_was_never_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async def story() -> None:
        async with house_on(tmp_path, monkeypatch) as (house, clock, watch):
            await house.report()
            clock.set_by_s = HOUR_S
            await house.wait(minutes=10)
            clock.set_by_s = 0.0
            await house.wait(minutes=10)
            assert paged(house) == [("amina", 0), ("bruno", 15)]
            assert watch.held_s() == 0

    virtual.run(story())


def test_after_a_day_the_host_is_believed():
    async def story() -> None:
        clock = Set(START)
        watch = ClockWatch(clock, lambda: True)
        clock.set_by_s = HOUR_S
        watch.look()
        await asyncio.sleep(HELD_MAX_S - 10)
        watch.look()
        assert watch.held_s() == pytest.approx(HOUR_S)
        await asyncio.sleep(20)
        watch.look()
        assert (watch.held_s(), clock.jumped_s()) == (0, pytest.approx(0))

    virtual.run(story())
