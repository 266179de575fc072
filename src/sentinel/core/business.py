"""Business time: open time added and measured in a calendar (rules CAL-4 and CAL-5).

The openings of some years are built once, in UTC and in order, with the open time before each: time-zone changes are
settled then, and any length costs two binary searches afterwards. Years are added when they are asked for. Instants and
lengths are kept as what callers give and get: turning them into numbers and back would take longer than the searching.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.calendar import Calendar, Hours, instant_of, minute_of, shown_at

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2099
YEARS_AHEAD: Final = 2
CALENDARS_MAX: Final = 256  # built ones that are kept

NO_TIME: Final = timedelta(0)
DAY: Final = timedelta(days=1)
BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)


class OutOfCalendar(ValueError):  # noqa: N818  it says what is asked for, as LookupError does
    """The answer lies outside the years that calendars know: 2000 to 2099. Or the calendar hardly ever opens."""


class BusinessDuration(msgspec.Struct, frozen=True):
    """So much open time, or so many opening days: one of them, never both (rule CAL-4)."""

    time: timedelta = timedelta(0)
    days: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be counted."""
        if self.time < timedelta(0) or self.days < 0 or bool(self.time) == bool(self.days):
            raise ValueError("a duration is open time or opening days, and more than nothing")


class Period(NamedTuple):
    """A time without a break, its end not included."""

    begins_at: datetime
    ends_at: datetime


class Skipped(NamedTuple):
    """A day on which the week opens, but not this time."""

    day: date
    why: Literal["holiday", "closed"]


