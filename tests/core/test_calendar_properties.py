"""Business time against a clock-watcher that looks at every minute, and the laws that adding and measuring keep."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.core.business import BusinessTime, Period, business_time
from sentinel.core.calendar import ALWAYS, Calendar, Hours, OpenDay
from tests.core.calendars import CLOSED, MINUTE, Watcher, at, calendar, changes, daily

ZONES = [
    "Europe/Paris", "Europe/Dublin", "America/New_York", "America/Havana", "America/Santiago",
    "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Chatham",
]  # fmt: skip
MINUTES = st.integers(1, 24 * 60)
# Hours that begin, end, lie or break where clocks change: around midnight, and from one to four in the night.
SHAPES = [
    ("00:00-24:00",),
    ("00:00-06:00", "22:00-24:00"),
    ("00:30-01:30", "02:15-02:45", "02:50-04:00"),
]


@st.composite
def openings(draw: st.DrawFn) -> tuple[Hours, ...]:
    """Up to three openings of a day, by the quarter of an hour."""
    edges = draw(st.lists(st.integers(0, 96), max_size=6, unique=True).map(sorted))
    return tuple(Hours(opens * 15, closes * 15) for opens, closes in zip(edges[::2], edges[1::2], strict=False))


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar that opens every week, and an instant near the days that are special in it."""
    start = draw(st.datetimes(datetime(2024, 1, 8), datetime(2040, 12, 1)))  # noqa: DTZ001
    near = st.integers(0, 14).map(lambda days: start.date() + timedelta(days=days))
    week = draw(st.lists(openings(), min_size=7, max_size=7).filter(any))
    special = draw(st.dictionaries(near, openings(), max_size=2))
    made = Calendar(
        timezone=draw(st.sampled_from(ZONES)),
        week=tuple(week),
        holidays=tuple(sorted(draw(st.sets(near, max_size=3)))),
        closed=tuple(sorted(draw(st.sets(near, max_size=1)))),
        open=tuple(OpenDay(day, hours) for day, hours in sorted(special.items())),
    )
    return made, start.replace(tzinfo=UTC)


CALENDARS = calendars()
# Laws hold at any microsecond, over months; these calendars are built once.
KEPT = [
    ALWAYS,
    calendar(saturday="09:00-17:00", closed="2026-05-01 2026-05-08 2026-05-14", d2026_05_17="10:00-16:00"),
    *(daily(*shape, timezone=zone) for zone in ZONES[::3] for shape in SHAPES),
]
BUSINESS = st.sampled_from(KEPT).map(business_time)
INSTANTS = st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30), timezones=st.just(UTC))  # noqa: DTZ001
TIMES = st.timedeltas(timedelta(0), timedelta(days=60))


# Against the watcher --------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-1")
@pytest.mark.rule("CAL-4")
@settings(max_examples=15, deadline=None)
@given(CALENDARS, MINUTES)
def test_open_time_is_what_a_clock_watcher_counts(drawn, minutes):
    made, start = drawn
    start = start.replace(second=0, microsecond=0)
    watcher, business = Watcher(made, start, days=15), BusinessTime(made)
    end = start + timedelta(days=15)
    assert business.periods(start, end) == watcher.periods()
    there = business.between(start, end)
    assert there == watcher.between(start, end)
    if there >= minutes * MINUTE:
        assert business.add(start, minutes * MINUTE) == watcher.add(start, minutes)


@pytest.mark.rule("CAL-4")
@settings(max_examples=15, deadline=None)
@given(CALENDARS, st.integers(1, 4))
def test_opening_days_are_what_a_clock_watcher_counts(drawn, days):
    made, start = drawn
    start = start.replace(second=0, microsecond=0)
    watcher = Watcher(made, start, days=23)
    counted = {shown.date() for _, shown, is_open in watcher.minutes if is_open}
    # The last day that was watched was not watched to its end.
    if len(counted) > days + 2:
        assert BusinessTime(made).add_days(start, days) == watcher.add_days(start, days)


