"""Validated fixes that are not delivered yet: listed with their age, due as soon as available (rule CHG-7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from sentinel.core.change_facts import FixAdded, FixDelivered, FixFact
from sentinel.core.quality import QualityLevel

DECODER: Final = msgspec.json.Decoder(FixFact)


class Fix(msgspec.Struct, frozen=True, kw_only=True):
    """A validated fix. One of the configuration has no number and is delivered when it goes from there."""

    service: str
    title: str
    since: datetime
    component: str = ""
    number: str = ""
    by: str = ""
    delivered_at: datetime | None = None
    delivered_by: str = ""
    change: str = ""


class Undelivered(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the service report: a fix that is owed, and since how long."""

    number: str
    title: str
    component: str
    since: datetime
    age: timedelta


def fold(number: str, facts: Iterable[FixFact]) -> Fix:
    """Return the fix that its facts add up to."""
    fix: Fix | None = None
    for fact in facts:
        match fact:
            case FixAdded():
                fix = Fix(
                    number=number,
                    service=fact.service,
                    title=fact.title,
                    since=fact.since,
                    component=fact.component,
                    by=fact.by,
                )
            case FixDelivered():
                assert fix is not None, "a fix is added before it is delivered"
                fix = msgspec.structs.replace(fix, delivered_at=fact.at, delivered_by=fact.by, change=fact.change)
    assert fix is not None, "a fix begins with its adding"
    return fix


def owed(fix: Fix, improvement: QualityLevel | None, components: Sequence[str], at: datetime | None = None) -> bool:
    """Tell whether the level obliges to deliver a fix, now or at a moment: at 2 for listed components, at 3 for all."""
    if fix.delivered_at is not None and (at is None or fix.delivered_at <= at):
        return False
    return improvement == 3 or (improvement == 2 and fix.component in components)


def undelivered(
    fixes: Iterable[Fix], service: str, level: QualityLevel | None, components: Sequence[str], now: datetime
) -> list[Undelivered]:
    """Return the fixes owed to a service, the oldest first."""
    rows = [
        Undelivered(number=fix.number, title=fix.title, component=fix.component, since=fix.since, age=now - fix.since)
        for fix in fixes
        if fix.service == service and fix.since <= now and owed(fix, level, components, now)
    ]
    return sorted(rows, key=lambda row: row.since)


def read_all(streams: Iterable[tuple[str, Sequence[bytes]]]) -> list[Fix]:
    """Read fixes from their lines in the ledger, by name."""
    return [fold(name, map(DECODER.decode, lines)) for name, lines in streams if lines]