@dataclass(slots=True)
class _Built:
    """The openings of some years, from ``first`` to ``last``, in order and apart.

    ``before`` is the open time before each opening. Of each opening day, ``opens`` and ``closes`` are its first and
    last moment, ``midnights`` when it begins, or None when its clocks change.
    """

    years: range
    first: datetime
    last: datetime
    total: timedelta = NO_TIME
    starts: list[datetime] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)
    before: list[timedelta] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    opens: list[datetime] = field(default_factory=list)
    closes: list[datetime] = field(default_factory=list)
    midnights: list[datetime | None] = field(default_factory=list)

    def measure(self, at: datetime) -> timedelta:
        """Return the open time before an instant."""
        number = bisect_right(self.starts, at) - 1
        if number < 0:
            return NO_TIME
        end = self.ends[number]
        return self.before[number] + ((at if at < end else end) - self.starts[number])

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant is open."""
        number = bisect_right(self.starts, at) - 1
        return number >= 0 and at < self.ends[number]

    def used_up(self, time: timedelta) -> datetime:
        """Return the earliest instant before which so much is open; more than nothing, and at most ``total``."""
        number = bisect_left(self.before, time) - 1
        return self.starts[number] + (time - self.before[number])


class BusinessTime:
    """Adds and measures the open time of one calendar. Asking in any order gives the same answers."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.zone = ZoneInfo(calendar.timezone)
        self._special = {special.day: special.hours for special in calendar.open}
        self._holidays = frozenset(calendar.holidays)
        self._shut = self._holidays.union(calendar.closed)
        self._built = _Built(range(0), BEGINNING, BEGINNING)

    # ------------------------------------------------------------------------------------------------------- questions

    def add(self, at: datetime, time: timedelta) -> datetime:
        """Return the earliest instant at which so much open time has passed since ``at``, in UTC; none passes at once.

        Raises:
            OutOfCalendar: it lies beyond the years that calendars know.
        """
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC)
        if time <= NO_TIME:
            assert time == NO_TIME, "time is added, never taken off"
            return at
        built = self._built
        if not built.first <= at < built.last:
            built = self._around(at)
        while (used := built.measure(at) + time) > built.total:
            built = self._further()
        return built.used_up(used)

    def add_days(self, at: datetime, days: int) -> datetime:
        """Return the same local time on the n-th following opening day, kept within that day's hours, in UTC.

        From outside the hours it counts from the next opening. No days pass at once.

        Raises:
            OutOfCalendar: it lies beyond the years that calendars know.
        """
        assert days >= 0, "days are added, never taken off"
        if not days:
            return at.astimezone(UTC)
        begun = self.opening(at)
        built = self._built
        while (wanted := (number := bisect_right(built.opens, begun) - 1) + days) >= len(built.opens):
            built = self._further()
        midnight, later = built.midnights[number], built.midnights[wanted]
        if midnight is None or later is None:
            due = self._same_time(begun, built.days[wanted])
        else:
            due = later + (begun - midnight)
        opens, closes = built.opens[wanted], built.closes[wanted]
        return opens if due < opens else closes if due > closes else due

    def after(self, at: datetime, duration: BusinessDuration) -> datetime:
        """Return when a duration of either kind has passed since ``at``, in UTC.

        Raises:
            OutOfCalendar: it lies beyond the years that calendars know.
        """
        return self.add_days(at, duration.days) if duration.days else self.add(at, duration.time)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the open time from one instant to another; negative when the other is the earlier.

        Raises:
            OutOfCalendar: one lies outside the years that calendars know.
        """
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        self._around(start)
        built = self._around(end)  # It holds both: years are never forgotten.
        return built.measure(end) - built.measure(start)

    def is_open(self, at: datetime) -> bool:
        """Tell whether the calendar is open at an instant."""
        at = at.astimezone(UTC)
        return self._around(at).holds(at)

    def opening(self, at: datetime) -> datetime:
        """Return the instant itself when it is open, otherwise the next opening, in UTC.

        Raises:
            OutOfCalendar: it lies beyond the years that calendars know.
        """
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC)
        built = self._built
        if not built.first <= at < built.last:
            built = self._around(at)
        if built.holds(at):
            return at
        while (number := bisect_right(built.starts, at)) >= len(built.starts):
            built = self._further()
        return built.starts[number]

    def closing(self, at: datetime) -> datetime:
        """Return when the opening ends that holds an instant, or the next one, in UTC.

        Raises:
            OutOfCalendar: it lies beyond the years that calendars know, as on a calendar that never closes.
        """
        begun = self.opening(at)
        built = self._built
        while built.ends[number := bisect_right(built.starts, begun) - 1] == built.last:
            built = self._further()  # The next year may go on without a break.
        return built.ends[number]

    def periods(self, start: datetime, end: datetime) -> list[Period]:
        """Return what is open from one instant to another, in UTC and in order.

        Raises:
            OutOfCalendar: one lies outside the years that calendars know.
        """
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if end <= start:
            return []
        self._around(start)
        built = self._around(end)
        first, last = max(bisect_right(built.starts, start) - 1, 0), bisect_left(built.starts, end)
        openings = zip(built.starts[first:last], built.ends[first:last], strict=True)
        return [Period(max(opens, start), min(closes, end)) for opens, closes in openings if closes > start]

    def skipped(self, start: datetime, end: datetime) -> list[Skipped]:
        """Return the days between two instants on which the week would open, but a holiday or exception closes."""
        first, last = (shown_at(at, self.zone).toordinal() for at in (start, end))
        days = map(date.fromordinal, range(first, last + 1))
        return [
            Skipped(day, "holiday" if day in self._holidays else "closed")
            for day in days
            if self.calendar.week[day.weekday()] and not self._hours(day)
        ]

    # ------------------------------------------------------------------------------------------------------ building it

    def _same_time(self, at: datetime, day: date) -> datetime:
        """Return the local time of an instant on another day."""
        return instant_of(datetime.combine(day, shown_at(at, self.zone).time()), self.zone)

    def _around(self, at: datetime) -> _Built:
        """Return the openings, those around an instant among them."""
        built = self._built
        if built.first <= at < built.last:
            return built
        year = shown_at(at, self.zone).year
        if not FIRST_YEAR <= year <= LAST_YEAR:
            raise OutOfCalendar(f"calendars know the years {FIRST_YEAR} to {LAST_YEAR}, not {year}")
        years = built.years or range(year, year)
        if year < years.start:
            return self._keep(range(year, years.stop))
        return self._keep(range(years.start, max(year, years.stop + len(years)) + YEARS_AHEAD))

    def _further(self) -> _Built:
        """Return the openings of twice as many years."""
        years = self._built.years
        if years.stop > LAST_YEAR:
            raise OutOfCalendar(f"that lies beyond the year {LAST_YEAR}, where calendars end")
        return self._keep(range(years.start, years.stop + len(years)))

    def _keep(self, years: range) -> _Built:
        self._built = self._build(range(years.start, min(years.stop, LAST_YEAR + 1)))
        return self._built

    def _build(self, years: range) -> _Built:
        first = midnight = self._at(date(years.start, 1, 1), 0)
        built = _Built(years, first, first)
        for ordinal in range(date(years.start, 1, 1).toordinal(), date(years.stop, 1, 1).toordinal()):
            day, begun = date.fromordinal(ordinal), midnight
            midnight = self._at(date.fromordinal(ordinal + 1), 0)
            plain = begun if midnight - begun == DAY else None
            openings = list(self._openings(day, plain))
            if openings:
                built.days.append(day)
                built.opens.append(openings[0][0])
                built.closes.append(openings[-1][1])
                built.midnights.append(plain)
                _join(built, openings)
        for start, end in zip(built.starts, built.ends, strict=True):
            built.before.append(built.total)
            built.total += end - start
        built.last = midnight
        return built

    def _hours(self, day: date) -> tuple[Hours, ...]:
        special = self._special.get(day)
        if special is not None:
            return special
        return () if day in self._shut else self.calendar.week[day.weekday()]

    def _openings(self, day: date, midnight: datetime | None) -> Iterator[tuple[datetime, datetime]]:
        """Yield the openings of a day that last; ``midnight`` is None when its clocks change."""
        for hours in self._hours(day):
            opens, closes = hours.opens_minute, hours.closes_minute
            if midnight is not None:
                yield midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes)
            elif (start := self._at(day, opens)) < (end := self._at(day, closes)):
                yield start, end

    def _at(self, day: date, minute: int) -> datetime:
        return instant_of(minute_of(day, minute), self.zone)


def _join(built: _Built, openings: list[tuple[datetime, datetime]]) -> None:
    """Put openings behind the others; one that begins where the last one ends makes it longer."""
    for start, end in openings:
        if built.ends and built.ends[-1] == start:
            built.ends[-1] = end
        else:
            built.starts.append(start)
            built.ends.append(end)


@lru_cache(CALENDARS_MAX)
def business_time(calendar: Calendar) -> BusinessTime:
    """Return the business time of a calendar, built only once for equal ones."""
    return BusinessTime(calendar)
