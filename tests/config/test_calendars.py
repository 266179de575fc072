"""What is written under `calendars` is when somebody is there."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from sentinel.config.calendars import Calendars
from sentinel.core.calendar import Hours
from tests.core.calendars import at

PROBE = 'probes:\n  web: {type: tcp, target: "web1.example.org:443"}\n'
OFFICE = (Hours(540, 1140),)


@pytest.fixture
def calendar(write):
    """Write one calendar, and return it."""

    def written(text, site="{}"):
        return write(f"site: {site}\ncalendars:\n  mine: {text}\n{PROBE}").setup.calendars["mine"]

    return written


@pytest.mark.rule("CAL-1")
def test_a_week_is_written_by_days_and_ranges_of_days(calendar):
    week = calendar("{hours: {mon-wed: 09:00-19:00, fri: [14:00-24:00, 08:00-12:00], sat-sun: '00:00-24:00'}}").week
    split, whole = (Hours(480, 720), Hours(840, 1440)), (Hours(0, 1440),)
    assert week == (OFFICE, OFFICE, OFFICE, (), split, whole, whole)


@pytest.mark.parametrize("weekdays", ["sat-mon", "SAT-Mon"])
def test_a_range_of_days_may_go_over_sunday(calendar, weekdays):
    week = calendar(f"{{hours: {{{weekdays}: 09:00-19:00}}}}").week
    assert week == (OFFICE, (), (), (), (), OFFICE, OFFICE)


@pytest.mark.rule("CAL-1")
def test_the_time_zone_is_the_sites_unless_named(calendar):
    assert calendar("{hours: {mon: 09:00-19:00}}", site="{timezone: Asia/Tokyo}").timezone == "Asia/Tokyo"
    named = "{hours: {mon: 09:00-19:00}, timezone: America/New_York}"
    assert calendar(named, site="{timezone: Asia/Tokyo}").timezone == "America/New_York"


@pytest.mark.rule("CAL-1")
def test_there_are_no_holidays_unless_a_country_is_named(calendar):
    assert calendar("{hours: {mon: 09:00-19:00}}", site="{country: FR}").holidays == ()
    french = calendar("{hours: {mon: 09:00-19:00}, holidays: FR}").holidays
    assert {day for day in french if day.year == 2026} == {
        date(2026, 1, 1), date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 8), date(2026, 5, 14), date(2026, 5, 25),
        date(2026, 7, 14), date(2026, 8, 15), date(2026, 11, 1), date(2026, 11, 11), date(2026, 12, 25),
    }  # fmt: skip


@pytest.mark.rule("CAL-1")
def test_a_region_has_holidays_of_its_own(calendar):
    moselle = calendar("{hours: {mon: 09:00-19:00}, holidays: FR-57}").holidays
    assert {date(2026, 4, 3), date(2026, 12, 26)} <= set(moselle)


@pytest.mark.rule("CAL-1")
def test_dated_exceptions_close_and_open(write):
    text = "{hours: {mon-fri: 09:00-19:00}, closed: [2026-12-31, 2026-12-24], open: {2026-12-27: 10:00-16:00}}"
    business = write(f"calendars:\n  mine: {text}\n{PROBE}").setup.calendars.time("mine")
    assert business.calendar.closed == (date(2026, 12, 24), date(2026, 12, 31))
    assert business.add(at("2026-12-23 18:00"), timedelta(hours=12)) == at("2026-12-27 11:00"), (
        "25 December is open here"
    )


@pytest.mark.rule("CAL-2")
def test_three_calendars_are_there_without_being_written():
    calendars = Calendars({})
    assert calendars.names == {"always", "business", "extended"}
    business, extended = calendars["business"], calendars["extended"]
    assert business.week == (*(OFFICE,) * 5, (), ())
    assert extended.week == (*(OFFICE,) * 5, (Hours(540, 1020),), ())
    assert business.timezone == extended.timezone == "Europe/Paris"
    assert date(2026, 7, 14) in business.holidays
    assert business.holidays == extended.holidays
    assert calendars.time("always").between(at("2026-06-01 00:00"), at("2026-06-08 00:00")) == timedelta(days=7)


@pytest.mark.parametrize(
    ("site", "timezone", "holiday"),
    [
        ("{}", "Europe/Paris", date(2026, 7, 14)),
        ("{timezone: Europe/Paris}", "Europe/Paris", date(2026, 7, 14)),
        ("{timezone: Europe/Berlin, country: DE}", "Europe/Berlin", date(2026, 10, 3)),
        ("{timezone: Asia/Tokyo}", "Asia/Tokyo", None),
    ],
)
def test_the_built_in_calendars_are_at_home_where_the_site_is(write, site, timezone, holiday):
    business = write(f"site: {site}\n{PROBE}").setup.calendars["business"]
    assert business.timezone == timezone
    assert holiday in business.holidays if holiday else business.holidays == ()


@pytest.mark.rule("CAL-2")
def test_a_calendar_of_the_same_name_takes_the_place_of_a_built_in_one(write):
    loaded = write(f"calendars:\n  business: {{hours: {{mon-thu: 08:00-16:00}}}}\n{PROBE}")
    assert loaded.setup.calendars["business"].week[4] == ()
    assert loaded.setup.calendars["business"].holidays == ()
    assert loaded.setup.contracts["silver"].calendars["business"].week[4] == ()
    # It also says what business days are when a resolved incident waits for its closing.
    assert loaded.setup.close_by(at("2026-06-03 15:00")) == at("2026-06-08 15:00")


def test_holidays_have_names():
    calendars = Calendars({})
    assert calendars.holiday_names("business")[date(2026, 12, 25)] == "Christmas Day"
    assert calendars.holiday_names("always") == {}
