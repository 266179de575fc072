"""Many incidents at once, on virtual time with the real desk, store and dispatcher: few messages, and all is said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial, wraps
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.channels.base import Message
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.flow import Flow, Rate
from sentinel.core.model import Channel, Directory, Listener, Person, Plan, Signal, Step, Verdict
from sentinel.engine.draft import Draft
from sentinel.engine.gathering import Occasion
from sentinel.engine.passage import Carrier
from sentinel.messages import digest
from sentinel.messages.compose import compose
from sentinel.messages.gsm7 import SEGMENT_SEPTETS, septets
from sentinel.messages.notice import Notice
from sentinel.messages.telling import envelope
from sentinel.store.base import OutboxRow, StoreUnavailable
from tests import virtual
from tests.engine.house import START, House, living, refuse

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PEOPLE = {
    "amina": Person(id="amina", name="Amina", addresses={"mobile": "+33639980001", "email": "amina@example.org"}),
    "bruno": Person(id="bruno", name="Bruno", addresses={"mobile": "+33639980002"}, language="en"),
}
DIRECTORY = Directory(
    people=PEOPLE,
    groups={},
    channels={"sms": Channel(name="sms", address="mobile"), "email": Channel(name="email", address="email")},
)
PAGED = Plan(ladder=(Step(after=timedelta(0), to=("amina",), by=("sms",)),))
SMS = Flow(per_person=(Rate(10, HOUR),))
NUMBER = re.compile(r"INC-(\d+)(?: (?:à|to) INC-(\d+))?")
notices = msgspec.json.Decoder(Notice)


class Paper:
    """Writes rows and digests out as the daemon does, in the real words."""

    def __call__(self, row: OutboxRow) -> Message:
        person = PEOPLE[row.person]
        return compose(notices.decode(row.body), person, to=person.id, site="Site")

    def alone(self, row: OutboxRow) -> bool:
        return notices.decode(row.body).kind in digest.ALONE

    def entry(self, row: OutboxRow) -> digest.Entry:
        return digest.entry(notices.decode(row.body), PEOPLE[row.person])

    def digest(self, occasion: Occasion, entries: Sequence[digest.Entry]) -> Message:
        person = PEOPLE[occasion.person]
        return digest.compose(entries, person, digest.Envelope(occasion.id, occasion.at, person.id, "Site", ""))


class Storm(House):
    """A house whose channels have a flow."""

    def __init__(self, path: Path, plan: Plan = PAGED, flow: Flow = SMS, start: datetime = START) -> None:
        super().__init__(path, plan, DIRECTORY, start)
        paper = Paper()
        self.desk.envelope = partial(envelope, directory=DIRECTORY, services={}, url="")
        self.dispatcher._compose = paper
        self.dispatcher.digests = paper
        self.dispatcher.carriers = {"sms": Carrier(self.sms, flow=flow), "email": Carrier(self.mail, flow=Flow())}
        self.began = self.clock.monotonic()

    async def fail(self, *hosts: int, level: Any = 3) -> None:
        """Let hosts fail, all at once."""
        await asyncio.gather(*(self._fail(host, level) for host in hosts))

    async def _fail(self, host: int, level: Any) -> None:
        await self.desk.report(*failure(host, self.clock.now(), level))

    def texts(self, person: str = "amina") -> list[tuple[float, Message]]:
        """Return the SMS a person got, with when, in minutes."""
        given = [(round((at - self.began) / 60, 2), message) for at, message in self.sms.given if message.to == person]
        return [(at, message) for at, message in given if message in self.sms.accepted]

    def minutes(self, person: str = "amina") -> list[float]:
        return [at for at, _ in self.texts(person)]

    def heard_of(self, person: str = "amina") -> set[int]:
        """Return the numbers that stand in the SMS a person got."""
        return set().union(*(numbers(message.sms) for _, message in self.texts(person)))

    def told_of(self, number: int) -> list[e.Told]:
        """Return what the timeline of an incident says of messages that arrived."""
        events = [recorded.event for recorded in self.store.timeline(f"INC-{number}")]
        return [event for event in events if isinstance(event, e.Told)]


def failure(host: int, now: datetime, level: Any = 3) -> tuple[Signal, Verdict]:
    """Return what is reported of a host that fails."""
    key, title = f"probe:web/h{host}", f"Host {host} down"
    signal = Signal(key=key, source="probe", title=title, at=now, since=now, service="campus")
    return signal, Verdict(rule="r", level=level, severity="blocking", priority="P1", title=title, dedup=key)


def opened_before(house: Storm, count: int) -> None:
    """Write incidents down as the desk would have, just before it starts: many at a time."""
    now = house.clock.now()
    for begin in range(0, count, 1_000):
        draft = Draft(begin, house.policy, house.desk.envelope)
        for host in range(begin + 1, begin + 1_001):
            signal, verdict = failure(host, now)
            draft.open(c.Report(signal=signal, verdict=verdict, plan=PAGED), now)
        house.store.commit(draft.write())


def numbers(text: str) -> set[int]:
    """Return every incident a text names, also those within a range."""
    return {number for found in NUMBER.finditer(text) for number in range(int(found[1]), int(found[2] or found[1]) + 1)}


Tale = Callable[[Storm], Coroutine[Any, Any, None]]


def story(plan: Plan = PAGED, flow: Flow = SMS) -> Callable[[Tale], Callable[[Path], None]]:
    """Run a test's coroutine on virtual time in a house of its own."""

    def wrap(tell: Tale) -> Callable[[Path], None]:
        async def inside(path: Path) -> None:
            async with living(Storm(path, plan, flow)) as house:
                await tell(house)

        @wraps(tell)
        def test(tmp_path: Path) -> None:
            virtual.run(inside(tmp_path))

        del test.__wrapped__  # type: ignore[attr-defined]  # pytest must see the path, not the house
        return test

    return wrap


