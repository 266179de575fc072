"""The section ``calendars``: when somebody is there, and which days are holidays (rules CAL-1 and CAL-2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from typing import Any, Final

from pydantic import model_validator

from sentinel.config.base import Country, Section
from sentinel.config.fields import Date, OneOrMany, TimeZoneName, wrong
from sentinel.config.hours import DayHours, Opening, WeekHours, days_of
from sentinel.core.business import FIRST_YEAR, LAST_YEAR, BusinessTime, business_time
from sentinel.core.calendar import ALWAYS, WEEK_DAYS, Calendar, Hours, OpenDay

ALWAYS_NAME: Final = "always"
BUSINESS: Final = "business"  # also the one in which a resolved incident waits for its closing (rule LIF-7)
# Rule CAL-2, in the words of the file.
BUILT_IN: Final[dict[str, dict[str, Any]]] = {
    BUSINESS: {"hours": {"mon-fri": "09:00-19:00"}},
    "extended": {"hours": {"mon-fri": "09:00-19:00", "sat": "09:00-17:00"}},
}
NAMES: Final = frozenset({ALWAYS_NAME, *BUILT_IN})
HOME: Final = ("Europe/Paris", "FR")  # the time zone of a site that names none, and the country that goes with it


class CalendarEntry(Section):
    """Opening hours of a week, and the days that are different."""

    timezone: TimeZoneName | None = None
    hours: WeekHours
    holidays: Country | None = None
    closed: OneOrMany[Date] = ()
    open: dict[Date, DayHours] = {}

    @model_validator(mode="after")
    def _closes_or_opens(self) -> CalendarEntry:
        both = sorted(self.open.keys() & set(self.closed))
        if both:
            raise wrong(f"{both[0]} is both closed and open")
        return self


class Calendars:
    """The calendars by name, the built-in ones among them; made, holidays too, when they are first asked for."""

    def __init__(self, entries: Mapping[str, CalendarEntry], timezone: str = HOME[0], country: str = "") -> None:
        self._entries = entries
        self._timezone = timezone
        self._country = country or (HOME[1] if timezone == HOME[0] else "")
        self._made: dict[str, Calendar] = {ALWAYS_NAME: ALWAYS}
        self.names = NAMES | entries.keys()

    def __getitem__(self, name: str) -> Calendar:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(self._entries.get(name) or self._built_in(name))
        return made

    def time(self, name: str) -> BusinessTime:
        """Return what adds and measures in a calendar.

        Raises:
            KeyError: there is none of that name.
        """
        return business_time(self[name])

    def holiday_names(self, name: str) -> Mapping[date, str]:
        """Return what the holidays of a calendar are called."""
        entry = None if name == ALWAYS_NAME else self._entries.get(name) or self._built_in(name)
        return holidays_of(entry.holidays) if entry and entry.holidays else {}

    def _built_in(self, name: str) -> CalendarEntry:
        return CalendarEntry.model_validate({**BUILT_IN[name], "holidays": self._country or None})

    def _make(self, entry: CalendarEntry) -> Calendar:
        return Calendar(
            timezone=entry.timezone or self._timezone,
            week=week_of(entry),
            holidays=tuple(sorted(holidays_of(entry.holidays))) if entry.holidays else (),
            closed=tuple(sorted(set(entry.closed))),
            open=tuple(OpenDay(day, _hours(openings)) for day, openings in sorted(entry.open.items())),
        )


def week_of(entry: CalendarEntry) -> tuple[tuple[Hours, ...], ...]:
    """Return the hours of Monday to Sunday."""
    return week_of_hours(entry.hours)


def week_of_hours(hours: WeekHours) -> tuple[tuple[Hours, ...], ...]:
    """Return the hours of Monday to Sunday, from what is written of some days."""
    week: list[tuple[Hours, ...]] = [()] * WEEK_DAYS
    for weekdays, openings in hours.items():
        for day in days_of(weekdays):
            week[day] = _hours(openings)
    return tuple(week)


def _hours(openings: Iterable[Opening]) -> tuple[Hours, ...]:
    return tuple(opening.hours for opening in openings)


@cache
def holidays_of(country: str) -> Mapping[date, str]:
    """Return the public holidays of a country (``FR``) or region (``FR-57``), in all years that calendars know.

    Raises:
        LookupError: the country or region is not known.
    """
    return dict(_look_up(country, range(FIRST_YEAR, LAST_YEAR + 1)).items())


def check_country(country: str) -> None:
    """Make sure that the holidays of a country or region are known.

    Raises:
        LookupError: they are not.
    """
    _look_up(country, ())


def _look_up(country: str, years: Iterable[int]) -> Mapping[date, str]:
    from holidays import country_holidays  # noqa: PLC0415  100 ms, for those who count opening days

    name, _, region = country.partition("-")
    try:
        found: Mapping[date, str] = country_holidays(name, subdiv=region or None, years=years, language="en_US")
    except NotImplementedError as error:
        raise LookupError(str(error)) from None
    return found
