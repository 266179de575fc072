"""Moments as forms of a browser write them: on the wall clock of the site, without a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.calendar import instant_of
from sentinel.web.bodies import FIRST_YEAR, LAST_YEAR
from sentinel.web.problem import Problem

SHAPE: Final = "%Y-%m-%dT%H:%M"  # As `<input type="datetime-local">` has it.


def read(written: str, zone: str, name: str) -> datetime | None:
    """Return the moment that a field holds, in UTC; nothing for an empty one.

    Raises:
        Problem: 400 it is no moment, or one that calendars do not know.
    """
    if not written.strip():
        return None
    try:
        local = datetime.fromisoformat(written.strip())
    except ValueError:
        local = None
    if local is None or not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise Problem(400, f"`{name}` must be a moment: 2026-12-05T06:00.")
    return local.astimezone(UTC) if local.tzinfo else instant_of(local, ZoneInfo(zone))


def field(at: datetime, zone: str) -> str:
    """Return a moment as a field of a form holds it."""
    return at.astimezone(ZoneInfo(zone)).strftime(SHAPE)
