"""What is asked of a store about things that are one row each: tickets, silences, alerts, heartbeats, rota entries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from sentinel.core.alerts import Alert
from sentinel.core.matching import Silence
from sentinel.core.pings import Heard
from sentinel.core.rota import Entry
from sentinel.tickets.base import Ticket, TicketReference


class Record(NamedTuple):
    """What a door keeps of its own, as JSON."""

    subject: str
    name: str
    body: bytes


class Deed(NamedTuple):
    """Something that was done: an event of an incident, a line of a stream ``SUBJECT/NAME``, or a silence by its id.

    ``body`` is the fact as JSON; a silence has its end for ``at``.
    """

    kind: Literal["event", "line", "silence"]
    where: str
    at: datetime
    body: bytes


class PlainStore(Protocol):
    """Keeps what has no log: the row as it is now. Every method blocks, and may raise ``StoreUnavailable``."""

    def put_ticket(self, ticket: Ticket, at: datetime) -> TicketReference:
        """Keep a built-in ticket: open it under the next number, or bring it in line (rule DSP-2)."""
        ...

    def ticket(self, key: str) -> tuple[TicketReference, Ticket] | None:
        """Return the built-in ticket of an incident."""
        ...

    def tickets(self, *, limit: int) -> list[tuple[TicketReference, Ticket]]:
        """Return built-in tickets, newest first."""
        ...

    def silences(self, now: datetime) -> list[Silence]:
        """Return silences that have not ended."""
        ...

    def silences_known(self, ids: Sequence[str]) -> set[str]:
        """Return those of some ids that a silence has or had."""
        ...

    def put_silence(self, silence: Silence) -> None:
        """Add a silence, or change the one of its id."""
        ...

    def rota_entries(self) -> list[Entry]:
        """Return what people put over the turns of rotas, in the order they did; what was undone is among it."""
        ...

    def put_rota_entry(self, entry: Entry) -> None:
        """Add an entry to a rota, or change the one of its id."""
        ...

    def alerts(self) -> list[Alert]:
        """Return the alerts of other tools that fire, in the order of their fingerprints."""
        ...

    def put_alerts(self, firing: Sequence[Alert], gone: Sequence[str] = ()) -> None:
        """Keep alerts as they are now, and let go of those whose fingerprints are gone; all or nothing."""
        ...

    def heartbeats(self) -> dict[str, Heard]:
        """Return what is known of each heartbeat."""
        ...

    def put_heartbeat(self, name: str, at: datetime, heard: Heard) -> None:
        """Remember what is known of a heartbeat after a call."""
        ...

    def records(self, subject: str) -> list[Record]:
        """Return what a door keeps of its own under a subject, in the order of the names."""
        ...

    def put_records(self, kept: Sequence[Record], gone: Sequence[tuple[str, str]] = ()) -> None:
        """Keep records as they are now, and let go of those of a subject and a name; all or nothing."""
        ...

    def deeds(self, before: datetime, limit: int, by: str = "") -> tuple[list[Deed], datetime | None]:
        """Return what somebody, or anybody, did before a moment, among the newest ``limit`` rows of each log.

        With it comes how far these reach back: what was done at that moment may be missing; nothing for all of it.

        Silences are those that end last. What names nobody after all is for the reader to leave out.
        """
        ...
