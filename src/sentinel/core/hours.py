"""Which ladder is in force at a moment, whether that is out of hours, and when that changes (rules ESC-2 and ESC-3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from sentinel.core.business import BusinessTime, OutOfCalendar
from sentinel.core.calendar import DAY_MINUTES, Calendar, Hours
from sentinel.core.model import LadderHours, Watch

# So many openings and closings are looked at for the next one that changes something; then they are looked at again.
BOUNDARIES_MAX: Final = 40
WHOLE_DAY: Final = (Hours(0, DAY_MINUTES),)


class Agreed(NamedTuple):
    """What was agreed: the calendars by name, the business hours of the contract, whether it pages out of hours too.

    A calendar that is not known any more holds nowhere. Without hours it is never out of hours.
    """

    calendars: Mapping[str, BusinessTime]
    business: BusinessTime | None = None
    pages: bool = True


class _Found(NamedTuple):
    ladder: str
    out_of_hours: bool


def watch(ladders: tuple[LadderHours, ...], agreed: Agreed, now: datetime) -> Watch:
    """Return which ladder is in force: the first whose hours hold, the last one when none do."""
    found = _look(ladders, agreed, now)
    return Watch(
        ladder=found.ladder,
        out_of_hours=found.out_of_hours,
        gated=found.out_of_hours and not agreed.pages,
        until=_until(ladders, agreed, now),
    )


def _look(ladders: tuple[LadderHours, ...], agreed: Agreed, at: datetime) -> _Found:
    for ladder in ladders:
        open_ = _open(agreed.calendars.get(ladder.calendar), at)
        match ladder.during:
            case "inside" if open_:
                return _Found(ladder.name, out_of_hours=False)
            case "outside" if open_ is False:
                return _Found(ladder.name, out_of_hours=True)
            case "otherwise":
                return _Found(ladder.name, out_of_hours=True)
            case "always":
                return _Found(ladder.name, out_of_hours=_open(agreed.business, at) is False)
    # Nobody to reach would be worse than the wrong people.
    return _Found(ladders[-1].name if ladders else "", out_of_hours=_open(agreed.business, at) is False)


def _open(business: BusinessTime | None, at: datetime) -> bool | None:
    return None if business is None else business.is_open(at)


def _until(ladders: tuple[LadderHours, ...], agreed: Agreed, now: datetime) -> datetime | None:
    """Return the next moment at which something is in force that is not now; nothing when there is none."""
    named = [found for ladder in ladders if (found := agreed.calendars.get(ladder.calendar))]
    looked_at = [*named, *([agreed.business] if agreed.business else [])]
    changing = [business for business in looked_at if not _never_changes(business.calendar)]
    before, at = _look(ladders, agreed, now), now
    for _ in range(BOUNDARIES_MAX):
        following = min((moment for business in changing if (moment := _boundary(business, at))), default=None)
        if following is None:
            return None
        at = following
        if _look(ladders, agreed, at) != before:
            return at
    return at


def _boundary(business: BusinessTime, at: datetime) -> datetime | None:
    """Return when a calendar opens or closes next; nothing in the years that calendars know."""
    try:
        return business.closing(at) if business.is_open(at) else business.opening(at)
    except OutOfCalendar:
        return None


def _never_changes(calendar: Calendar) -> bool:
    """Tell whether a calendar is open day and night: looking for its closing would take a century."""
    whole = all(day == WHOLE_DAY for day in calendar.week)
    return whole and not (calendar.holidays or calendar.closed or calendar.open)
