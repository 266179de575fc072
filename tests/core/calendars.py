"""Calendars to count in, and a second opinion: a slow clock-watcher that looks at every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sentinel.core.business import Period
from sentinel.core.calendar import Calendar, Hours, OpenDay

PARIS = ZoneInfo("Europe/Paris")
MINUTE = timedelta(minutes=1)
CLOSED: tuple[Hours, ...] = ()


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """Read a local time that exists once."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def hours(*openings: str) -> tuple[Hours, ...]:
    """Read `09:00-19:00`."""
    return tuple(Hours(*(int(time[:2]) * 60 + int(time[3:]) for time in opening.split("-"))) for opening in openings)


def calendar(
    weekdays: str = "09:00-19:00",
    saturday: str = "",
    *,
    timezone: str = "Europe/Paris",
    closed: str = "",
    **special: str,
) -> Calendar:
    """Make a calendar: Monday to Friday, Saturday, closed days, and open ones as `d2026_12_27="10:00-16:00"`."""
    week = (hours(weekdays),) * 5 + ((hours(saturday) if saturday else CLOSED), CLOSED)
    days = tuple(sorted(map(date.fromisoformat, closed.split())))
    opened = {date.fromisoformat(name[1:].replace("_", "-")): hours(opening) for name, opening in special.items()}
    return Calendar(
        timezone=timezone, week=week, holidays=days, open=tuple(OpenDay(*one) for one in sorted(opened.items()))
    )


def daily(*openings: str, timezone: str = "Europe/Paris") -> Calendar:
    """Make a calendar of seven equal days."""
    return Calendar(timezone=timezone, week=(hours(*openings),) * 7)


class Watcher:
    """Looks at the wall clock every minute, holding its hands when they would go back, and writes down who is there.

    So a local time that does not exist is the first after it, and of one that comes twice the first counts.
    """

    def __init__(self, calendar: Calendar, start: datetime, days: float) -> None:
        self.calendar = calendar
        first = start.astimezone(UTC).replace(second=0, microsecond=0)
        clock = clock_shown(calendar.timezone, first, int(days * 24 * 60))
        self.minutes = [(moment, shown, self._open(shown)) for moment, shown in clock]

    def _open(self, shown: datetime) -> bool:
        minute = shown.hour * 60 + shown.minute
        return any(one.opens_minute <= minute < one.closes_minute for one in self.hours_on(shown.date()))

    def hours_on(self, day: date) -> tuple[Hours, ...]:
        special = [one.hours for one in self.calendar.open if one.day == day]
        if special:
            return special[0]
        if day in self.calendar.holidays or day in self.calendar.closed:
            return CLOSED
        return self.calendar.week[day.weekday()]

    def add(self, start: datetime, minutes: int) -> datetime:
        """Return when so many open minutes have passed."""
        for moment, _, is_open in self.minutes:
            if moment >= start and is_open:
                minutes -= 1
                if not minutes:
                    return moment + MINUTE
        raise AssertionError("watch for longer")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Return the open minutes between two instants."""
        return MINUTE * sum(is_open for moment, _, is_open in self.minutes if start <= moment < end)

    def add_days(self, start: datetime, days: int) -> datetime:
        """Return the same time on a following day that has open minutes, kept between its first and its last."""
        counted = [(moment, shown) for moment, shown, is_open in self.minutes if is_open and moment >= start]
        moment, shown = counted[0]
        following = sorted({when.date() for _, when in counted} - {shown.date()})
        day = following[days - 1]
        time = moment.astimezone(ZoneInfo(self.calendar.timezone)).time()  # The clock's own, not the held one.
        wanted = datetime.combine(day, time)
        same = next(when for when, now, _ in self.minutes if now >= wanted)
        first = min(when for when, now in counted if now.date() == day)
        last = max(when for when, now in counted if now.date() == day)
        return min(max(same, first), last + MINUTE)

    def periods(self) -> list[Period]:
        """Return what was open."""
        found: list[Period] = []
        for moment, _, is_open in self.minutes:
            if is_open and found and found[-1].ends_at == moment:
                found[-1] = Period(found[-1].begins_at, moment + MINUTE)
            elif is_open:
                found.append(Period(moment, moment + MINUTE))
        return found


@lru_cache(100)
def clock_shown(zone: str, start: datetime, minutes: int) -> list[tuple[datetime, datetime]]:
    """Return each minute, and what the wall clock with the held hands shows then."""
    tz, found = ZoneInfo(zone), []
    held = datetime(1, 1, 1)  # noqa: DTZ001  what a wall clock shows has no zone
    before = 3 * 60  # The hands may be held from something that was shown earlier.
    for number in range(-before, minutes):
        moment = start + number * MINUTE
        held = max(held, moment.astimezone(tz).replace(tzinfo=None))
        if number >= 0:
            found.append((moment, held))
    return found


@lru_cache(200)
def changes(zone: str, first_year: int, last_year: int) -> list[datetime]:
    """Return the hours, in UTC, in which the clocks of a zone change."""
    tz, found = ZoneInfo(zone), []
    moment, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC)
    offset = moment.astimezone(tz).utcoffset()
    while moment < end:
        moment += timedelta(hours=6)
        now = moment.astimezone(tz).utcoffset()
        if now != offset:
            found.append(moment)
            offset = now
    return found
