"""From a signal to a carrier, on virtual time with the real store."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.channels.base import Message, Undelivered
from sentinel.core import commands as c
from sentinel.core.model import Plan, Step
from sentinel.store.base import StoreUnavailable, Write
from tests import virtual
from tests.engine.house import LADDER, House, house, refuse


def story(plan: Plan | None = None) -> Callable[[Callable[[House], Coroutine[Any, Any, None]]], Callable[[Path], None]]:
    """Run a test's coroutine on virtual time in a house of its own."""

    def wrap(tell: Callable[[House], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
        async def inside(path: Path) -> None:
            async with house(path, plan) as built:
                await tell(built)

        @functools.wraps(tell)
        def test(tmp_path: Path) -> None:
            virtual.run(inside(tmp_path))

        del test.__wrapped__  # type: ignore[attr-defined]  # pytest must see the path, not the house
        return test

    return wrap


@pytest.mark.rule("DSP-1")
@pytest.mark.rule("DSP-2")
@story()
async def test_a_critical_incident_is_texted_and_mailed_at_once_and_gets_its_ticket(house: House) -> None:
    await house.report()
    await house.wait(seconds=1)
    assert [message.id for message in house.sms.accepted] == ["INC-1/2/amina/sms"]
    assert [message.id for message in house.mail.accepted] == ["INC-1/1/farid/email"]
    assert house.tickets[-1].number == "INC-1"
    assert "Told" in house.told()
    assert sorted(house.counts.results) == [("email", "accepted"), ("sms", "accepted")]


@story()
async def test_an_acknowledged_incident_pages_nobody_else(house: House) -> None:
    await house.report()
    await house.wait(minutes=5)
    await house.desk.order("INC-1", c.Acknowledge(by="amina", via="cli"))
    await house.wait(hours=2)
    assert [message.to for message in house.sms.accepted] == ["amina"]


@story()
async def test_recovery_is_told_to_who_was_paged(house: House) -> None:
    await house.report()
    await house.wait(minutes=1)
    await house.desk.recover("probe:web/home", "two good runs")
    await house.wait(seconds=2)
    assert [message.to for message in house.sms.accepted] == ["amina", "amina"]
    assert [message.to for message in house.mail.accepted] == ["farid", "farid"]


@pytest.mark.fault(39)
@pytest.mark.rule("DSP-4")
@story()
async def test_a_channel_that_fails_is_replaced_at_once_and_retried_for_four_hours(house: House) -> None:
    house.sms.behave = refuse()
    await house.report()
    await house.wait(seconds=20)
    assert "amina" in [message.to for message in house.mail.accepted]
    await house.wait(hours=3, minutes=58)
    page = house.store.messages(limit=50, incident="INC-1")
    waiting = next(row for row in page if row.id == "INC-1/2/amina/sms")
    assert waiting.state in {"pending", "sending"}
    await house.wait(minutes=20)
    dead = next(row for row in house.store.messages(limit=50) if row.id == "INC-1/2/amina/sms")
    assert (dead.state, dead.error) == ("dead", "gateway answered 500")
    assert dead.tries > 20


@story()
async def test_what_was_refused_for_good_is_not_tried_again(house: House) -> None:
    house.sms.behave = refuse("no such number", permanent=True)
    await house.report()
    await house.wait(minutes=5)
    assert [message.id for _, message in house.sms.given] == ["INC-1/2/amina/sms"]
    assert house.mail.accepted


@pytest.mark.fault(39)
@pytest.mark.rule("DSP-4")
@story(Plan(ladder=LADDER, last_resort=("farid",)))
async def test_when_every_channel_of_everybody_fails_the_next_people_are_tried_and_exhaustion_is_announced(
    house: House,
) -> None:
    def only_farid(message: Message) -> None:
        if message.to != "farid":
            raise Undelivered("down")

    house.sms.behave = house.mail.behave = only_farid
    await house.report()
    await house.wait(minutes=5)
    told = house.told()
    assert told.count("Escalated") == 2
    assert told.count("Exhausted") == 1
    assert {message.to for message in [*house.sms.accepted, *house.mail.accepted]} == {"farid"}


@story()
async def test_a_message_whose_fate_is_unknown_is_not_sent_again_in_the_same_burst(house: House) -> None:
    def silent(_message: Message) -> None:
        raise Undelivered("silence after DATA", outcome="timeout")

    house.sms.behave = silent
    await house.report()
    await house.wait(seconds=10)
    assert len(house.sms.given) == 1


@pytest.mark.fault(36)
@story()
async def test_a_carrier_that_asks_for_patience_gets_it(house: House) -> None:
    answers = iter([Undelivered("429", after_s=20.0), None])

    def once(_message: Message) -> None:
        if error := next(answers):
            raise error

    house.sms.behave = once
    await house.report()
    await house.wait(seconds=30)
    first, second = (at for at, _ in house.sms.given)
    assert second - first == pytest.approx(20.0)


@story()
async def test_a_slow_channel_does_not_hold_up_another(house: House) -> None:
    house.mail.takes_s = 30.0
    for number in range(30):
        await house.report(key=f"probe:{number}", dedup=f"service {number}")
    await house.wait(seconds=2)
    assert len(house.sms.accepted) == 30
    await house.wait(minutes=10)
    assert len(house.mail.accepted) == 30


@pytest.mark.fault(40)
@pytest.mark.rule("DSP-2")
@story()
async def test_a_ticket_back_end_that_is_down_delays_the_ticket_and_never_the_page(house: House) -> None:
    house.ticket_down = True
    await house.report()
    await house.wait(seconds=1)
    assert house.sms.accepted
    await house.wait(hours=6)
    assert not house.tickets
    house.ticket_down = False
    await house.wait(minutes=11)
    assert [state.number for state in house.tickets[-1:]] == ["INC-1"]
    assert "TicketLinked" in house.told()


@story()
async def test_pages_withdrawn_by_an_acknowledgement_never_leave(house: House) -> None:
    house.sms.behave = house.mail.behave = refuse()
    await house.report()
    await house.wait(minutes=1)
    await house.desk.order("INC-1", c.Acknowledge(by="amina", via="web"))
    house.sms.behave = house.mail.behave = lambda _message: None
    await house.wait(hours=1)
    assert "amina" not in [message.to for message in [*house.sms.accepted, *house.mail.accepted]]


@story()
async def test_a_page_withdrawn_while_its_carrier_refuses_it_is_not_tried_again(house: House) -> None:
    house.sms.takes_s = 20.0
    house.sms.behave = refuse()
    await house.report()
    await house.wait(seconds=5)
    await house.desk.order("INC-1", c.Acknowledge(by="bruno", via="web"))
    await house.wait(hours=1)
    assert house.row("INC-1/2/amina/sms").state == "withdrawn"
    assert len(house.sms.given) == 3  # The burst that was under way; nothing after it.
    assert "amina" not in [message.to for message in house.mail.accepted]


@story()
async def test_a_page_withdrawn_while_it_is_on_the_wire_is_recorded_as_arrived(house: House) -> None:
    house.sms.takes_s = 20.0
    await house.report()
    await house.wait(seconds=5)
    await house.desk.order("INC-1", c.Acknowledge(by="bruno", via="web"))
    await house.wait(minutes=1)
    assert house.row("INC-1/2/amina/sms").state == "done"
    assert "Told" in house.told()


@story()
async def test_a_bug_in_a_channel_is_counted_and_the_page_goes_another_way_at_once(house: House) -> None:
    def broken(_message: Message) -> None:
        raise KeyError("no such field")

    house.sms.behave = broken
    await house.report()
    await house.wait(seconds=5)
    assert set(house.counts.bugs) == {"dispatch"}
    assert "amina" in [message.to for message in house.mail.accepted]
    house.sms.behave = lambda _message: None
    await house.wait(minutes=5)
    assert house.row("INC-1/2/amina/sms").state == "done"


@story()
async def test_a_bug_in_a_ticket_back_end_is_counted_and_the_ticket_is_written_later(house: House) -> None:
    broken, whole = iter([True]), house.dispatcher.tickets["builtin"]

    async def write(state: Any) -> Any:
        if next(broken, False):
            raise KeyError("no such field")
        return await whole(state)

    house.dispatcher.tickets = {"builtin": write}
    await house.report()
    await house.wait(minutes=2)
    assert house.counts.bugs == ["dispatch"]
    assert [state.number for state in house.tickets[-1:]] == ["INC-1"]


@story()
async def test_nothing_is_given_up_before_its_four_hours_are_over(house: House) -> None:
    house.sms.behave = house.mail.behave = refuse()
    await house.report()
    await house.wait(hours=5)
    dead = [row for row in house.store.messages(limit=50) if row.state == "dead"]
    assert dead
    assert all(row.settled_at >= row.give_up_at == row.created_at + timedelta(hours=4) for row in dead)


@story()
async def test_a_carrier_that_asks_for_more_patience_than_a_burst_has_is_left_alone_so_long(house: House) -> None:
    def busy(_message: Message) -> None:
        raise Undelivered("429", after_s=300.0)

    house.sms.behave = busy
    await house.report()
    await house.wait(seconds=299)
    assert len(house.sms.given) == 1
    await house.wait(seconds=30)
    assert len(house.sms.given) == 2


class FullDisk:
    """A store whose disk takes nothing while it is full, or nothing of a kind."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.full = True
        self.concerns: Callable[[Write], bool] = lambda _write: True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def commit(self, write: Write) -> None:
        if self.full and self.concerns(write):
            raise StoreUnavailable("database or disk is full")
        self._real.commit(write)


def settling(state: str) -> Callable[[Write], bool]:
    """Concern writes that bring something into that state."""
    return lambda write: any(settlement.state == state for settlement in write.settlements)


@pytest.mark.fault(13)
@story()
async def test_a_critical_page_on_disk_leaves_though_the_disk_has_become_full_meanwhile(house: House) -> None:
    house.desk._store = disk = FullDisk(house.store)
    disk.concerns = lambda write: bool(write.settlements)
    await house.report()
    await house.wait(seconds=5)
    assert [message.to for message in house.sms.accepted] == ["amina"]
    await house.wait(minutes=10)
    disk.full = False
    await house.wait(minutes=10)
    assert [message.to for message in house.sms.accepted] == ["amina", "bruno"]
    assert house.row("INC-1/2/amina/sms").state == "done"
    assert house.told().count("Told") >= 2


@pytest.mark.parametrize("behave", [None, refuse()])
def test_what_came_of_a_try_is_written_when_the_disk_takes_it_again(tmp_path: Path, behave: Any) -> None:
    async def tell() -> None:
        async with house(tmp_path, None) as built:
            built.desk._store = disk = FullDisk(built.store)
            disk.concerns = lambda write: settling("done")(write) or settling("pending")(write)
            built.sms.behave = behave or built.sms.behave
            await built.report()
            await built.wait(minutes=3)
            sent = len(built.sms.given)
            disk.full = False
            await built.wait(seconds=20)
            if behave is None:
                assert (sent, len(built.sms.given)) == (1, 1)
                assert built.row("INC-1/2/amina/sms").state == "done"
            else:
                assert "NotTold" in built.told()
                await built.wait(minutes=2)
                assert len(built.sms.given) > sent

    virtual.run(tell())


@story(Plan(ladder=(Step(after=timedelta(0), to=("amina",), by=("sms",), repeats=3, every=timedelta(minutes=5)),)))
async def test_a_repeated_step_pages_again_until_somebody_takes_it(house: House) -> None:
    await house.report()
    await house.wait(minutes=16)
    assert len(house.sms.accepted) == 4
    await house.wait(hours=1)
    assert len(house.sms.accepted) == 4


@story()
async def test_commands_that_wait_together_are_written_together_and_each_gets_its_answer(house: House) -> None:
    states = await asyncio.gather(*(house.report(key=f"probe:{n}", dedup=f"d{n % 3}") for n in range(30)))
    assert {state.number for state in states} == {"INC-1", "INC-2", "INC-3"}
    assert house.store.verify() == []