def most_within(minutes: list[float], within: float) -> int:
    """Return the most messages in any stretch of that many minutes."""
    return max(sum(begin <= at < begin + within for at in minutes) for begin in minutes)


@pytest.mark.rule("DSP-7")
@story()
async def test_three_incidents_are_told_one_by_one_and_the_next_ones_in_digests(house: Storm) -> None:
    await house.fail(*range(1, 21))
    await house.wait(seconds=30)
    assert len(house.texts()) == 3
    await house.wait(seconds=40)
    assert house.minutes()[3:] == [1.0]
    summary = house.texts()[3][1]
    assert summary.sms.startswith("VAGUE D'ALERTES 17 incidents depuis 23h10 (17 P1). INC-4 à INC-20")
    await house.fail(21, 22)
    await house.wait(minutes=9)
    assert len(house.texts()) == 4
    await house.wait(minutes=2)
    assert house.minutes()[4:] == [11.0]
    assert house.heard_of() == set(range(1, 23))


@pytest.mark.rule("DSP-7")
@story()
async def test_the_timeline_of_each_incident_says_that_it_was_told_in_a_digest(house: Storm) -> None:
    await house.fail(1, 2, 3, 4, 5, 6)
    await house.wait(minutes=2)
    assert [event.together for event in house.told_of(1)] == [1]
    gathered = [*house.told_of(4), *house.told_of(5), *house.told_of(6)]
    assert [event.together for event in gathered] == [3, 3, 3]
    assert len({event.reference for event in gathered}) == 1


@pytest.mark.fault(42)
@pytest.mark.rule("DSP-7")
def test_ten_thousand_failures_at_once_are_at_most_five_messages_in_a_quarter_of_an_hour(tmp_path: Path) -> None:
    async def tell() -> None:
        house = Storm(tmp_path)
        opened_before(house, 10_000)
        async with living(house):
            await house.wait(minutes=2)
            await house.fail(*range(10_001, 10_011))
            await house.wait(minutes=10)
            assert most_within(house.minutes(), 15) <= 5
            assert house.heard_of() == set(range(1, 10_011))
            assert house.store.queue() == {}
            assert all(septets(message.sms) <= SEGMENT_SEPTETS for _, message in house.texts())

    virtual.run(tell())


