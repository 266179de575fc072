"""When a report is due, and which time was over then."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel.core import occasions
from sentinel.core.occasions import Every
from tests.core.calendars import at

pytestmark = pytest.mark.rule("SLA-8")

PARIS = ZoneInfo("Europe/Paris")
FIRST_MONDAY = Every(often="monthly", weekday=0, nth=1)


@pytest.mark.parametrize(
    ("every", "now", "last"),
    [
        (FIRST_MONDAY, "2026-12-07 07:00", "2026-12-07 07:00"),
        (FIRST_MONDAY, "2026-12-07 06:59", "2026-11-02 07:00"),
        (FIRST_MONDAY, "2026-12-31 12:00", "2026-12-07 07:00"),
        (Every(often="monthly", weekday=4, nth=-1), "2026-12-01 00:00", "2026-11-27 07:00"),
        (Every(often="monthly", weekday=0, nth=4), "2026-11-30 12:00", "2026-11-23 07:00"),
        (Every(often="monthly", day=31), "2026-12-01 00:00", "2026-11-30 07:00"),
        (Every(often="monthly", day=29), "2026-03-01 00:00", "2026-02-28 07:00"),
        (Every(often="monthly", day=1, at=time(0)), "2026-12-01 00:00", "2026-12-01 00:00"),
        (Every(often="weekly", weekday=4), "2026-11-21 12:00", "2026-11-20 07:00"),
        (Every(often="daily"), "2026-11-21 06:00", "2026-11-20 07:00"),
        (Every(often="daily", at=time(2, 30)), "2026-03-29 12:00", "2026-03-29 03:00"),  # 2:30 does not exist.
    ],
)
def test_the_newest_occasion(every: Every, now: str, last: str):
    assert occasions.last(every, at(now), PARIS) == at(last)


@pytest.mark.parametrize(
    ("every", "moment", "begin", "end"),
    [
        (FIRST_MONDAY, "2026-12-07 07:00", "2026-11-01 00:00", "2026-12-01 00:00"),
        (Every(often="monthly", day=31), "2026-01-31 07:00", "2025-12-01 00:00", "2026-01-01 00:00"),
        (Every(often="weekly", weekday=4), "2026-11-20 07:00", "2026-11-09 00:00", "2026-11-16 00:00"),
        (Every(often="daily"), "2026-03-30 07:00", "2026-03-29 00:00", "2026-03-30 00:00"),
    ],
)
def test_the_time_that_is_over_at_an_occasion(every: Every, moment: str, begin: str, end: str):
    assert occasions.covered(every, at(moment), PARIS) == (at(begin), at(end))


@given(
    st.sampled_from(
        [FIRST_MONDAY, Every(often="monthly", day=30), Every(often="weekly", weekday=6), Every(often="daily")]
    ),
    st.dates(date(2020, 1, 1), date(2040, 1, 1)),
)
def test_every_time_is_covered_once_and_none_is_left_out(every: Every, day: date):
    now = datetime.combine(day, time(12), PARIS)
    last = occasions.last(every, now, PARIS)
    before = occasions.last(every, last - timedelta(seconds=1), PARIS)
    assert before < last <= now
    assert occasions.covered(every, before, PARIS).ends_at == occasions.covered(every, last, PARIS).begins_at
