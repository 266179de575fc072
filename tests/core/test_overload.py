"""Overload is switched by people, or by the queue, each time once and with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sentinel.core import overload
from sentinel.core.model import Refused
from sentinel.core.overload import Eased, Fact, Limits, Switched, overload_of
from sentinel.web.ordering import queued
from tests.core.contracts import GOLD, SILVER, under
from tests.core.story import Story
from tests.core.test_requests import asked

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LIMITS = Limits(queue=10, until=4)


def lived(*counts: int | Switched, limits: Limits | None = LIMITS) -> list[Fact]:
    """Let the queue be so long, one look after the other, people switching between."""
    facts: list[Fact] = []
    for number, count in enumerate(counts):
        at = NOW + timedelta(minutes=number)
        if isinstance(count, Switched):
            facts += overload.switch(overload_of(facts), count)
        else:
            facts += overload.look(overload_of(facts), count, limits, at)
    return facts


def by_hand(on: bool, why: str = "a virus") -> Switched:
    return Switched(at=NOW, on=on, by="amina", why=why)


@pytest.mark.rule("SLA-11")
def test_the_queue_switches_once_above_its_limit_and_once_when_it_is_short_again():
    facts = lived(9, 10, 11, 12, 10, 5, 4, 3, 10, 11)
    assert [(fact.on, fact.waiting) for fact in facts if isinstance(fact, Switched)] == [
        (True, 11),
        (False, 4),
        (True, 11),
    ]
    assert facts[0].why == "11 are waiting, which is more than 10"  # type: ignore[union-attr]
    assert facts[1].why == "4 are waiting, which is no more than 4"  # type: ignore[union-attr]


@pytest.mark.rule("SLA-11")
def test_without_a_limit_only_people_switch():
    assert lived(1000, limits=None) == []
    facts = lived(by_hand(on=True), 1000, 0, limits=None)
    assert overload_of(facts).on


@pytest.mark.rule("SLA-11")
def test_what_a_person_switched_on_only_a_person_switches_off():
    facts = lived(by_hand(on=True), 0, 20, 0)
    now = overload_of(facts)
    assert (now.on, now.by, now.why, now.since) == (True, "amina", "a virus", NOW)
    assert not overload_of(lived(by_hand(on=True), 0, by_hand(on=False))).on


@pytest.mark.rule("SLA-11")
def test_what_a_person_switched_off_stays_off_until_the_queue_was_short_once():
    facts = lived(11, by_hand(on=False), 12, 30, 5)
    assert not overload_of(facts).on
    facts = lived(11, by_hand(on=False), 12, 4, 12)
    assert [type(fact) for fact in facts] == [Switched, Switched, Eased, Switched]
    assert overload_of(facts).on


def test_a_person_may_keep_on_what_the_queue_began():
    facts = lived(11, by_hand(on=True), 0)
    assert (overload_of(facts).on, overload_of(facts).by) == (True, "amina")


def test_a_limit_that_is_gone_ends_what_it_began():
    facts = lived(11)
    facts += overload.look(overload_of(facts), 20, None, NOW)
    assert (overload_of(facts).on, overload_of(facts).why) == (False, overload.UNLIMITED)


@pytest.mark.parametrize(
    ("before", "said", "why"),
    [
        ([], by_hand(on=False), "Overload is off already."),
        ([by_hand(on=True)], by_hand(on=True), "Overload is on already."),
        ([], by_hand(on=True, why=" "), "needs a reason"),
    ],
)
def test_what_changes_nothing_or_has_no_reason_is_refused(before: list[Fact], said: Switched, why: str):
    with pytest.raises(Refused, match=why):
        overload.switch(overload_of(before), said)


def test_facts_are_readable_for_ever():
    written = [
        b'{"type":"switched","at":"2026-11-23T09:00:00Z","on":true,"why":"a virus","by":"amina","waiting":3}',
        b'{"type":"eased","at":"2026-11-23T09:00:00Z","waiting":2}',
    ]
    found: list[Any] = [msgspec.json.decode(line, type=Fact) for line in written]
    assert [msgspec.json.encode(fact) for fact in found] == written


# What it does ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("SLA-11")
def test_the_queue_is_ordered_by_priority_and_in_overload_by_the_time_left():
    urgent = Story(directory=under(GOLD))
    late = Story(directory=under(SILVER))
    urgent.now = late.now = NOW
    late.report(level=2, priority="P2").acknowledge()  # due in 8 hours of business
    urgent.now += timedelta(hours=8)
    urgent.report().acknowledge()  # P1, due in 2 hours
    idle = Story()
    idle.now = NOW
    idle.report()  # P1, without any target
    usual, strict = (queued([late.state, idle.state, urgent.state], strict=one) for one in (False, True))
    assert [one is urgent.state or one is idle.state for one in usual] == [True, True, False]
    assert strict == [late.state, urgent.state, idle.state]


@pytest.mark.rule("SLA-11")
def test_the_queue_counts_what_nobody_has_taken_and_somebody_must():
    stories = [Story().report(level=level, priority=priority) for level, priority in ((3, "P1"), (2, "P2"), (1, "P4"))]  # type: ignore[arg-type]
    stories += [asked(), asked(agreed_on=date(2026, 6, 12)).acknowledge(), Story().report().resolve()]
    assert overload.waiting(one.state for one in stories) == 3
