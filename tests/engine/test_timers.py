"""Waking incidents: those that are due together are woken together, and none keeps another asleep."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core import commands as c
from sentinel.core.model import Plan, Refused
from sentinel.store.base import StoreUnavailable
from tests import virtual
from tests.engine.house import LADDER, House, house

AT_ONCE = 300


class Counted:
    """A store that counts its transactions."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def commit(self, write: Any) -> None:
        self.commits += 1
        self._real.commit(write)


async def nothing() -> int:
    return 0


async def opened(house: House, count: int) -> None:
    await asyncio.gather(*(house.report(key=f"probe:{n}", dedup=f"d{n}") for n in range(count)))


def test_hundreds_of_incidents_that_are_due_at_once_are_woken_in_a_few_transactions(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(ladder=LADDER)) as built:
            built.desk._store = store = Counted(built.store)
            await opened(built, AT_ONCE)
            built.desk.due = lambda *_: []  # As if the machine had slept: all of them are overdue when it wakes.
            await built.wait(minutes=16)
            built.dispatcher._start_due = nothing  # What becomes of each message is another story.
            await built.wait(seconds=20)
            before = store.commits
            del built.desk.due
            await built.wait(seconds=2)
            assert all(state.taken == {0: 1, 1: 1} for state in built.desk.open())
            assert store.commits - before < AT_ONCE / 10

    virtual.run(story())


def test_an_incident_that_cannot_be_woken_keeps_no_other_asleep(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(ladder=LADDER)) as built:
            await opened(built, 3)
            real, bugs = built.desk.order, []
            built.timers.bug = bugs.append
            wrong = {"INC-1": KeyError("bug"), "INC-2": Refused("no")}

            async def order(number: str, command: c.Command, settlement: Any = None) -> Any:
                if isinstance(command, c.Tick) and number in wrong:
                    raise wrong[number]
                return await real(number, command, settlement)

            built.desk.order = order
            await built.wait(minutes=15, seconds=10)
            taken = {state.number: state.taken for state in built.desk.open()}
            assert taken == {"INC-1": {0: 1}, "INC-2": {0: 1}, "INC-3": {0: 1, 1: 1}}
            assert set(bugs) == {"timers"}
            assert len(bugs) <= 12  # Tried again each second, not in a spin.
            wrong.clear()
            await built.wait(seconds=2)
            assert all(state.taken == {0: 1, 1: 1} for state in built.desk.open())

    virtual.run(story())


def test_what_could_not_be_written_when_it_was_due_is_done_when_it_can_be(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(ladder=LADDER)) as built:
            await opened(built, 1)
            await built.wait(minutes=1)
            real = built.store.commit

            def full(_write: Any) -> None:
                raise StoreUnavailable("the disk is full")

            built.store.commit = full
            await built.wait(minutes=15)
            built.store.commit = real
            await built.wait(seconds=3)
            assert built.desk.open()[0].taken == {0: 1, 1: 1}

    virtual.run(story())


@pytest.mark.fault(6)
def test_what_is_overdue_at_a_start_is_done_at_once(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, Plan(ladder=LADDER)) as built:
            await opened(built, 1)
        assert built.desk.open()[0].taken == {0: 1}
        late = built.clock.now() + timedelta(hours=2)
        async with house(tmp_path, Plan(ladder=LADDER), start=late) as again:
            await again.wait(seconds=1)
            assert again.desk.open()[0].taken == {0: 1, 1: 1}

    virtual.run(story())
