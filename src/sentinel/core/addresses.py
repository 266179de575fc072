"""Addresses that do not take what is sent to them: lowered for a while, tried again, trusted again (rule DSP-4).

A mail server says hours later, or seconds, that it could not deliver. For a day the person is told by their other ways;
then the address is used again, on trial. It is trusted again when something has arrived, when it was changed, or when
somebody says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

LOWERED_FOR: Final = timedelta(days=1)
PROVED_AFTER: Final = timedelta(hours=1)  # A bounce comes sooner than that, as a rule.

How = Literal["delivered", "by_hand", "changed"]


class Lowered(msgspec.Struct, frozen=True, kw_only=True, tag="lowered", omit_defaults=True):
    """A message to an address came back. ``digest`` tells whether the address is still the same one."""

    at: datetime
    person: str
    kind: str
    digest: str
    message: str
    why: str = ""


class Reported(msgspec.Struct, frozen=True, kw_only=True, tag="reported", omit_defaults=True):
    """The administrators are told of it, by an incident."""

    at: datetime
    incident: str


class Restored(msgspec.Struct, frozen=True, kw_only=True, tag="restored", omit_defaults=True):
    """The address is trusted again."""

    at: datetime
    how: How


Fact = Lowered | Reported | Restored


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What is held against an address: the first and the last of ``count`` bounces, and the incident about it."""

    person: str
    kind: str
    digest: str
    since: datetime
    last_at: datetime
    why: str
    count: int = 1
    incident: str = ""

    @property
    def until(self) -> datetime:
        """Return from when on the address is tried again."""
        return self.last_at + LOWERED_FOR


def doubt_of(facts: Iterable[Fact]) -> Doubt | None:
    """Return what is held against an address; nothing when it is trusted."""
    found: Doubt | None = None
    for fact in facts:
        match fact:
            case Lowered() if found is None or found.digest != fact.digest:
                found = Doubt(
                    person=fact.person,
                    kind=fact.kind,
                    digest=fact.digest,
                    since=fact.at,
                    last_at=fact.at,
                    why=fact.why,
                    incident=found.incident if found else "",
                )
            case Lowered() if found is not None:
                found = msgspec.structs.replace(found, last_at=fact.at, why=fact.why, count=found.count + 1)
            case Reported() if found is not None:
                found = msgspec.structs.replace(found, incident=fact.incident)
            case Restored():
                found = None
    return found


def avoided(doubts: Iterable[Doubt], now: datetime) -> Mapping[str, frozenset[str]]:
    """Return for each person the kinds of address that are not used now, if there is another."""
    found: dict[str, frozenset[str]] = {}
    for doubt in doubts:
        if now < doubt.until:
            found[doubt.person] = found.get(doubt.person, frozenset()) | {doubt.kind}
    return found
