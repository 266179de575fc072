"""Opening days: when an incident closes by itself. Working hours and holidays come in as plain facts."""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SATURDAY = 5


def closing_by(resolved_at: datetime, opening_days: int, timezone: str, closed: Container[date]) -> datetime:
    """Return the same local time on the n-th opening day after a resolution, in UTC (rule LIF-7, counted as CAL-4).

    Opening days are Monday to Friday without those in ``closed``. A resolution on another day counts from the next
    opening, which is midnight. A local time that does not exist is the first that does after it; of one that comes
    twice, the first.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.
    """
    assert opening_days >= 0, "nothing closes before it is resolved"
    zone = ZoneInfo(timezone)
    local = resolved_at.astimezone(zone)
    day, hour = local.date(), local.time()
    if opening_days == 0:
        return resolved_at.astimezone(UTC)
    if not _open(day, closed):
        day, hour = _next_open(day, closed), time()
    for _ in range(opening_days):
        day = _next_open(day, closed)
    return _instant(datetime.combine(day, hour), zone)


def _open(day: date, closed: Container[date]) -> bool:
    return day.weekday() < SATURDAY and day not in closed


def _next_open(day: date, closed: Container[date]) -> date:
    day += timedelta(days=1)
    while not _open(day, closed):
        day += timedelta(days=1)
    return day


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return when a wall clock first shows a time, or jumps over it."""
    first = local.replace(tzinfo=zone, fold=0)
    moment = first.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    # In a gap, fold=0 counts with the offset before it: the wall clock then shows a time after the gap. The gap's own
    # end is where the two offsets meet.
    after = local.replace(tzinfo=zone, fold=1)
    before_offset, after_offset = first.utcoffset(), after.utcoffset()
    assert before_offset is not None, "the zone knows its offset"
    assert after_offset is not None, "the zone knows its offset"
    return _jump(moment - abs(before_offset - after_offset), moment, zone)


def _jump(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Return the first moment of the new offset between two moments, to the second."""
    new = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        low, high = (low, middle) if middle.astimezone(zone).utcoffset() == new else (middle, high)
    return high.replace(microsecond=0)
