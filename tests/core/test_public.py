"""What customers are shown: worked by hand, on days that are hard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core.change import Change
from sentinel.core.public import Known, Page, news_of, page_of, worst
from sentinel.core.public_wanted import Wanted
from sentinel.core.report.model import Subject

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
WANTED = Wanted(name="p", title="P", path="/status/p", services=("campus",))
MINUTE = timedelta(minutes=1)


def change(**more: object) -> Change:
    given_: dict[str, object] = {
        "number": "CHG-1", "phase": "announced", "title": "Update", "services": ("campus", "secret"),
        "begins_at": NOW + 60 * MINUTE, "ends_at": NOW + 120 * MINUTE, "announce_at": NOW - MINUTE,
        "planned_at": NOW - 2 * MINUTE, "announced_at": NOW - MINUTE,
    }  # fmt: skip
    return Change(**given_ | more)  # type: ignore[arg-type]


def page(*changes: Change, known_from: datetime | None = NOW - timedelta(days=30), zone: str = "Europe/Paris") -> Page:
    subjects = {"campus": Subject(service="campus", name="Campus")}
    known = Known(told=(), changes=changes, subjects=subjects, known_from=known_from, timezone=zone)
    return page_of(WANTED, known, NOW)


def test_days_before_the_watching_began_are_not_called_good():
    days = page(known_from=NOW - timedelta(days=2)).services[0].days
    assert len(days) == 90
    assert [day.standing for day in days[-4:]] == ["unknown", "ok", "ok", "ok"]
    assert page(known_from=None).services[0].percent is None


@given(st.integers(0, 365 * 24 * 60).map(lambda minutes: NOW + minutes * MINUTE))
def test_there_are_always_ninety_days_and_the_last_is_today_also_when_clocks_change(now):
    subjects = {"campus": Subject(service="campus", name="Campus")}
    known = Known(told=(), changes=(), subjects=subjects, known_from=now - timedelta(days=200), timezone="Europe/Paris")
    days = page_of(WANTED, known, now).services[0].days
    assert len({day.day for day in days}) == 90
    assert {day.standing for day in days[1:]} == {"ok"}


@pytest.mark.rule("CHG-6")
@pytest.mark.parametrize(
    ("more", "phase", "heard"),
    [
        ({}, "announced", ["announced"]),
        ({"announced_at": None, "phase": "planned"}, None, []),
        ({"announced_at": None, "phase": "cancelled", "ended_at": NOW}, None, []),
        ({"phase": "under_way", "began_at": NOW}, "under_way", ["begun", "announced"]),
        ({"phase": "under_way", "began_at": NOW - MINUTE, "overran_at": NOW, "ends_at": NOW}, "late", None),
        ({"phase": "finished", "began_at": NOW - MINUTE, "ended_at": NOW}, "finished", None),
        ({"phase": "cancelled", "ended_at": NOW, "why": "CANARY"}, "cancelled", ["cancelled", "announced"]),
        ({"phase": "refused", "why": "CANARY"}, None, []),
    ],
)
def test_customers_hear_of_a_change_from_its_announcement_on(more, phase, heard):
    made = page(change(**more))
    works = (*made.planned, *made.done)
    assert [work.phase for work in works] == ([phase] if phase else [])
    assert "secret" not in repr(works)
    assert "CANARY" not in repr(works)
    if heard is not None:
        assert [one.what for one in news_of(made)] == heard


def test_a_service_under_change_is_under_maintenance_and_what_is_broken_is_worse():
    made = page(change(phase="under_way", began_at=NOW - MINUTE, begins_at=NOW - MINUTE))
    assert (made.services[0].standing, made.standing) == ("maintenance", "maintenance")
    assert made.services[0].days[-1].standing == "maintenance"
    assert worst(["ok", "maintenance", "down", "degraded"]) == "down"
    assert worst([]) == "ok"
