"""The desk: what waits together is written together, and every command gets its own answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from sentinel.core import commands as c
from sentinel.core.model import Plan, Refused
from sentinel.engine.desk import Unknown
from sentinel.store.base import Conflict, Settlement, StoreUnavailable
from tests import virtual
from tests.engine.house import LADDER, House, house

QUIET = Plan(ladder=LADDER, ticket="")


def resolve(house: House) -> c.Resolve:
    return c.Resolve(by="amina", text="restarted", close_by=house.desk.close_by(house.clock.now()))


def sending(message: str, house: House) -> Settlement:
    now = house.clock.now()
    return Settlement(id=message, sequence=1, state="sending", tries=1, due_at=now, at=now)


class Racing:
    """A store before which somebody else wins some races, by writing through a desk of their own."""

    def __init__(self, real: Any, lost: int) -> None:
        self._real = real
        self.lost = lost
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def commit(self, write: Any) -> None:
        self.commits += 1
        if self.lost:
            self.lost -= 1
            raise Conflict("somebody else was first")
        self._real.commit(write)


async def test_commands_that_wait_together_are_one_transaction(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        built.dispatcher.carriers = {}
        built.desk._store = store = Racing(built.store, 0)
        await asyncio.gather(*(built.report(key=f"probe:{n}", dedup=f"d{n}", level=2) for n in range(50)))
        assert store.commits <= 25, "two, unless the machine is so busy that a slice of time holds few"
        assert len(built.desk.open()) == 50


async def test_a_refusal_leaves_the_rest_of_its_batch_intact(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        await built.report(level=2)
        await built.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
        answers = await asyncio.gather(
            built.desk.order("INC-1", c.Note(by="amina", text="before")),
            built.desk.order("INC-1", c.Acknowledge(by="bruno", via="cli")),
            built.desk.order("INC-1", c.Note(by="amina", text="after")),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Incident", "Refused", "Incident"]
        assert str(answers[1]) == "INC-1 is already acknowledged by amina."
        assert built.told()[-2:] == ["Noted", "Noted"]
        assert built.store.verify() == []


async def test_a_command_that_brings_out_a_bug_fails_alone(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        await built.report(level=2)
        await built.report(key="probe:other", dedup="other", level=2)
        envelope = built.desk.envelope

        def broken(state: Any, notify: Any) -> bytes:
            if state.number == "INC-3":
                raise KeyError("no such text")
            return bytes(envelope(state, notify))

        built.desk.envelope = broken
        answers = await asyncio.gather(
            built.desk.order("INC-1", c.Note(by="amina", text="before")),
            built.report(key="probe:third", dedup="third"),
            built.desk.order("INC-2", c.Note(by="amina", text="after")),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Incident", "KeyError", "Incident"]
        built.desk.envelope = envelope
        assert (await built.report(key="probe:third", dedup="third")).number == "INC-3"
        assert built.store.verify() == []


async def test_who_loses_a_race_reads_again_and_decides_again(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        await built.report(level=2)
        built.desk._store = store = Racing(built.store, 2)
        state = await built.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
        assert (state.acknowledged_by, store.commits) == ("amina", 3)
        assert built.store.verify() == []


async def test_who_keeps_losing_is_told_and_the_next_command_is_heard(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        await built.report(level=2)
        built.desk._store = store = Racing(built.store, 99)
        with pytest.raises(StoreUnavailable, match="race"):
            await built.desk.order("INC-1", c.Note(by="amina", text="x"))
        store.lost = 0
        assert await built.desk.order("INC-1", c.Note(by="amina", text="y"))


async def test_an_order_to_an_incident_that_is_over_is_answered_with_the_reason_also_after_a_lost_race(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        await built.report(level=2)
        await built.desk.order("INC-1", resolve(built))
        await built.desk.order("INC-1", c.Close(by="amina"))
        with pytest.raises(Refused, match="INC-1 is closed"):
            await built.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
        built.desk._store = Racing(built.store, 1)
        answers = await asyncio.gather(
            built.desk.order("INC-1", c.Note(by="amina", text="for the review")),
            built.desk.order("INC-1", c.Reopen(by="amina", why="not over")),
            return_exceptions=True,
        )
        assert [type(answer).__name__ for answer in answers] == ["Incident", "Refused"]
        with pytest.raises(Unknown, match="There is no incident INC-99"):
            await built.desk.order("INC-99", c.Note(by="amina", text="x"))


async def test_a_merge_stands_or_falls_as_a_whole(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        await built.report(key="probe:a", dedup="a", level=2)
        await built.report(key="probe:b", dedup="b", level=3)
        await built.report(key="probe:c", dedup="c", level=2)
        await built.desk.order("INC-3", resolve(built))
        with pytest.raises(Refused):
            await built.desk.merge("INC-1", "INC-3", "amina")
        assert [state.phase for state in built.desk.open()] == ["open", "open", "resolved"]
        kept = await built.desk.merge("INC-2", "INC-1", "amina")
        assert (kept.level, sorted(kept.signals)) == (3, ["probe:a", "probe:b"])
        assert built.desk.holds("probe:b", 3)
        assert built.store.verify() == []


async def test_a_message_that_was_just_withdrawn_is_not_to_be_sent(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        built.dispatcher.carriers = {}
        built.dispatcher._start_due = built.dispatcher._outbox.next_due  # Nobody sends anything here.
        await built.report()
        page = "INC-1/1/amina/sms" if "INC-1/1/amina/sms" in built.desk.open()[0].sent else "INC-1/2/amina/sms"
        assert await built.desk.begin("INC-1", sending(page, built))
        await built.desk.order("INC-1", c.Acknowledge(by="bruno", via="cli"))
        assert not await built.desk.begin("INC-1", sending(page, built))
        assert built.row(page).state == "withdrawn"


async def test_a_receipt_that_is_refused_leaves_no_half_of_it(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        built.dispatcher.carriers = {}
        built.dispatcher._start_due = built.dispatcher._outbox.next_due  # Nobody sends anything here.
        await built.report()
        (page,) = built.desk.open()[0].sent
        done = changed(sending(page, built), state="done")
        with pytest.raises(Refused):
            await built.desk.order("INC-1", c.Close(by="amina"), done)
        assert built.row(page).state == "pending"


async def test_the_desk_says_since_when_it_is_at_the_same_transaction(tmp_path: Path):
    async with house(tmp_path, QUIET) as built:
        assert built.desk.busy_since() is None
        asked = asyncio.create_task(built.report(level=2))
        while built.desk.busy_since() is None:
            await asyncio.sleep(0)
        await asked
        await built.desk.drain()
        assert built.desk.busy_since() is None


def test_after_the_clock_was_set_back_what_is_owed_is_due_at_once(tmp_path: Path):
    async def story() -> None:
        async with house(tmp_path, QUIET) as built:
            await built.report(level=2)
            built.clock._start -= 3_600
            await built.report(level=3)
            await built.wait(seconds=2)
            assert [message.to for message in built.sms.accepted] == ["amina"]

    virtual.run(story())
