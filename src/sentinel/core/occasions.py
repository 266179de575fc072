"""When something that happens again and again is due: daily, weekly, monthly; and the period that is over then."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.business import Period
from sentinel.core.calendar import instant_of, shown_at

WEEK_DAYS = 7
LAST_DAY = 31
DAY = timedelta(days=1)
# No two occasions are further apart: the 31st comes once a month, where it does not exist the last day stands for it.
BACK_MAX_DAYS = 62

Often = Literal["daily", "weekly", "monthly"]


class Every(msgspec.Struct, frozen=True, kw_only=True):
    """Each day, each ``weekday`` (Monday is 0), or once a month: on the ``nth`` weekday, or on the ``day``.

    ``nth`` counts from 1, and from the end when it is -1. A month that has no such ``day`` has it on its last. A local
    time that does not exist is the first that does after it, and of one that comes twice the first counts (CAL-4).
    """

    often: Often
    weekday: int = 0
    nth: int = 0
    day: int = 0
    at: time = time(7)

    def on(self, day: date) -> bool:
        """Tell whether it happens on a local day."""
        match self.often:
            case "daily":
                return True
            case "weekly":
                return day.weekday() == self.weekday
        following = (day + DAY).month != day.month
        if self.day:
            return day.day == self.day or (following and day.day < self.day)
        if day.weekday() != self.weekday:
            return False
        if self.nth < 0:
            return (day + WEEK_DAYS * DAY).month != day.month
        return (day.day - 1) // WEEK_DAYS + 1 == self.nth


def last(every: Every, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the newest occasion that is not in the future, in UTC."""
    today = shown_at(now, zone).date()
    for back in range(-1, BACK_MAX_DAYS):
        day = today - back * DAY
        if every.on(day) and (at := instant_of(datetime.combine(day, every.at), zone)) <= now:
            return at
    raise AssertionError("something that happens every month has happened in the last two")


def covered(every: Every, at: datetime, zone: ZoneInfo) -> Period:
    """Return the local time that was over at an occasion: the day before, the week, the month."""
    today = shown_at(at, zone).date()
    match every.often:
        case "daily":
            return days(today - DAY, today - DAY, zone)
        case "weekly":
            monday = today - today.weekday() * DAY
            return days(monday - WEEK_DAYS * DAY, monday - DAY, zone)
    return month(today.replace(day=1) - DAY, zone)


def days(first: date, final: date, zone: ZoneInfo) -> Period:
    """Return the time from the beginning of a local day to the end of another."""
    return Period(_midnight(first, zone), _midnight(final + DAY, zone))


def month(day: date, zone: ZoneInfo) -> Period:
    """Return the local month that a day lies in."""
    first = day.replace(day=1)
    return Period(_midnight(first, zone), _midnight((first + LAST_DAY * DAY).replace(day=1), zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant_of(datetime.combine(day, time()), zone)
