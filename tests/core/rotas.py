"""Rotas to tell stories of: the sample's technical on-call, in Paris, outside business hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sentinel.core.calendar import Calendar, Hours
from sentinel.core.rota import Covers, Entry, EntryKind, Layer, Rota, with_entries

PARIS = ZoneInfo("Europe/Paris")
OFFICE = (Hours(9 * 60, 19 * 60),)
BUSINESS = Calendar(timezone="Europe/Paris", week=(OFFICE,) * 5 + ((), ()))
OUTSIDE = Covers(BUSINESS, inside=False)
FIRST_MONDAY = date(2026, 11, 23)
WEEKLY = Layer(
    timezone="Europe/Paris",
    hour=time(9),
    first_day=FIRST_MONDAY,
    order=("amina", "bruno", "chloe", "david"),
)
BY_HAND = Layer(timezone="Europe/Paris", hour=time(9))


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """Read a local moment: ``2026-11-23 09:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def rota(layer: Layer = WEEKLY, *entries: Entry, **changes: Any) -> Rota:
    """Return the rota ``technical``, with entries over it."""
    made: dict[str, Any] = {"id": "technical", "name": "Technical on-call", "layers": (layer,)}
    return with_entries(Rota(**(made | changes)), entries)


def entry(who: str, starts: str, ends: str, kind: EntryKind = "override", **more: Any) -> Entry:
    return Entry(rota="technical", kind=kind, who=who, starts_at=at(starts), ends_at=at(ends), **more)


def swap(who: str, with_: str, starts: str, ends: str, **more: Any) -> Entry:
    return entry(who, starts, ends, "swap", with_=with_, **more)


HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
