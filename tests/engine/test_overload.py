"""The daemon watches the queue, and knows after a restart what was switched."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.engine.whole import HEARTBEAT, PEOPLE, whole
from tests.virtual import run

LIMITED = HEARTBEAT + PEOPLE + "incidents: {overload: {queue: 2, until: 0}, cascade_after: 0s}\n"


async def open_some(around, count: int) -> None:
    from tests.fakes.room import Room

    for number in range(count):
        await Room.open(around.daemon, title=f"fault {number}", level=2)  # type: ignore[arg-type]


@pytest.mark.rule("SLA-11")
def test_the_queue_switches_it_on_and_off_and_a_restart_changes_nothing(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, LIMITED) as around:
            await open_some(around, 3)
            await asyncio.sleep(6)
            now = around.daemon.overload.now
            assert (now.on, now.by, around.value("sentinel_overload")) == (True, "", 1)
            assert now.why == "3 are waiting, which is more than 2"
        async with whole(tmp_path, LIMITED) as again:
            assert again.daemon.overload.now == now
            await asyncio.sleep(30)
            assert len(again.daemon.overload.history()) == 1
            for state in again.daemon.desk.open():
                await acknowledge(again, state.number)
            await asyncio.sleep(6)
            assert again.value("sentinel_overload") == 0
            assert [fact.on for fact in again.daemon.overload.history()] == [True, False]

    run(story())


async def acknowledge(around, number: str) -> None:
    from sentinel.core import commands as c

    await around.daemon.desk.order(number, c.Acknowledge(by="amina", via="cli"))


@pytest.mark.rule("SLA-11")
def test_what_was_switched_by_hand_survives_a_restart_with_who_and_why(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, HEARTBEAT + PEOPLE) as around:
            await around.daemon.overload.switch("amina", "two sites at once", on=True)
        async with whole(tmp_path, HEARTBEAT + PEOPLE) as again:
            now = again.daemon.overload.now
            assert (now.on, now.by, now.why) == (True, "amina", "two sites at once")

    run(story())
