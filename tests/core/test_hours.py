"""Which ladder is in force when, and until when: rules ESC-2 and ESC-3."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from sentinel.core import hours
from sentinel.core.business import business_time
from sentinel.core.calendar import ALWAYS as NEVER_CLOSES
from sentinel.core.model import LadderHours, Watch
from tests.core.calendars import at, calendar, daily
from tests.core.watches import ALWAYS, BUSINESS, HNO, HO

SATURDAY = LadderHours(name="Sat", during="inside", calendar="extended")
OUTSIDE = LadderHours(name="out", during="outside", calendar="business")
CALENDARS = {
    "business": business_time(BUSINESS),
    "extended": business_time(calendar(saturday="09:00-17:00")),
    "always": business_time(NEVER_CLOSES),
}


def watch(
    moment: datetime, *ladders: LadderHours, contract: str = "", pages: bool = True
) -> tuple[str, bool, bool, datetime | None]:
    found = hours.watch(ladders, hours.Agreed(CALENDARS, CALENDARS.get(contract), pages=pages), moment)
    return found.ladder, found.out_of_hours, found.gated, found.until


@pytest.mark.rule("ESC-3")
@pytest.mark.parametrize(
    ("moment", "ladder", "until"),
    [
        ("2026-11-23 08:59", "HNO", "2026-11-23 09:00"),
        ("2026-11-23 09:00", "HO", "2026-11-23 19:00"),
        ("2026-11-23 18:59", "HO", "2026-11-23 19:00"),
        ("2026-11-23 19:00", "HNO", "2026-11-24 09:00"),
        ("2026-11-27 19:00", "HNO", "2026-11-30 09:00"),  # a week-end
    ],
)
def test_business_hours_hold_their_first_minute_and_not_their_last(moment, ladder, until):
    assert watch(at(moment), HO, HNO) == (ladder, ladder == "HNO", False, at(until))


@pytest.mark.rule("ESC-3")
def test_the_first_ladder_whose_hours_hold_is_in_force():
    ladders = (HO, SATURDAY, HNO)
    assert watch(at("2026-11-23 10:00"), *ladders)[0] == "HO"
    assert watch(at("2026-11-28 10:00"), *ladders) == ("Sat", False, False, at("2026-11-28 17:00"))
    assert watch(at("2026-11-28 18:00"), *ladders) == ("HNO", True, False, at("2026-11-30 09:00"))


@pytest.mark.rule("ESC-2")
def test_a_ladder_outside_a_calendar_is_out_of_hours_and_gates_what_does_not_page_then():
    ladders = (OUTSIDE, LadderHours(name="in", during="inside", calendar="business"))
    assert watch(at("2026-11-23 20:00"), *ladders, pages=False) == ("out", True, True, at("2026-11-24 09:00"))
    assert watch(at("2026-11-24 09:00"), *ladders, pages=False) == ("in", False, False, at("2026-11-24 19:00"))


@pytest.mark.rule("ESC-2")
def test_one_ladder_for_always_has_the_hours_of_the_contract_and_without_one_none():
    evening = at("2026-11-23 20:00")
    assert watch(evening, ALWAYS, contract="business", pages=False) == ("always", True, True, at("2026-11-24 09:00"))
    assert watch(evening, ALWAYS, contract="business") == ("always", True, False, at("2026-11-24 09:00"))
    assert watch(evening, ALWAYS, pages=False) == ("always", False, False, None)
    assert watch(evening, contract="business", pages=False) == ("", True, True, at("2026-11-24 09:00"))
    assert watch(evening, contract="always", pages=False) == ("", False, False, None)


@pytest.mark.rule("ESC-3")
@pytest.mark.parametrize(
    ("moment", "until", "length"),
    [
        ("2026-03-28 22:00", "2026-03-29 06:00", 7),  # the clocks go forward: an hour less
        ("2026-10-24 22:00", "2026-10-25 06:00", 9),  # and back: an hour more
    ],
)
def test_a_night_in_which_the_clocks_change_ends_at_the_same_local_time(moment, until, length):
    nights = {"business": business_time(daily("06:00-22:00"))}
    found = hours.watch((HO, HNO), hours.Agreed(nights), at(moment))
    assert found == Watch(ladder="HNO", out_of_hours=True, until=at(until))
    assert found.until - at(moment).astimezone(found.until.tzinfo) == timedelta(hours=length)


def test_a_calendar_that_never_closes_is_not_searched_for_its_closing():
    inside = LadderHours(name="in", during="inside", calendar="always")
    assert watch(at("2026-11-23 20:00"), inside, HNO) == ("in", False, False, None)


def test_a_calendar_that_is_known_no_more_leaves_the_last_ladder_in_force_and_never_nobody():
    gone = LadderHours(name="gone", during="inside", calendar="winter")
    assert watch(at("2026-11-23 10:00"), gone, HNO)[0] == "HNO"
    assert watch(at("2026-11-23 10:00"), gone)[0] == "gone"


def test_openings_and_closings_that_change_nothing_are_passed_over():
    inner = LadderHours(name="all day", during="inside", calendar="extended")
    again = LadderHours(name="never reached", during="inside", calendar="business")
    assert watch(at("2026-11-28 08:00"), inner, again, HNO)[3] == at("2026-11-28 09:00")
    assert watch(at("2026-11-28 10:00"), inner, again, HNO)[3] == at("2026-11-28 17:00")


def test_after_the_years_that_calendars_know_nothing_changes_any_more():
    assert watch(at("2099-12-31 20:00"), HO, HNO)[3] is None
