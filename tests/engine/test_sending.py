"""Much to send at once: the urgent first, nothing lost and nothing sent a third time, whoever dies in the middle."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from sentinel.channels.base import Message, Undelivered
from sentinel.core import commands as c
from sentinel.core.model import Plan, Step
from sentinel.engine.desk import Desk
from sentinel.engine.draft import Draft
from sentinel.engine.jobs import BATCH_MAX, SLICE_MAX_S, Job, Jobs
from sentinel.engine.outbox import PAGE_MAX
from sentinel.engine.passage import Carrier
from sentinel.engine.sending import Gate
from sentinel.store.base import OutboxRow, Settlement, Write
from tests import virtual
from tests.engine.house import START, House, living, refuse

PAGED = Plan(ladder=(Step(after=timedelta(0), to=("amina",), by=("sms",)),), ticket="")
AT_ONCE = 4


def notice(number: int, at: datetime, *, urgency: int = 1, channel: str = "email") -> OutboxRow:
    """Return a message that belongs to no incident."""
    return OutboxRow(
        id=f"notice/{channel}/{urgency}/{number:03}",
        kind="message",
        incident="",
        sequence=0,
        person="farid",
        channel=channel,
        urgency=urgency,
        body=b"text",
        created_at=at,
        due_at=at,
        give_up_at=at + timedelta(hours=4),
    )


def owe(house: House, numbers: Iterable[int], *, urgency: int = 1, channel: str = "email") -> None:
    now = house.clock.now()
    house.store.owe_once([notice(number, now, urgency=urgency, channel=channel) for number in numbers])
    house.dispatcher.wake()


def states(house: House) -> Counter[str]:
    return Counter(row.state for row in house.store.messages(limit=1_000))


def given(house: House) -> list[str]:
    return [message.id for _, message in house.mail.given]


@pytest.mark.rule("DSP-1")
def test_what_is_urgent_overtakes_what_is_being_drained(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.mail.takes_s = 1.0
            owe(house, range(120))
            await house.wait(seconds=5.5)
            before = len(house.mail.given)
            assert before == 6 * AT_ONCE, "as many at once as the channel may carry"
            owe(house, range(3), urgency=3)
            await house.wait(seconds=1)
            assert sorted(given(house)[before : before + 3]) == [f"notice/email/3/00{n}" for n in range(3)]
            await house.wait(seconds=60)
            assert states(house) == {"done": 123}
            assert len(set(given(house))) == len(given(house)) == 123

    virtual.run(tell())


def test_of_the_same_urgency_the_oldest_go_first(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.mail.takes_s = 0.1
            for number in range(40):
                owe(house, [number])
                await house.wait(seconds=0.001)
            await house.wait(seconds=5)
            assert given(house) == sorted(given(house))
            assert states(house) == {"done": 40}

    virtual.run(tell())


def test_a_channel_with_a_long_queue_hides_no_other(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.mail.takes_s = 10.0
            owe(house, range(PAGE_MAX + 50), urgency=2)
            await house.wait(seconds=1)
            owe(house, range(1), urgency=1, channel="sms")
            await house.wait(seconds=1)
            assert [message.id for message in house.sms.accepted] == ["notice/sms/1/000"]

    virtual.run(tell())


@pytest.mark.fault(33)
@pytest.mark.rule("DSP-3", "DSP-4")
def test_a_relay_that_dies_in_the_middle_loses_nothing_and_sends_nothing_a_third_time(tmp_path: Path) -> None:
    async def tell() -> None:
        taken: list[str] = []

        def dying(message: Message) -> None:
            taken.append(message.id)
            if len(taken) > 12:  # The last ones may have been taken: nobody answered.
                house.mail.behave = refuse("connection refused")
                raise Undelivered("fell silent after the text", outcome="timeout")

        async with living(House(tmp_path, PAGED)) as house:
            house.mail.takes_s = 0.2
            house.mail.behave = dying
            owe(house, range(40))
            await house.wait(minutes=2)
            assert states(house)["done"] < 16
            house.mail.behave = lambda message: taken.append(message.id)
            await house.wait(minutes=4)
            assert states(house) == {"done": 40}
            copies = Counter(taken)
            assert len(copies) == 40
            assert max(copies.values()) <= 2
            assert sum(copies.values()) <= 40 + AT_ONCE, "only what was on its way may be there twice"

    virtual.run(tell())


@pytest.mark.fault(4)
@pytest.mark.rule("DSP-3")
def test_a_crash_in_the_middle_of_a_drain_loses_nothing_and_sends_nothing_a_third_time(tmp_path: Path) -> None:
    async def tell() -> None:
        copies: Counter[str] = Counter()
        async with living(House(tmp_path, PAGED)) as house:
            house.mail.takes_s = 0.3
            owe(house, range(120))
            await house.wait(seconds=2.2)
            assert states(house)["sending"] > AT_ONCE, "some are marked before they are sent"
            copies.update(given(house))
            now = house.clock.now()
        async with living(House(tmp_path, PAGED, start=now)) as again:
            again.dispatcher.wake()
            await again.wait(minutes=1)
            copies.update(given(again))
            assert states(again) == {"done": 120}
        assert len(copies) == 120
        assert max(copies.values()) <= 2

    virtual.run(tell())


@pytest.mark.rule("DSP-3")
def test_whoever_stops_puts_back_what_was_marked_and_not_sent(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.mail.takes_s = 3.0
            owe(house, range(50))
            await house.wait(seconds=1)
            await house.dispatcher.stop(10.0)
            assert states(house) == {"done": AT_ONCE, "pending": 50 - AT_ONCE}
            assert len(house.mail.given) == AT_ONCE
            back = [row for row in house.store.messages(limit=100) if row.state == "pending"]
            assert all(row.tries == 0 and row.due_at == row.created_at for row in back)

    virtual.run(tell())


@pytest.mark.rule("ESC-3")
def test_who_has_taken_charge_is_not_paged_by_what_still_waited_for_its_turn(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.sms.takes_s = 30.0
            house.dispatcher.carriers = {"sms": Carrier(house.sms, concurrency=1)}
            for number in range(3):
                await house.report(key=f"probe:{number}", dedup=f"fault {number}")
            await house.wait(seconds=5)
            await house.desk.order("INC-3", c.Acknowledge(by="amina", via="cli"))
            await house.wait(minutes=3)
            assert [message.thread for _, message in house.sms.given] == ["INC-1", "INC-2"]
            (row,) = house.store.messages(limit=9, incident="INC-3")
            assert row.state == "withdrawn"

    virtual.run(tell())


def test_receipts_of_a_drain_are_written_many_at_a_time(tmp_path: Path) -> None:
    """Marks and receipts of 200 messages: two for each, and far fewer transactions."""

    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            commits: list[int] = []
            real = house.store.commit

            def commit(write: Write) -> None:
                commits.append(len(write.settlements))
                real(write)

            house.store.commit = commit  # type: ignore[method-assign]
            house.mail.takes_s = 0.01
            owe(house, range(200))
            await house.wait(seconds=30)
            assert states(house) == {"done": 200}
            assert sum(commits) == 400
            assert len(commits) <= 120

    virtual.run(tell())


# The gate ---------------------------------------------------------------------------------------------------------


def test_a_place_at_the_gate_goes_to_the_most_urgent_and_is_never_lost() -> None:
    async def tell() -> None:
        gate, passed = Gate(lambda _channel: 1), []

        async def go(number: int, urgency: int) -> None:
            async with gate.through(notice(number, START, urgency=urgency)):
                passed.append(number)
                await asyncio.sleep(1)

        tasks = [asyncio.create_task(go(number, urgency)) for number, urgency in enumerate((1, 1, 1, 3, 2))]
        await asyncio.sleep(0.5)
        tasks[3].cancel()  # It waits.
        await asyncio.sleep(1)
        tasks[4].cancel()  # It has the place.
        await asyncio.gather(*tasks, return_exceptions=True)
        assert passed == [0, 4, 1, 2]
        await go(9, 1)
        assert passed[-1] == 9

    virtual.run(tell())


# The desk's two lines ---------------------------------------------------------------------------------------------


def said(name: str, _draft: Draft) -> str:
    return name


async def reported(desk: Desk, house: House, number: int) -> None:
    await house.report(key=f"probe:{number}", dedup=f"fault {number}", level=2)


@pytest.mark.fault(42)
def test_neither_an_acknowledgement_nor_a_mark_waits_for_a_storm_of_reports(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(House(tmp_path, PAGED)) as house:
            house.dispatcher.carriers = {}
            await house.report()
            storm = [asyncio.create_task(reported(house.desk, house, number)) for number in range(2 * BATCH_MAX)]
            await asyncio.sleep(0)
            mark = Settlement(id="x", sequence=0, state="sending", tries=1, due_at=START, at=START)
            await asyncio.gather(
                house.desk.order("INC-1", c.Acknowledge(by="amina", via="cli")), house.desk.settle(mark)
            )
            assert sum(task.done() for task in storm) <= BATCH_MAX
            await asyncio.gather(*storm)
            assert len(house.desk.open()) == 2 * BATCH_MAX + 1

    virtual.run(tell())


@pytest.mark.fault(42)
def test_what_is_decided_together_is_bounded_in_time_and_each_line_keeps_its_order() -> None:
    async def tell() -> None:
        times = iter(step * SLICE_MAX_S / 10 for step in range(10_000))
        jobs = Jobs(lambda: next(times))

        for number in range(20):
            await jobs.hand_in(partial(said, f"report {number}"), new=True)
        for number in range(3):
            await jobs.hand_in(partial(said, f"receipt {number}"), new=False)
        done: list[list[str]] = []
        while sum(map(len, done)) < 23:
            taken: list[Job] = []
            done.append([job[0](None) for job in jobs.some(taken)])  # type: ignore[arg-type]
            jobs.done()
        assert max(map(len, done)) <= 11
        told = [name for some in done for name in some]
        assert told[:6] == ["receipt 0", "report 0", "receipt 1", "report 1", "receipt 2", "report 2"]
        assert told[6:] == [f"report {number}" for number in range(3, 20)]
        async with asyncio.timeout(1):
            await jobs.join()

    virtual.run(tell())


@pytest.mark.fault(8)
async def test_who_comes_to_the_gate_after_it_was_opened_waits_for_nobody():
    gate = Gate(lambda _channel: 1)
    async with asyncio.timeout(20), gate.through(notice(0, START)):
        gate.open()
        async with gate.through(notice(1, START)):
            pass
