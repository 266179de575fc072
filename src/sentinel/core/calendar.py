"""What a calendar is: a time zone, weekly hours, holidays, exceptions (rule CAL-1). Plain data, fit for events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import ceil, floor
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

DAY_MINUTES: Final = 24 * 60
WEEK_DAYS: Final = 7


class Hours(msgspec.Struct, frozen=True, array_like=True):
    """One opening, in minutes of the local day: it holds its first minute, not its last. 1440 is the end of the day."""

    opens_minute: int
    closes_minute: int

    def __post_init__(self) -> None:
        """Refuse what is no part of a day."""
        if not 0 <= self.opens_minute < self.closes_minute <= DAY_MINUTES:
            raise ValueError("an opening begins before it ends, within one day")


class OpenDay(msgspec.Struct, frozen=True, array_like=True):
    """A date with hours of its own, whatever the week and the holidays say."""

    day: date
    hours: tuple[Hours, ...]


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """When somebody is there. ``week`` holds the hours of Monday to Sunday, in order and without overlap.

    ``open`` wins over ``closed`` and ``holidays``, and these over the week. Dates are local to ``timezone``; they are
    kept in order, so that the same calendar always reads the same.
    """

    timezone: str
    week: tuple[tuple[Hours, ...], ...]
    holidays: tuple[date, ...] = ()
    closed: tuple[date, ...] = ()
    open: tuple[OpenDay, ...] = ()

    def __post_init__(self) -> None:
        """Refuse hours that nobody could count."""
        if len(self.week) != WEEK_DAYS:
            raise ValueError("a week has seven days")
        for hours in (*self.week, *(special.hours for special in self.open)):
            if any(later.opens_minute < earlier.closes_minute for earlier, later in pairwise(hours)):
                raise ValueError("the openings of a day follow each other")

    def __hash__(self) -> int:
        # Equal calendars have equal hashes; thousands of holidays need not be looked at for that.
        return hash((self.timezone, self.week, len(self.holidays), len(self.closed), len(self.open)))

    def during(self, first: date, last: date) -> Calendar:
        """Return the calendar with the holidays and exceptions of a time only: short enough for an event."""
        return msgspec.structs.replace(
            self,
            holidays=tuple(day for day in self.holidays if first <= day <= last),
            closed=tuple(day for day in self.closed if first <= day <= last),
            open=tuple(special for special in self.open if first <= special.day <= last),
        )


# In UTC no day is longer than another: one day is 24 hours (rule CAL-4).
ALWAYS: Final = Calendar(timezone="UTC", week=((Hours(0, DAY_MINUTES),),) * WEEK_DAYS)


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """Return when the wall clock of a zone first shows a naive local time, or jumps over it, in UTC (rule CAL-4)."""
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if late >= early:
        return early  # Shown once, or twice, of which fold=0 is the first.
    # The time does not exist: read with the offset after the jump it lies before it, with the one before it after it.
    return _jump(late, early, zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first second of the offset that holds at the later of two moments."""
    new = after.astimezone(zone).utcoffset()
    low, high = floor(before.timestamp()), ceil(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, zone).utcoffset() == new
        low, high = (low, middle) if same else (middle, high)
    return datetime.fromtimestamp(high, UTC)


def shown_at(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return what the wall clock of a zone shows, as a naive local time."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def minute_of(day: date, minute: int) -> datetime:
    """Return a minute of a local day as a naive local time; the last one is the first of the next day."""
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001  local on purpose
