"""A second opinion on business time: it walks from day to day with a pencil, and knows nothing of the real one.

Good for openings that are not around a change of the clocks, and for durations in minutes and hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sentinel.core.calendar import Calendar

DAY = timedelta(days=1)
DAYS_MAX = 400
Span = tuple[datetime, datetime]


@lru_cache(20_000)
def openings(calendar: Calendar, day: date) -> tuple[Span, ...]:
    """Return what is open on a local day, in UTC."""
    if day in calendar.holidays or day in calendar.closed:
        return ()
    zone = ZoneInfo(calendar.timezone)
    midnight = datetime.combine(day, time(), UTC).replace(tzinfo=None)
    found = []
    for hour in calendar.week[day.weekday()]:
        edges = (midnight + timedelta(minutes=minute) for minute in (hour.opens_minute, hour.closes_minute))
        begin, end = (edge.replace(tzinfo=zone).astimezone(UTC) for edge in edges)
        found.append((begin, end))
    return tuple(found)


def spans(calendar: Calendar, start: datetime) -> Iterator[Span]:
    """Yield what is open from an instant on."""
    day = start.astimezone(ZoneInfo(calendar.timezone)).date()
    for _ in range(DAYS_MAX):
        for begin, end in openings(calendar, day):
            if end > start:
                yield max(begin, start), end
        day += DAY
    raise AssertionError("it hardly ever opens")


def used_up(calendar: Calendar, start: datetime, length: timedelta, pauses: Iterable[Span] = ()) -> datetime:
    """Return when so much open time outside the pauses has passed."""
    off = sorted(pauses)
    left = length
    for begin, end in spans(calendar, start):
        for part_begin, part_end in outside(begin, end, off):
            if part_end - part_begin >= left:
                return part_begin + left
            left -= part_end - part_begin
    raise AssertionError("spans never end")


def outside(begin: datetime, end: datetime, off: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts of a span that lie in no pause; pauses in order."""
    for pause_begin, pause_end in off:
        if pause_end <= begin or pause_begin >= end:
            continue
        if pause_begin > begin:
            yield begin, pause_begin
        begin = max(begin, pause_end)
    if begin < end:
        yield begin, end


def is_open(calendar: Calendar, at: datetime) -> bool:
    day = at.astimezone(ZoneInfo(calendar.timezone)).date()
    return any(begin <= at < end for begin, end in openings(calendar, day))


def same_time_later(calendar: Calendar, start: datetime, days: int) -> datetime:
    """Return the same local time on the n-th following opening day, kept within its hours."""
    zone = ZoneInfo(calendar.timezone)
    begin = next(spans(calendar, start))[0].astimezone(zone)
    day, left = begin.date(), days
    while left:
        day += DAY
        left -= bool(openings(calendar, day))
    wanted = datetime.combine(day, begin.time(), zone).astimezone(UTC)
    parts = openings(calendar, day)
    return min(max(wanted, parts[0][0]), parts[-1][1])
