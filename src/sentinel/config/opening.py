"""Opening days: Monday to Friday without the public holidays of the site's country (rule LIF-7)."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Opening:
    """The opening days of a site. Without a country there are no holidays."""

    timezone: str
    country: str = ""

    def after(self, moment: datetime, days: int) -> datetime:
        """Return the same time of day so many opening days later, in UTC; from a closed day it counts from the next."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        closed = holidays_of(self.country) if self.country else frozenset()
        day = local.date()
        for _ in range(days):
            day = _next_open(day, closed)
        return local.replace(year=day.year, month=day.month, day=day.day).astimezone(UTC)


def _next_open(day: date, closed: Container[date]) -> date:
    day += timedelta(days=1)
    while day.weekday() >= SATURDAY or day in closed:
        day += timedelta(days=1)
    return day


@cache
def holidays_of(country: str) -> Container[date]:
    """Return the public holidays of a country (``FR``) or region (``FR-57``).

    Raises:
        LookupError: the country or region is not known.
    """
    from holidays import country_holidays  # noqa: PLC0415  77 ms, for those who count opening days

    name, _, region = country.partition("-")
    try:
        found: Container[date] = country_holidays(name, subdiv=region or None)
    except NotImplementedError as error:
        raise LookupError(str(error)) from None
    return found
