"""What is kept of an alert, a request and a heartbeat of Opsgenie's clients: plain data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from sentinel.core.alerts import fingerprint

Priority = Literal["P1", "P2", "P3", "P4", "P5"]
Unit = Literal["minutes", "hours", "days"]

PRIORITIES: Final[tuple[Priority, ...]] = ("P1", "P2", "P3", "P4", "P5")
ENTRIES_MAX: Final = 100  # Notes and log entries of one alert; the oldest are forgotten first.
ENTRY_MAX_CHARS: Final = 1_000  # Of what is kept here; the incident has all of a note.


class Responder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is to answer, by an id or a name: a user's is the ``username``."""

    type: str
    id: str = ""
    name: str = ""
    username: str = ""

    @property
    def called(self) -> str:
        """Return what there is of a name."""
        return self.name or self.username or self.id


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of an alert's log, or a note. ``number`` counts from 1 within the alert."""

    number: int
    at: datetime
    text: str
    owner: str = ""
    note: bool = False


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An alert as Opsgenie's clients know it; what people do about it stands in its ``incident``.

    One alert of an ``alias`` is open at a time within an integration.
    """

    id: str
    tiny: int
    alias: str
    integration: str
    message: str
    priority: Priority
    created_at: datetime
    updated_at: datetime
    last_at: datetime
    count: int = 1
    description: str = ""
    entity: str = ""
    source: str = ""
    user: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    details: dict[str, str] = {}
    actions: tuple[str, ...] = ()
    responders: tuple[Responder, ...] = ()
    visible_to: tuple[Responder, ...] = ()
    log: tuple[Entry, ...] = ()
    incident: str = ""
    snoozed_until: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""

    @property
    def open(self) -> bool:
        """Tell whether nobody has closed it here."""
        return self.closed_at is None

    @property
    def fingerprint(self) -> str:
        """Return the fingerprint of its signal: the same each time that its alias comes back."""
        return fingerprint_of(self.integration, self.alias)

    @property
    def key(self) -> str:
        """Return the key of its signal."""
        return f"alert:{self.fingerprint}"

    def written(self, at: datetime, text: str, owner: str = "", *, note: bool = False) -> Kept:
        """Return it with a line more in its log."""
        number = self.log[-1].number + 1 if self.log else 1
        entry = Entry(number=number, at=at, text=text[:ENTRY_MAX_CHARS], owner=owner, note=note)
        return replace(self, updated_at=at, log=(*self.log, entry)[-ENTRIES_MAX:])


def fingerprint_of(integration: str, alias: str) -> str:
    """Return the fingerprint of the alerts of an alias."""
    return fingerprint({"opsgenie": integration, "alias": alias})


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a request; ``alert`` and ``alias`` are empty when there was no such alert."""

    id: str
    at: datetime
    integration: str
    action: str
    success: bool
    status: str
    alert: str = ""
    alias: str = ""


class Beat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A heartbeat: it is expired when no ping came for ``interval`` units; it counts from ``armed_at`` on."""

    name: str
    integration: str
    interval: int
    unit: Unit
    armed_at: datetime
    enabled: bool = True
    description: str = ""
    message: str = ""
    tags: tuple[str, ...] = ()
    priority: Priority = "P3"
    team: Responder | None = None
    pinged_at: datetime | None = None
    expired_at: datetime | None = None

    @property
    def within(self) -> timedelta:
        """Return how long it may stay silent."""
        return timedelta(**{self.unit: self.interval})

    @property
    def alias(self) -> str:
        """Return the alias of the alert of its silence."""
        return f"heartbeat {self.name}"

    def due_at(self, listening_since: datetime) -> datetime:
        """Return when it expires; a ping cannot have come while nobody listened."""
        return max(self.pinged_at or self.armed_at, self.armed_at, listening_since) + self.within
