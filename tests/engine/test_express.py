"""What goes at once: written as being sent with what caused it, never read from the outbox, and never lost for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core import commands as c
from sentinel.core.model import Listener, Plan, Step
from sentinel.engine.draft import Draft
from sentinel.engine.passage import Carrier
from sentinel.store.base import Conflict, OutboxRow, StoreUnavailable, Write
from tests import virtual
from tests.engine.house import House, living

PAGED = Plan(ladder=(Step(after=timedelta(0), to=("amina",), by=("sms",)),), ticket="")
# What is not critical never leaves unrecorded.
TOLD = Plan(ladder=(), listeners=(Listener(who="amina", by=("sms",), on=("opened",), min_level=2),), ticket="")
LESSER: Any = 2


def states(house: House) -> list[str]:
    return [row.state for row in house.store.messages(limit=100)]


def looks(house: House) -> list[list[OutboxRow]]:
    """Note what is read from the outbox from now on."""
    found: list[list[OutboxRow]] = []
    real = house.store.due

    def due(*asked: Any) -> list[OutboxRow]:
        found.append(real(*asked))
        return found[-1]

    house.store.due = due  # type: ignore[method-assign]
    return found


def disturbed(house: House, disturbance: Callable[[Callable[[Write], None], Write], None]) -> None:
    """Let something happen to the next transaction that owes a message, instead of its being written."""
    real = house.store.commit

    def commit(write: Write) -> None:
        if not write.outbox:
            return real(write)
        house.store.commit = real  # type: ignore[method-assign]
        return disturbance(real, write)

    house.store.commit = commit  # type: ignore[method-assign]


@pytest.mark.rule("DSP-1")
def test_a_new_page_leaves_without_being_read_from_the_outbox(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.sms.takes_s = 1.0
            read = looks(house)
            await house.report()
            await house.wait(seconds=0.5)
            (row,) = house.store.messages(limit=9)
            assert (row.state, row.tries) == ("sending", 1), "a crash finds it as one that may have left"
            await house.wait(seconds=1)
            assert [message.id for message in house.sms.accepted] == [row.id]
            assert [one for rows in read for one in rows] == []
            settled = house.row(row.id)
            assert (settled.state, settled.tries, settled.reference) == ("done", 1, "ref-1")
            assert house.dispatcher.at_rest()

    virtual.run(tell())


@pytest.mark.fault(2, 4)
@pytest.mark.rule("DSP-3")
def test_a_crash_before_it_leaves_loses_nothing(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.dispatcher.carry = lambda claim: None  # type: ignore[method-assign]  # It dies just before.
            await house.report()
            assert states(house) == ["sending"]
            now = house.clock.now()
        async with living(House(tmp_path, PAGED, start=now)) as again:
            await again.wait(seconds=10)
            assert len(again.sms.accepted) == 1
            assert states(again) == ["done"]

    virtual.run(tell())


@pytest.mark.rule("DSP-3")
def test_what_a_store_wrote_although_it_said_that_it_failed_is_sent_once(tmp_path: Path) -> None:
    def lies(real: Callable[[Write], None], write: Write) -> None:
        real(write)
        raise StoreUnavailable("the line was cut before the answer came")

    async def tell() -> None:
        async with living(House(tmp_path, TOLD)) as house:
            disturbed(house, lies)
            with pytest.raises(StoreUnavailable):
                await house.report(level=LESSER)
            await house.wait(seconds=10)
            assert states(house) == ["done"]
            assert len(house.sms.accepted) == 1

    virtual.run(tell())


@pytest.mark.rule("DSP-3")
def test_a_mark_that_a_store_wrote_although_it_said_that_it_failed_does_not_stand_for_ever(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, TOLD)) as house:
            real, lied = house.store.commit, []

            def commit(write: Write) -> None:
                real(write)
                if not lied and any(one.state == "sending" for one in write.settlements):
                    lied.append(write)
                    raise StoreUnavailable("the line was cut before the answer came")

            house.store.commit = commit  # type: ignore[method-assign]
            house.dispatcher.claim = lambda row: None  # type: ignore[method-assign]  # By the outbox, this time.
            await house.report(level=LESSER)
            await house.wait(seconds=30)
            assert lied
            assert states(house) == ["done"]
            assert len(house.sms.accepted) == 1

    virtual.run(tell())


def test_a_race_that_is_lost_gives_the_place_back(tmp_path: Path) -> None:
    def loses(_real: Callable[[Write], None], _write: Write) -> None:
        raise Conflict("somebody else wrote first")

    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.dispatcher.carriers = {"sms": Carrier(house.sms, concurrency=1)}
            disturbed(house, loses)
            await house.report()
            await house.wait(seconds=1)
            assert len(house.sms.accepted) == 1, "decided again, and sent"
            await house.report(key="probe:other", dedup="other")
            await house.wait(seconds=1)
            assert [message.thread for message in house.sms.accepted] == ["INC-1", "INC-2"]

    virtual.run(tell())


def test_a_store_that_takes_nothing_leaves_no_place_taken(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, TOLD)) as house:
            house.dispatcher.carriers = {"sms": Carrier(house.sms, concurrency=1)}
            real = house.store.commit

            def fails(_write: Write) -> None:
                raise StoreUnavailable("no space left on device")

            house.store.commit = fails  # type: ignore[method-assign]
            for number in range(5):
                with pytest.raises(StoreUnavailable):
                    await house.report(level=LESSER, dedup=str(number))
            assert len(house.dispatcher._busy) <= 1, "however often it is reported"
            house.store.commit = real  # type: ignore[method-assign]
            await house.report(level=LESSER, dedup="1")
            await house.wait(seconds=30)
            assert states(house) == ["done"]
            assert len(house.sms.accepted) == 1
            assert house.dispatcher.at_rest()

    virtual.run(tell())


@pytest.mark.rule("DSP-3")
def test_what_is_on_disk_only_after_the_daemon_was_told_to_stop_is_put_back(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            stopped = asyncio.Event()
            carry = house.dispatcher.carry

            def late(claim: Any) -> None:
                asyncio.get_running_loop().create_task(house.dispatcher.stop(1.0)).add_done_callback(
                    lambda _: stopped.set()
                )
                asyncio.get_running_loop().call_soon(carry, claim)

            house.dispatcher.carry = late  # type: ignore[method-assign]
            await house.report()
            await stopped.wait()
            await house.wait(seconds=1)
            assert house.sms.given == []
            (row,) = house.store.messages(limit=9)
            assert (row.state, row.tries) == ("pending", 0)

    virtual.run(tell())


def test_where_others_wait_already_nothing_overtakes_them(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.sms.takes_s = 1.0
            house.dispatcher.carriers = {"sms": Carrier(house.sms, concurrency=1)}
            for number in range(12):
                await house.report(key=f"probe:{number}", dedup=f"fault {number:02}")
            await house.wait(minutes=1)
            assert [message.thread for message in house.sms.accepted] == [f"INC-{number}" for number in range(1, 13)]

    virtual.run(tell())


@pytest.mark.rule("ESC-3")
def test_what_is_withdrawn_in_the_same_breath_is_not_sent(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            draft = Draft(0, house.policy, house.desk.envelope)
            now = house.clock.now()
            signal, verdict = house.saw()
            report = c.Report(signal=signal, verdict=verdict, plan=house.policy.plan_for("campus", verdict))
            opened = draft.open(report, now)
            assert [row.channel for row in draft.messages()] == ["sms"]
            draft.apply(opened, c.Acknowledge(by="amina", via="cli"), now)
            assert draft.messages() == []

    virtual.run(tell())


def test_a_bug_in_what_a_receipt_means_leaves_no_message_as_being_sent(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            order, failed = house.desk.order, []

            async def broken(number: str, command: c.Command, settlement: Any = None) -> Any:
                if isinstance(command, c.Accept) and not failed:
                    failed.append(command)
                    raise ValueError("a bug")
                return await order(number, command, settlement)

            house.desk.order = broken  # type: ignore[method-assign]
            await house.report()
            await house.wait(minutes=10)
            assert failed
            assert (states(house), house.counts.bugs) == (["done"], ["receipt"])
            assert len(house.sms.accepted) == 1

    virtual.run(tell())
