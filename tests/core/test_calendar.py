"""When an incident closes by itself: opening days over week ends, holidays and clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from sentinel.core.calendar import closing_by

PARIS = ZoneInfo("Europe/Paris")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.rule("LIF-7")
@pytest.mark.parametrize(
    ("resolved", "days", "closes"),
    [
        ("2026-06-01 09:30", 2, "2026-06-03 09:30"),  # Monday to Wednesday
        ("2026-05-28 18:30", 2, "2026-06-01 18:30"),  # Thursday, over the week end
        ("2026-07-13 11:00", 2, "2026-07-16 11:00"),  # 14 July is closed
        ("2026-05-30 15:00", 2, "2026-06-03 00:00"),  # Saturday: Monday and Tuesday are to pass
        ("2026-07-14 15:00", 1, "2026-07-16 00:00"),  # on a holiday: Wednesday is to pass
        ("2026-06-01 23:59", 1, "2026-06-02 23:59"),
        ("2026-12-31 12:00", 1, "2027-01-01 12:00"),  # 1 January is not in this list
        ("2026-06-01 09:30", 0, "2026-06-01 09:30"),
    ],
)
def test_an_incident_closes_at_the_same_local_time_on_the_nth_opening_day(resolved, days, closes):
    assert closing_by(local(resolved), days, "Europe/Paris", frozenset({date(2026, 7, 14)})) == local(closes)


def test_the_local_time_is_kept_when_the_clocks_change():
    friday = datetime(2026, 3, 27, 8, 0, tzinfo=UTC)  # 09:00 in Paris
    assert closing_by(friday, 1, "Europe/Paris", frozenset()) == datetime(2026, 3, 30, 7, 0, tzinfo=UTC)


def test_a_local_time_that_does_not_exist_is_the_first_one_after_it():
    # In Cairo the clocks go forward at midnight at the start of Friday 2026-04-24.
    thursday = datetime(2026, 4, 23, 0, 30, tzinfo=ZoneInfo("Africa/Cairo"))
    closes = closing_by(thursday, 1, "Africa/Cairo", frozenset())
    assert closes == datetime(2026, 4, 23, 22, 0, tzinfo=UTC)
    assert closes.astimezone(ZoneInfo("Africa/Cairo")).hour == 1


def test_of_a_local_time_that_comes_twice_the_first_one_counts():
    # In Cairo the clocks go back at midnight at the end of Thursday 2026-10-29: 23:30 comes twice.
    wednesday = datetime(2026, 10, 28, 23, 30, tzinfo=ZoneInfo("Africa/Cairo"))
    assert closing_by(wednesday, 1, "Africa/Cairo", frozenset()) == datetime(2026, 10, 29, 20, 30, tzinfo=UTC)


def test_the_answer_is_in_utc():
    assert closing_by(local("2026-06-01 09:30"), 2, "Europe/Paris", frozenset()).tzinfo is UTC