@pytest.mark.fault(52)
@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
@pytest.mark.parametrize("zone", ZONES)
def test_every_clock_change_from_2024_to_2040_is_counted_as_it_passes(zone, shape):
    made = daily(*shape, timezone=zone)
    business = BusinessTime(made)
    found = changes(zone, 2024, 2040)
    assert len(found) >= 17
    for change in found:
        start, half_a_day = change - timedelta(hours=8), timedelta(hours=12)
        watcher = Watcher(made, start, days=0.5)
        assert business.periods(start, start + half_a_day) == watcher.periods(), f"{zone} at {change}"


@pytest.mark.rule("CAL-4")
@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize("zone", ZONES)
def test_a_day_later_is_the_same_local_time_over_every_clock_change_from_2024_to_2040(zone):
    made = daily("00:00-24:00", timezone=zone)
    business = BusinessTime(made)
    for number, change in enumerate(changes(zone, 2024, 2040)):
        start = change - timedelta(hours=30, minutes=17 * number % 1440)
        assert business.add_days(start, 1) == Watcher(made, start, days=2.5).add_days(start, 1), f"{zone} at {change}"


# Laws -----------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-4")
@settings(max_examples=150, deadline=None)
@given(BUSINESS, INSTANTS, TIMES)
def test_what_was_added_is_what_is_measured(business, start, time):
    assert business.between(start, business.add(start, time)) == time


@pytest.mark.rule("CAL-4")
@settings(max_examples=150, deadline=None)
@given(BUSINESS, INSTANTS, TIMES)
def test_a_due_time_is_the_earliest_instant_at_which_the_time_is_used_up(business, start, time):
    due = business.add(start, time)
    if time:
        assert business.between(start, due - timedelta(microseconds=1)) < time
    else:
        assert due == start


@settings(max_examples=150, deadline=None)
@given(BUSINESS, INSTANTS, TIMES, TIMES)
def test_adding_in_two_steps_is_adding_at_once(business, start, first, second):
    assert business.add(business.add(start, first), second) == business.add(start, first + second)


@settings(max_examples=150, deadline=None)
@given(BUSINESS, INSTANTS, INSTANTS, TIMES, TIMES)
def test_later_or_longer_is_never_due_earlier(business, one, other, time, more):
    early, late = sorted((one, other))
    assert business.add(early, time) <= business.add(late, time)
    assert business.add(early, time) <= business.add(early, time + more)
    assert business.add_days(early, 3) <= business.add_days(late, 3)
    assert business.add_days(early, 3) <= business.add_days(early, 4)


@settings(max_examples=150, deadline=None)
@given(BUSINESS, INSTANTS, INSTANTS, INSTANTS)
def test_measured_in_two_parts_is_measured_at_once(business, one, middle, other):
    assert business.between(one, middle) + business.between(middle, other) == business.between(one, other)
    assert business.between(one, other) == -business.between(other, one)


@settings(max_examples=100, deadline=None)
@given(BUSINESS, INSTANTS, INSTANTS)
def test_what_is_measured_is_the_length_of_what_is_open(business, one, other):
    start, end = sorted((one, other))
    periods = business.periods(start, end)
    assert sum((period.ends_at - period.begins_at for period in periods), timedelta(0)) == business.between(start, end)
    edges = [edge for period in periods for edge in period]
    assert edges == sorted(set(edges))
    assert all(business.is_open(period.begins_at) for period in periods)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(KEPT), st.lists(st.integers(2000, 2060), min_size=1, max_size=4))
def test_what_was_asked_before_changes_no_answer(made, years):
    used = BusinessTime(made)
    for year in years:
        start = datetime(year, 6, 5, 12, 34, tzinfo=UTC)
        assert used.add(start, timedelta(hours=500)) == BusinessTime(made).add(start, timedelta(hours=500))


def test_the_watcher_itself_counts_a_day_that_is_known():
    watcher = Watcher(calendar(closed="2026-05-08"), at("2026-05-07 17:00"), days=5)
    assert watcher.add(at("2026-05-07 17:00"), 240) == at("2026-05-11 11:00")
    assert watcher.add_days(at("2026-05-07 17:00"), 1) == at("2026-05-11 17:00")
    assert watcher.periods()[0] == Period(at("2026-05-07 17:00"), at("2026-05-07 19:00"))
    assert watcher.hours_on(date(2026, 5, 8)) == CLOSED
