"""Reading what period somebody asks for: a month, some days, or nothing, which is the last whole month."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core import occasions
from sentinel.core.business import Period
from sentinel.core.calendar import shown_at

PERIOD_MAX_DAYS: Final = 400
FIRST_YEAR, LAST_YEAR = 2001, 2098
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


def period(month: str, first: str, last: str, now: datetime, zone: ZoneInfo) -> Period:
    """Return the time asked for, in local days; ``last`` is in it. Without a word it is the last whole month.

    Raises:
        ValueError: it is no period; the text says what one looks like.
    """
    if month:
        if first or last:
            raise ValueError("Give a month, or the first and the last day; not both.")
        found = _MONTH.fullmatch(month)
        if not found:
            raise ValueError(f"'{month}' is not a month; write 2026-11.")
        return occasions.month(date(_year(int(found[1])), int(found[2]), 1), zone)
    if not first and not last:
        return occasions.month(shown_at(now, zone).date().replace(day=1) - timedelta(days=1), zone)
    if not (first and last):
        raise ValueError("Give both, the first and the last day.")
    begin, end = _day(first), _day(last)
    if end < begin:
        raise ValueError("The last day comes before the first.")
    if (end - begin).days >= PERIOD_MAX_DAYS:
        raise ValueError(f"A report covers {PERIOD_MAX_DAYS} days at most.")
    return occasions.days(begin, end, zone)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a day; write 2026-11-01.") from None
    _year(day.year)
    return day


def _year(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"Reports know the years {FIRST_YEAR} to {LAST_YEAR}.")
    return year
