"""Business time: what is open, how open time adds up, and what opening days are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from sentinel.core.business import BusinessDuration, BusinessTime, OutOfCalendar, Period, Skipped, business_time
from sentinel.core.calendar import ALWAYS, Calendar, Hours, instant_of
from tests.core.calendars import CLOSED, at, calendar, daily, hours

CAIRO = ZoneInfo("Africa/Cairo")
HOUR = timedelta(hours=1)

OFFICE = BusinessTime(calendar())
SATURDAYS = BusinessTime(calendar(saturday="09:00-17:00"))
TWO_SHIFTS = BusinessTime(
    Calendar(timezone="Europe/Paris", week=(hours("08:00-12:00", "14:00-24:00"),) * 5 + (CLOSED,) * 2)
)


def shown(text: str) -> datetime:
    """Read what a wall clock shows."""
    return datetime.fromisoformat(text)


# Open time ------------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-4")
@pytest.mark.parametrize(
    ("start", "time", "due"),
    [
        ("2026-06-01 09:00", 4 * HOUR, "2026-06-01 13:00"),
        ("2026-06-01 07:00", 4 * HOUR, "2026-06-01 13:00"),  # before the opening
        ("2026-06-01 17:00", 4 * HOUR, "2026-06-02 11:00"),  # overnight
        ("2026-05-29 18:30", HOUR, "2026-06-01 09:30"),  # over the week end
        ("2026-05-29 18:00", HOUR, "2026-05-29 19:00"),  # used up exactly at closing, not at the next opening
        ("2026-05-29 19:00", HOUR, "2026-06-01 10:00"),  # a start at closing counts from the next opening
        ("2026-05-29 18:59:59.5", HOUR, "2026-06-01 09:59:59.5"),
        ("2026-05-30 12:00", HOUR, "2026-06-01 10:00"),
        ("2026-06-01 09:00", 50 * HOUR, "2026-06-05 19:00"),  # a whole week, to its last minute
        ("2026-06-01 09:00", 5000 * HOUR, "2028-04-28 19:00"),  # a hundred weeks of it
    ],
)
def test_a_duration_in_hours_is_open_time(start, time, due):
    assert OFFICE.add(at(start), time) == at(due)


@pytest.mark.rule("CAL-1")
@pytest.mark.parametrize(
    ("start", "time", "due"),
    [
        ("2026-06-01 11:00", 2 * HOUR, "2026-06-01 15:00"),
        ("2026-06-01 12:00", HOUR, "2026-06-01 15:00"),
        ("2026-06-01 23:00", HOUR, "2026-06-02 00:00"),  # 24:00 is the end of the day
        ("2026-06-01 23:00", 2 * HOUR, "2026-06-02 09:00"),
    ],
)
def test_a_day_may_open_several_times_and_until_midnight(start, time, due):
    assert TWO_SHIFTS.add(at(start), time) == at(due)


@pytest.mark.rule("CAL-1")
def test_hours_are_those_of_the_calendars_own_time_zone():
    tokyo = BusinessTime(calendar(timezone="Asia/Tokyo"))
    assert tokyo.add(at("2026-06-01 00:00"), HOUR) == at("2026-06-01 03:00"), "09:00 in Tokyo is 02:00 in Paris"


@pytest.mark.rule("CAL-1")
def test_a_holiday_does_not_open_and_a_dated_opening_does_even_on_a_holiday():
    business = BusinessTime(
        calendar(closed="2026-12-25 2026-12-28", d2026_12_27="10:00-16:00", d2026_12_28="09:00-10:00")
    )
    start = at("2026-12-24 18:00")
    assert business.add(start, HOUR + timedelta(minutes=30)) == at("2026-12-27 10:30"), "a Sunday"
    assert business.add(start, 8 * HOUR) == at("2026-12-28 10:00")
    assert business.add(start, 9 * HOUR) == at("2026-12-29 10:00")


@pytest.mark.rule("CAL-1")
def test_a_dated_opening_takes_the_place_of_the_weeks_hours():
    business = BusinessTime(calendar(d2026_06_01="12:00-13:00"))
    assert business.periods(at("2026-06-01 00:00"), at("2026-06-02 10:00")) == [
        Period(at("2026-06-01 12:00"), at("2026-06-01 13:00")),
        Period(at("2026-06-02 09:00"), at("2026-06-02 10:00")),
    ]


def test_a_closed_day_counts_like_a_holiday():
    closed = msgspec.structs.replace(calendar(), closed=(date(2026, 6, 2),))
    assert BusinessTime(closed).add(at("2026-06-01 18:00"), 2 * HOUR) == at("2026-06-03 10:00")


@pytest.mark.rule("CAL-4")
def test_an_interval_holds_its_opening_minute_and_not_its_closing_one():
    assert OFFICE.is_open(at("2026-06-01 09:00"))
    assert OFFICE.is_open(at("2026-06-01 18:59:59.999999"))
    assert not OFFICE.is_open(at("2026-06-01 19:00"))
    assert not OFFICE.is_open(at("2026-06-01 08:59:59.999999"))


def test_the_next_opening_and_closing_are_found():
    assert OFFICE.opening(at("2026-05-29 19:00")) == at("2026-06-01 09:00")
    assert OFFICE.opening(at("2026-06-01 12:00")) == at("2026-06-01 12:00")
    assert OFFICE.closing(at("2026-05-29 19:00")) == at("2026-06-01 19:00")
    assert OFFICE.closing(at("2026-06-01 12:00")) == at("2026-06-01 19:00")
    nights = BusinessTime(daily("00:00-06:00", "22:00-24:00"))
    assert nights.closing(at("2026-12-31 23:00")) == at("2027-01-01 06:00"), "midnight, new year's too, closes nothing"


def test_no_time_passes_at_once():
    saturday = at("2026-05-30 12:00")
    assert OFFICE.add(saturday, timedelta(0)) == OFFICE.add_days(saturday, 0) == saturday


def test_answers_are_in_utc():
    start = at("2026-06-01 09:00")
    instants = [
        OFFICE.add(start, HOUR),
        OFFICE.add(start, timedelta(0)),
        OFFICE.add_days(start, 1),
        OFFICE.opening(start),
    ]
    assert all(instant.tzinfo is UTC for instant in instants)


def test_what_a_holiday_or_an_exception_takes_away_is_named():
    may = msgspec.structs.replace(calendar(closed="2026-05-08 2026-05-09"), closed=(date(2026, 5, 11),))
    skipped = BusinessTime(may).skipped(at("2026-05-07 17:00"), at("2026-05-12 11:00"))
    assert skipped == [Skipped(date(2026, 5, 8), "holiday"), Skipped(date(2026, 5, 11), "closed")], (
        "Saturday never opens"
    )


# Opening days ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-4")
@pytest.mark.parametrize(
    ("start", "days", "due"),
    [
        ("2026-06-01 11:00", 1, "2026-06-02 11:00"),
        ("2026-05-29 11:00", 1, "2026-05-30 11:00"),  # Saturday opens
        ("2026-05-29 18:00", 1, "2026-05-30 17:00"),  # and closes earlier
        ("2026-05-29 18:00", 2, "2026-06-01 18:00"),
        ("2026-05-29 19:00", 1, "2026-06-01 09:00"),  # from Saturday's opening
        ("2026-05-31 12:00", 2, "2026-06-03 09:00"),  # from Monday's opening
        ("2026-06-01 09:00", 6, "2026-06-08 09:00"),
        ("2026-05-30 16:59:59", 5, "2026-06-05 16:59:59"),
    ],
)
def test_a_duration_in_days_ends_at_the_same_time_of_a_following_opening_day(start, days, due):
    assert SATURDAYS.add_days(at(start), days) == at(due)


@pytest.mark.rule("CAL-4")
def test_a_day_that_opens_later_is_due_at_its_opening():
    late = BusinessTime(calendar(d2026_06_02="13:00-15:00"))
    assert late.add_days(at("2026-06-01 10:00"), 1) == at("2026-06-02 13:00")
    assert late.add_days(at("2026-06-01 16:00"), 1) == at("2026-06-02 15:00")


def test_a_time_in_the_break_of_a_day_stays_that_time():
    split = BusinessTime(calendar(d2026_06_01="09:00-19:00", weekdays="08:00-12:00"))
    assert split.add_days(at("2026-06-01 15:00"), 1) == at("2026-06-02 12:00")
    both = BusinessTime(
        Calendar(timezone="Europe/Paris", week=(hours("08:00-18:00"), *(hours("08:00-12:00", "14:00-18:00"),) * 6))
    )
    assert both.add_days(at("2026-06-01 13:00"), 1) == at("2026-06-02 13:00")


@pytest.mark.rule("CAL-4")
@pytest.mark.rule("CAL-2")
def test_on_always_a_day_is_24_hours_also_when_the_clocks_change():
    always = BusinessTime(ALWAYS)
    saturday = at("2026-03-28 12:00")
    assert always.add_days(saturday, 1) == at("2026-03-29 13:00")
    assert always.add(at("2026-03-29 01:30"), 2 * HOUR) == at("2026-03-29 04:30")


def test_either_kind_of_duration_is_added():
    start = at("2026-05-29 18:00")
    assert OFFICE.after(start, BusinessDuration(days=1)) == at("2026-06-01 18:00")
    assert OFFICE.after(start, BusinessDuration(time=24 * HOUR)) == at("2026-06-03 12:00")


@pytest.mark.rule("CAL-4")
@pytest.mark.parametrize("kinds", [{"time": HOUR, "days": 1}, {}, {"time": -HOUR}, {"days": -1}])
def test_a_duration_is_open_time_or_opening_days_and_never_both(kinds):
    with pytest.raises(ValueError, match="open time or opening days"):
        BusinessDuration(**kinds)


# Clock changes --------------------------------------------------------------------------------------------------------


@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)])
def test_an_opening_over_a_clock_change_has_its_true_length(day, length):
    whole = BusinessTime(daily("00:00-24:00"))
    start = at(f"{day} 00:00")
    following = instant_of(datetime.combine(start.date() + timedelta(days=1), datetime.min.time()), whole.zone)
    assert whole.between(start, following) == length * HOUR
    assert whole.add(start, length * HOUR) == following


@pytest.mark.rule("CAL-4")
@pytest.mark.rule("CAL-5")
def test_hours_that_do_not_exist_open_at_the_first_moment_after_them_and_those_that_come_twice_at_the_first():
    night = BusinessTime(daily("02:30-05:00"))
    assert night.opening(at("2026-03-29 00:00")) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "03:00 in Paris"
    assert night.between(at("2026-03-29 00:00"), at("2026-03-29 12:00")) == 2 * HOUR
    assert night.opening(at("2026-10-25 00:00")) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "the first 02:30"
    assert night.between(at("2026-10-25 00:00"), at("2026-10-25 12:00")) == timedelta(hours=3, minutes=30)


def test_a_day_whose_hours_are_all_skipped_is_no_opening_day():
    skipped = BusinessTime(daily("02:10-02:50"))
    assert skipped.add_days(at("2026-03-28 02:20"), 1) == at("2026-03-30 02:20")


@pytest.mark.rule("CAL-4")
@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize(
    ("zone", "start", "due"),
    [
        # In Paris 02:30 does not exist on 29 March and comes twice on 25 October.
        ("Europe/Paris", "2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00"),
        ("Europe/Paris", "2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00"),
        ("Europe/Paris", "2026-10-25T02:30+01:00", "2026-10-26T02:30+01:00"),
        ("Europe/Paris", "2026-03-28T09:00+01:00", "2026-03-29T09:00+02:00"),
        # In Cairo the clocks go forward at midnight at the start of Friday 2026-04-24, ...
        ("Africa/Cairo", "2026-04-23T00:30+02:00", "2026-04-24T01:00+03:00"),
        # ... and back at midnight at the end of Thursday 2026-10-29: 23:30 comes twice.
        ("Africa/Cairo", "2026-10-28T23:30+03:00", "2026-10-29T23:30+03:00"),
    ],
)
def test_a_day_later_means_the_same_local_time_when_the_clocks_change(zone, start, due):
    whole = BusinessTime(daily("00:00-24:00", timezone=zone))
    assert whole.add_days(datetime.fromisoformat(start), 1) == datetime.fromisoformat(due)


def test_a_time_that_does_not_exist_is_the_end_of_the_jump_to_the_microsecond():
    jump = datetime(2026, 4, 23, 22, 0, tzinfo=UTC)
    assert instant_of(shown("2026-04-24 00:59:59.999999"), CAIRO) == jump
    assert instant_of(shown("2026-04-24 01:00:00.000001"), CAIRO) == jump + timedelta(microseconds=1)


def test_a_date_that_a_country_skipped_takes_no_time():
    samoa = ZoneInfo("Pacific/Apia")  # There was no 30 December 2011.
    new_day = datetime(2011, 12, 30, 10, 0, tzinfo=UTC)
    assert [instant_of(shown(f"2011-12-30 {hour}:00"), samoa) for hour in ("00", "12")] == [new_day, new_day]
    whole = BusinessTime(daily("00:00-24:00", timezone="Pacific/Apia"))
    assert whole.between(new_day - HOUR, new_day + HOUR) == 2 * HOUR


# Limits, and calendars as data ----------------------------------------------------------------------------------------


def test_the_years_that_calendars_know_end():
    with pytest.raises(OutOfCalendar, match="2000 to 2099, not 1999"):
        OFFICE.add(at("1999-12-31 12:00"), HOUR)
    with pytest.raises(OutOfCalendar, match="not 2100"):
        OFFICE.between(at("2099-12-31 12:00"), at("2100-01-01 12:00"))
    with pytest.raises(OutOfCalendar, match="beyond the year 2099"):
        BusinessTime(calendar()).add(at("2099-12-31 12:00"), 100 * HOUR)
    with pytest.raises(OutOfCalendar, match="beyond the year 2099"):
        BusinessTime(calendar()).add_days(at("2099-12-30 12:00"), 5)


def test_a_calendar_that_never_opens_gives_up_at_the_end_of_all_years():
    never = BusinessTime(Calendar(timezone="UTC", week=(CLOSED,) * 7))
    assert not never.is_open(at("2026-06-01 12:00"))
    with pytest.raises(OutOfCalendar):
        never.add(at("2026-06-01 12:00"), HOUR)


def test_the_order_of_questions_does_not_change_the_answers():
    late_first, early_first = BusinessTime(calendar()), BusinessTime(calendar())
    questions = [at("2040-06-01 12:00"), at("2009-06-01 12:00"), at("2026-06-01 12:00")]
    forward = [late_first.add(question, 30 * HOUR) for question in questions]
    assert forward == [early_first.add(question, 30 * HOUR) for question in reversed(questions)][::-1]
    assert late_first.between(questions[1], questions[0]) == early_first.between(questions[1], questions[0])


def test_a_calendar_comes_back_from_an_event_as_it_was():
    stored = calendar("08:00-12:00", "10:00-11:00", closed="2026-05-08 2026-07-14", d2026_12_27="10:00-16:00")
    again = msgspec.json.decode(msgspec.json.encode(stored), type=Calendar)
    assert again == stored
    assert business_time(again) is business_time(stored), "equal calendars are built once"
    assert business_time(calendar()) is not business_time(stored)


def test_a_calendar_is_cut_to_the_days_that_an_event_needs():
    whole = calendar(closed="2025-05-08 2026-05-08 2027-05-08", d2025_06_01="10:00-11:00", d2026_12_27="10:00-16:00")
    cut = whole.during(date(2026, 1, 1), date(2026, 12, 31))
    assert cut.holidays == (date(2026, 5, 8),)
    assert [special.day for special in cut.open] == [date(2026, 12, 27)]


@pytest.mark.parametrize(("opens", "closes"), [(600, 600), (700, 600), (-1, 60), (0, 1441)])
def test_an_opening_lies_within_one_day(opens, closes):
    with pytest.raises(ValueError, match="within one day"):
        Hours(opens, closes)


def test_a_week_has_seven_days_whose_openings_follow_each_other():
    with pytest.raises(ValueError, match="seven days"):
        Calendar(timezone="UTC", week=(CLOSED,) * 6)
    with pytest.raises(ValueError, match="follow each other"):
        daily("08:00-12:00", "11:00-14:00")
    assert BusinessTime(daily("08:00-12:00", "12:00-14:00")).closing(at("2026-06-01 09:00")) == at("2026-06-01 14:00")