@pytest.mark.fault(42)
@pytest.mark.rule("DSP-7")
def test_a_restart_in_the_middle_gives_nobody_a_second_helping(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(Storm(tmp_path)) as house:
            await house.fail(*range(1, 31))
            await house.wait(seconds=45)
            assert len(house.texts()) == 3
            now = house.clock.now()
        async with living(Storm(tmp_path, start=now)) as again:
            await again.wait(seconds=30)
            assert again.minutes() == [0.25]  # The slot was a minute after the first was gathered.
            assert numbers(again.texts()[0][1].sms) == set(range(4, 31))
            await again.fail(31, 32)
            now = again.clock.now()
        async with living(Storm(tmp_path, start=now)) as third:
            await third.wait(minutes=9)
            assert third.texts() == []
            await third.wait(minutes=2)
            assert third.heard_of() == {31, 32}

    virtual.run(tell())


@pytest.mark.fault(4)
@pytest.mark.rule("DSP-7", "DSP-3")
def test_a_crash_while_a_digest_is_sent_makes_one_copy_under_the_same_id(tmp_path: Path) -> None:
    async def tell() -> None:
        async with living(Storm(tmp_path)) as house:
            await house.fail(*range(1, 11))
            await house.wait(seconds=59)
            house.sms.takes_s = 30
            await house.wait(seconds=5)
            assert house.row("INC-7/2/amina/sms").state == "sending"
            first = house.sms.given[-1][1]
            now = house.clock.now()
        async with living(Storm(tmp_path, start=now)) as again:
            await again.wait(minutes=2)
            assert [message.id for _, message in again.texts()] == [first.id]
            assert numbers(first.sms) == again.heard_of() == set(range(4, 11))

    virtual.run(tell())


@pytest.mark.rule("DSP-7", "DSP-4")
@story()
async def test_a_channel_that_fails_during_a_digest_loses_nothing_and_the_next_channel_is_tried(house: Storm) -> None:
    await house.fail(*range(1, 11))
    await house.wait(seconds=30)
    house.sms.behave = refuse()
    await house.wait(minutes=5)
    by_mail = set().union(*(numbers(f"{message.subject} {message.text}") for message in house.mail.accepted))
    assert by_mail == set(range(4, 11))
    assert len(house.mail.accepted) == 4  # Mail is a channel like any other: three, then a digest.
    house.sms.behave = lambda _message: None
    await house.wait(minutes=20)
    assert house.heard_of() == set(range(1, 11))
    assert house.store.queue() == {}


@pytest.mark.rule("DSP-7")
@story()
async def test_what_somebody_takes_in_charge_meanwhile_leaves_the_digest(house: Storm) -> None:
    await house.fail(*range(1, 8))
    await house.wait(seconds=20)
    await house.desk.order("INC-5", c.Acknowledge(by="bruno", via="api"))
    await house.wait(minutes=2)
    assert numbers(house.texts()[3][1].sms) == {4, 6, 7}
    assert "parmi" not in house.texts()[3][1].sms
    assert house.row("INC-5/2/amina/sms").state == "withdrawn"


LOUD = Plan(listeners=(Listener(who="amina", by=("sms",), on=("opened",), min_level=1),))
ESCALATED = Plan(
    ladder=(Step(after=timedelta(0), to=("amina",), by=("sms",)), Step(after=5 * MINUTE, to=("bruno",), by=("sms",)))
)


@pytest.mark.rule("DSP-7")
@story(ESCALATED)
async def test_who_is_on_call_gets_the_escalation_too_in_the_middle_of_the_storm(house: Storm) -> None:
    await house.fail(*range(1, 41))
    await house.wait(minutes=7)
    assert house.minutes("bruno") == [5.0, 5.0, 5.0, 6.0]
    assert house.heard_of("bruno") == set(range(1, 41))
    assert house.texts("bruno")[3][1].sms.startswith("ALERT STORM 37 incidents since 23:10 (37 P1). INC-")


@pytest.mark.rule("DSP-7")
@story(
    Plan(
        ladder=(Step(after=timedelta(0), to=("amina",), by=("sms",)),),
        listeners=(Listener(who="amina", by=("sms",), on=("resolved",)),),
    )
)
async def test_without_a_storm_later_messages_about_the_same_incident_go_at_once(house: Storm) -> None:
    await house.fail(1, 2)
    await house.wait(minutes=1)
    await house.desk.order("INC-1", c.Acknowledge(by="bruno", via="api"))
    await house.desk.order("INC-1", c.Resolve(by="bruno", text="mended", close_by=house.clock.now() + HOUR))
    await house.wait(seconds=5)
    assert house.minutes() == [0.0, 0.0, 1.0]


@pytest.mark.rule("DSP-7")
@story(flow=Flow(per_person=(Rate(4, HOUR),)))
async def test_a_persons_budget_holds_in_every_hour_and_all_is_said(house: Storm) -> None:
    for host in range(1, 121):  # One every two minutes: never more than eight within a window.
        await house.fail(host)
        await house.wait(minutes=2)
    await house.wait(minutes=61)
    assert most_within(house.minutes(), 60) <= 4
    assert house.minutes()[:2] == [0.0, 2.0]  # Half of the budget by themselves.
    assert house.heard_of() == set(range(1, 121))


@pytest.mark.rule("DSP-4")
@pytest.mark.rule("DSP-7")
@story(flow=Flow(per_person=(Rate(10, HOUR), Rate(4, timedelta(days=1)))))
async def test_whose_budget_of_the_day_is_used_up_is_told_another_way_at_once_and_by_digest_later(house: Storm) -> None:
    for host in range(1, 9):
        await house.fail(host)
        await house.wait(minutes=20)
    assert house.heard_of() == {1, 2, 3}, "half of the day's budget by themselves, and one digest"
    assert set().union(*(numbers(message.subject) for message in house.mail.accepted)) == {4, 5, 6, 7, 8}
    assert house.counts.results.count(("sms", "rate_limited")) == 5, "once for each"
    await house.wait(minutes=25 * 60)
    assert house.heard_of() == set(range(1, 9)), "nothing is dropped"
    assert most_within(house.minutes(), 24 * 60) <= 4


@pytest.mark.rule("DSP-7")
@story(LOUD, Flow(per_person=(Rate(1000, HOUR),), total=(Rate(5, timedelta(days=1)),)))
async def test_beyond_the_channels_budget_what_is_not_critical_goes_another_way(house: Storm) -> None:
    for host in range(1, 9):
        await house.fail(host, level=2)
        await house.wait(minutes=16)
    assert len(house.texts()) == 5
    assert [numbers(message.subject) for message in house.mail.accepted] == [{6}, {7}, {8}]
    assert house.counts.results.count(("sms", "rate_limited")) == 3
    await house.fail(9, level=3)
    await house.wait(seconds=1)
    assert 9 in house.heard_of()
    assert house.counts.results.count(("sms", "rate_limited")) == 4


@pytest.mark.rule("DSP-7")
def test_the_channels_budget_outlives_a_restart(tmp_path: Path) -> None:
    flow = Flow(per_person=(Rate(1000, HOUR),), total=(Rate(2, timedelta(days=1)),))

    async def tell() -> None:
        async with living(Storm(tmp_path, LOUD, flow)) as house:
            await house.fail(1, 2, level=2)
            await house.wait(minutes=1)
            assert len(house.texts()) == 2
            now = house.clock.now()
        async with living(Storm(tmp_path, LOUD, flow, start=now)) as again:
            await again.fail(3, level=2)
            await again.wait(minutes=1)
            assert again.texts() == []
            assert numbers(again.mail.accepted[0].subject) == {3}

    virtual.run(tell())


@story()
async def test_a_note_that_somebody_wrote_is_never_gathered(house: Storm) -> None:
    assert Paper().alone(row_of("note"))
    assert not Paper().alone(row_of("opened"))
    await house.wait(seconds=1)


def row_of(kind: Any) -> OutboxRow:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    body = msgspec.json.encode(Notice(id="INC-1/1/amina/sms", kind=kind, at=at, incident="INC-1"))
    return OutboxRow(
        id="INC-1/1/amina/sms", kind="message", incident="INC-1", sequence=1, person="amina", channel="sms", urgency=3,
        body=body, created_at=at, due_at=at, give_up_at=at,
    )  # fmt: skip


@pytest.mark.rule("DSP-7")
@story()
async def test_a_store_that_takes_nothing_for_a_while_does_not_lose_a_digest(house: Storm) -> None:
    await house.fail(*range(1, 11))
    await house.wait(seconds=58)
    commit = house.store.commit

    def full(_write: Any) -> None:
        raise StoreUnavailable("disk is full")

    house.store.commit = full
    await house.wait(seconds=30)
    assert house.heard_of() == set(range(1, 11))  # What is critical does not wait for a disk.
    house.store.commit = commit
    await house.wait(minutes=3)
    assert [event.together for event in house.told_of(9)] == [7]
    assert len(house.texts()) == 4
