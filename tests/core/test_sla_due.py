"""When targets fall due: the documents' own examples, pauses, and the fractions at which a clock warns."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.config.calendars import Calendars
from sentinel.config.contracts import Contracts
from sentinel.core.business import BusinessDuration, BusinessTime, Period, business_time
from sentinel.core.calendar import ALWAYS
from sentinel.core.model import PRIORITIES
from sentinel.core.sla import CLOCKS, Contract, Target, due
from tests.core.calendars import at, calendar

BUILT_IN = Contracts({}, Calendars({}))
HOUR = timedelta(hours=1)
OFFICE = calendar(saturday="09:00-17:00")


def pause(text: str) -> Period:
    """Read `2026-06-01 10:00/2026-06-01 15:00`."""
    begin, _, end = text.partition("/")
    return Period(at(begin), at(end))


def promise(allowed: BusinessDuration, made=OFFICE, **more) -> Contract:
    """Make a contract with one target for P1, or one for each priority named."""
    priorities = more.pop("priorities", ("P1",))
    targets = [Target(clock="resolve", priority=one, allowed=allowed, calendar="c") for one in priorities]
    return Contract(name="c", targets=tuple(targets), calendars={"c": made}, **more)


def hours(number: float) -> BusinessDuration:
    return BusinessDuration(time=number * HOUR)


def days(number: int) -> BusinessDuration:
    return BusinessDuration(days=number)


def due_at(contract: Contract, opened: str, *pauses: str) -> datetime:
    found = due(contract, "P1", "resolve", at(opened), [pause(one) for one in pauses])
    assert found is not None
    return found.at


# The worked examples --------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-2")
@pytest.mark.rule("CAL-3")
@pytest.mark.rule("CAL-4")
@pytest.mark.rule("CAL-6")
@pytest.mark.rule("SLA-1")
@pytest.mark.rule("SLA-2")
@pytest.mark.rule("SLA-3")
@pytest.mark.parametrize(
    ("target", "opened", "falls_due"),
    [
        ("anomalies P1 resolve", "2026-05-29 18:30", "2026-05-30 10:30"),
        ("anomalies P1 resolve", "2026-05-30 16:30", "2026-06-01 10:30"),
        ("anomalies P3 resolve", "2026-07-08 11:00", "2026-07-17 11:00"),  # 14 July closed
        ("silver P1 resolve", "2026-05-07 17:00", "2026-05-11 11:00"),  # 8 May closed
        ("gold P1 resolve", "2026-03-29 01:30", "2026-03-29 04:30"),  # clocks go forward
        ("bronze P1 ack", "2026-06-01 07:00", "2026-06-01 10:00"),
        ("anomalies P2 resolve", "2026-05-29 18:00", "2026-06-01 18:00"),  # Saturday is an opening day
    ],
)
def test_the_worked_examples(target, opened, falls_due):
    name, priority, clock = target.split()
    found = due(BUILT_IN[name], priority, clock, at(opened))
    assert found is not None
    assert found.at == at(falls_due)


@pytest.mark.rule("CAL-6")
def test_the_worked_example_of_a_pause():
    found = due(
        BUILT_IN["silver"], "P1", "resolve", at("2026-06-01 09:00"), [pause("2026-06-01 10:00/2026-06-01 15:00")]
    )
    assert found is not None
    assert found.at == at("2026-06-01 18:00")
    assert found.counted == (pause("2026-06-01 09:00/2026-06-01 10:00"), pause("2026-06-01 15:00/2026-06-01 18:00"))


# Which target ---------------------------------------------------------------------------------------------------------

TABLES = {
    "gold": {"ack": "15m 15m 15m 15m", "resolve": "2h 4h 8h 8h"},
    "silver": {"ack": "30m 30m 30m 30m", "resolve": "4h 8h 2d 2d"},
    "bronze": {"ack": "60m 60m 60m 60m", "resolve": "8h 2d 5d 5d"},
    "anomalies": {"ack": "60m 60m 60m 60m", "workaround": "2h 2h - -", "resolve": "2h 2d 6d 6d"},
}
CALENDAR_OF = {
    "gold": "always always always always",
    "silver": "business business business business",
    "bronze": "business business business business",
    "anomalies": "extended extended business business",
}


def allowed(text: str) -> BusinessDuration | None:
    if text == "-":
        return None
    count, unit = int(text[:-1]), text[-1]
    return (
        BusinessDuration(days=count)
        if unit == "d"
        else BusinessDuration(time={"h": HOUR, "m": HOUR / 60}[unit] * count)
    )


@pytest.mark.rule("SLA-1")
@pytest.mark.rule("SLA-2")
@pytest.mark.rule("SLA-3")
@pytest.mark.rule("CAL-3")
@pytest.mark.parametrize("name", TABLES)
def test_the_built_in_contracts_promise_what_the_documents_say(name):
    for clock in CLOCKS:
        found = [BUILT_IN[name].target(clock, priority) for priority in PRIORITIES]
        promised = [target and target.allowed for target in found]
        assert promised == [allowed(one) for one in TABLES[name].get(clock, "- - - -").split()], clock
        if all(found):
            assert [target and target.calendar for target in found] == CALENDAR_OF[name].split()


def test_a_contract_that_names_p4_anywhere_has_no_other_for_it():
    three = promise(hours(1), priorities=("P1", "P2", "P3"))
    assert three.target("resolve", "P4") == three.target("resolve", "P3")
    workaround = Target(clock="workaround", priority="P4", allowed=hours(1), calendar="c")
    four = msgspec.structs.replace(three, targets=(*three.targets, workaround))
    assert four.target("resolve", "P4") is None


def test_without_a_target_nothing_falls_due():
    assert due(BUILT_IN["gold"], "P1", "workaround", at("2026-06-01 09:00")) is None


def test_a_contract_comes_back_from_an_event_as_it_was():
    for name in TABLES:
        contract = BUILT_IN[name]
        assert msgspec.json.decode(msgspec.json.encode(contract), type=Contract) == contract


# Pauses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-6")
@pytest.mark.parametrize(
    ("target", "pauses", "falls_due"),
    [
        (hours(4), ["2026-06-01 10:00/2026-06-01 12:00"], "2026-06-01 15:00"),
        (hours(4), ["2026-06-01 12:59/2026-06-01 13:30"], "2026-06-01 13:31"),
        (hours(4), ["2026-06-01 13:00/2026-06-01 15:00"], "2026-06-01 13:00"),  # starts at the due time
        (hours(4), ["2026-06-01 15:00/2026-06-01 16:00"], "2026-06-01 13:00"),  # starts after it
        (hours(4), ["2026-05-29 10:00/2026-06-01 10:00"], "2026-06-01 14:00"),  # counts from the opening
        (hours(4), ["2026-05-28 10:00/2026-05-29 10:00"], "2026-06-01 13:00"),  # over before it
        (hours(4), ["2026-06-01 10:00/2026-06-02 09:00"], "2026-06-02 12:00"),
        (hours(4), ["2026-06-01 10:00/2026-06-01 10:00"], "2026-06-01 13:00"),
        # One pause moves the due time behind the start of the next; overlapping ones count once, in any order.
        (hours(4), ["2026-06-01 13:30/2026-06-01 14:30", "2026-06-01 12:00/2026-06-01 13:00"], "2026-06-01 15:00"),
        (hours(4), ["2026-06-01 10:00/2026-06-01 12:00", "2026-06-01 11:00/2026-06-01 11:30"], "2026-06-01 15:00"),
        (hours(4), ["2026-06-01 10:00/2026-06-01 12:00", "2026-06-01 11:00/2026-06-01 13:00"], "2026-06-01 16:00"),
        # Two days from Monday 09:00 are 20 hours of open time.
        (days(2), ["2026-06-01 10:00/2026-06-01 12:00"], "2026-06-03 11:00"),
        (days(2), ["2026-06-01 10:00/2026-06-02 10:00"], "2026-06-03 19:00"),
        (days(2), ["2026-06-01 20:00/2026-06-02 08:00"], "2026-06-03 09:00"),  # nobody was there anyway
        (days(2), ["2026-06-03 09:00/2026-06-03 12:00"], "2026-06-03 09:00"),
    ],
)
def test_a_pause_leaves_what_was_left(target, pauses, falls_due):
    assert due_at(promise(target), "2026-06-01 09:00", *pauses) == at(falls_due)


@pytest.mark.rule("CAL-6")
def test_a_target_in_days_is_measured_once_from_its_start_to_its_unpaused_due_time():
    # From Friday 18:00 one day lasts until Saturday 17:00, its closing: 1 h and 8 h.
    assert due_at(promise(days(1)), "2026-05-29 18:00") == at("2026-05-30 17:00")
    assert due_at(promise(days(1)), "2026-05-29 18:00", "2026-05-29 18:30/2026-05-30 09:00") == at("2026-06-01 09:30")


@pytest.mark.rule("CAL-6")
def test_a_day_due_at_a_later_opening_keeps_that_time_when_no_open_time_was_paused():
    late = promise(days(1), calendar(d2026_06_02="13:00-19:00"))
    assert due_at(late, "2026-06-01 10:00") == at("2026-06-02 13:00")
    assert due_at(late, "2026-06-01 10:00", "2026-06-01 19:00/2026-06-02 13:30") == at("2026-06-02 13:00")
    assert due_at(late, "2026-06-01 10:00", "2026-06-01 18:00/2026-06-01 19:00") == at("2026-06-02 14:00")


def test_a_pause_moves_only_the_clocks_that_the_contract_lets_stand_still():
    waiting = [pause("2026-06-01 09:00/2026-06-01 12:00")]
    opened = at("2026-06-01 09:00")
    ack = due(BUILT_IN["silver"], "P1", "ack", opened, waiting)
    assert ack is not None
    assert (ack.at, ack.pauses) == (at("2026-06-01 09:30"), ())
    all_stop = msgspec.structs.replace(BUILT_IN["silver"], pending_stops=CLOCKS)
    stopped = due(all_stop, "P1", "ack", opened, waiting)
    assert stopped is not None
    assert stopped.at == at("2026-06-01 12:30")


# Fractions and the arithmetic -----------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-6")
@pytest.mark.parametrize(
    ("target", "percent", "reached"),
    [
        (hours(4), 50, "2026-06-01 11:00"),
        (hours(4), 80, "2026-06-01 12:12"),
        (hours(20), 50, "2026-06-01 19:00"),  # used up at closing
        (days(2), 50, "2026-06-01 19:00"),  # of 20 hours
        (days(2), 80, "2026-06-02 15:00"),
        (days(2), 100, "2026-06-03 09:00"),
    ],
)
def test_a_fraction_is_one_of_open_time(target, percent, reached):
    found = due(promise(target), "P1", "resolve", at("2026-06-01 09:00"))
    assert found is not None
    assert found.reached(percent) == at(reached)


@pytest.mark.rule("CAL-6")
def test_a_pause_moves_only_the_fractions_that_were_not_reached():
    found = due(
        promise(hours(4)), "P1", "resolve", at("2026-06-01 09:00"), [pause("2026-06-01 11:30/2026-06-01 14:30")]
    )
    assert found is not None
    assert [found.reached(percent) for percent in (50, 80, 100)] == [
        at("2026-06-01 11:00"), at("2026-06-01 15:12"), at("2026-06-01 16:00"),
    ]  # fmt: skip


def test_the_days_that_were_closed_are_named():
    found = due(BUILT_IN["silver"], "P1", "resolve", at("2026-05-07 17:00"))
    assert found is not None
    assert [(str(one.day), one.why) for one in found.skipped] == [("2026-05-08", "holiday")]


MOMENTS = st.datetimes(datetime(2026, 5, 1), datetime(2026, 6, 30), timezones=st.just(at("2026-06-01 00:00").tzinfo))  # noqa: DTZ001
PAUSES = st.lists(st.tuples(MOMENTS, MOMENTS).map(lambda pair: Period(*sorted(pair))), max_size=4)
TARGETS = st.one_of(st.integers(1, 60).map(hours), st.integers(1, 8).map(days))


def watched(business: BusinessTime, opened: datetime, end: datetime, pauses: list[Period]) -> timedelta:
    """Return the open time from one instant to another that lies in no pause, cut at every edge there is."""
    edges = sorted({opened, end, *(edge for one in pauses for edge in one if opened < edge < end)})
    parts = pairwise(edges)
    free = (part for part in parts if not any(one.begins_at <= part[0] < one.ends_at for one in pauses))
    return sum((business.between(*part) for part in free), timedelta(0))


@pytest.mark.rule("CAL-6")
@settings(max_examples=150, deadline=None)
@given(TARGETS, st.sampled_from([OFFICE, ALWAYS]), MOMENTS, PAUSES, st.integers(1, 100))
def test_pauses_aside_the_time_until_due_is_always_the_targets(target, made, opened, pauses, percent):
    found = due(promise(target, made), "P1", "resolve", opened, pauses)
    assert found is not None
    business = business_time(made)
    assert watched(business, opened, found.at, pauses) == found.time
    assert sum((period.ends_at - period.begins_at for period in found.counted), timedelta(0)) == found.time
    reached = found.reached(percent)
    assert reached <= found.at
    assert abs(watched(business, opened, reached, pauses) - found.time * percent / 100) <= timedelta(microseconds=1)


@pytest.mark.rule("CAL-6")
@settings(max_examples=100, deadline=None)
@given(TARGETS, MOMENTS, PAUSES, MOMENTS, MOMENTS)
def test_one_more_pause_is_never_due_earlier_and_a_late_one_changes_nothing(target, opened, pauses, one, two):
    before = due(promise(target), "P1", "resolve", opened, pauses)
    more = Period(*sorted((one, two)))
    after = due(promise(target), "P1", "resolve", opened, [more, *pauses])
    assert before is not None
    assert after is not None
    assert after.at >= before.at
    if more.begins_at >= before.at:
        assert after.at == before.at
