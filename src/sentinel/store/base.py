"""What the rest of Sentinel asks of a store, and the rows that pass between them.

The store is called from its own threads, never from the event loop. One ``Write`` is one transaction: events,
projections with ``wake_at``, outbox rows and what came of earlier ones stand or fall together (rule DSP-3).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final, Literal, Protocol

import msgspec

from sentinel.core.alerts import Alert
from sentinel.core.events import Event
from sentinel.core.model import Result
from sentinel.core.probe_days import Pace, ProbeDay
from sentinel.core.state import Incident
from sentinel.store.plain_rows import PlainStore
from sentinel.store.repeats import AnswerStore

MessageState = Literal["pending", "sending", "done", "delivered", "dead", "withdrawn"]
Services = str | tuple[str, ...]
TAKEN: Final[tuple[MessageState, ...]] = ("done", "delivered")  # By a carrier; "delivered" when it says so itself.


class Conflict(Exception):  # noqa: N818  losing a race is normal business
    """Somebody else wrote the next event of an incident first: reload it and decide again."""


class StoreUnavailable(Exception):  # noqa: N818  the caller decides what it means
    """The database could not take it: full, read-only, locked, or gone. Nothing of the write is there."""


class Recorded(msgspec.Struct, frozen=True):
    """An event in its place: sequences count from 1 without gaps, each hash covers the one before (rule LIF-9)."""

    number: str
    sequence: int
    event: Event
    hash: str = ""


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something owed to the world: a message to a person, or a ticket to bring in line.

    ``body`` holds all that is needed to write the message out. ``urgency`` is the incident's level: higher goes first.
    Retries end at ``give_up_at``.
    """

    id: str
    kind: Literal["message", "ticket"]
    incident: str
    sequence: int
    person: str
    channel: str
    urgency: int
    body: bytes
    created_at: datetime
    due_at: datetime
    give_up_at: datetime
    state: MessageState = "pending"
    tries: int = 0
    reference: str = ""
    error: str = ""
    settled_at: datetime | None = None


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """Messages to one of these people, or by a channel with the carrier's reference; what is empty does not matter.

    ``lost`` are those that came back too, ``apart`` only those of no incident, ``but`` none whose id begins so; with
    ``bare`` they have no bodies.
    """

    people: tuple[str, ...] = ()
    channel: str = ""
    reference: str = ""
    lost: bool = False
    apart: bool = False
    but: str = ""
    bare: bool = False


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a try, or that one begins. For tickets it holds only if ``sequence`` is still the row's."""

    id: str
    sequence: int
    state: MessageState
    tries: int
    due_at: datetime
    at: datetime
    reference: str = ""
    error: str = ""


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """What left a channel at a moment: one message, or a digest of several, of which the first incident is named."""

    person: str
    channel: str
    incident: str
    at: datetime
    messages: int


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """One transaction. An outbox row of kind ``ticket`` replaces the one of the same id and makes it pending again."""

    events: Sequence[Recorded] = ()
    incidents: Sequence[Incident] = ()
    wake_at: dict[str, datetime | None] = {}
    outbox: Sequence[OutboxRow] = ()
    withdrawn: Sequence[str] = ()
    settlements: Sequence[Settlement] = ()
    alerts: Sequence[Alert] = ()  # Of other tools: those that the events are about.


class ProbeState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a target of a probe stands, kept over restarts. ``track`` is opaque to the store.

    It is written when that changes: what came after ``last`` was like it, and is among the samples.
    """

    probe: str
    target: str
    track: bytes
    last: Result


class ProbeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a target's state, or a failure: kept long, listed on pages."""

    probe: str
    target: str
    at: datetime
    ok: bool
    reason: str
    detail: str
    duration_s: float


class Sample(msgspec.Struct, frozen=True):
    """One run's outcome, packed later: 90 days of them."""

    probe: str
    target: str
    at: datetime
    ok: bool
    duration_s: float


class Fault(msgspec.Struct, frozen=True):
    """Something that ``verify`` found wrong, in a sentence that names the row."""

    where: str
    what: str


class Line(msgspec.Struct, frozen=True):
    """One fact of the ledger: the ``sequence``-th of its stream ``SUBJECT/NAME``, its body JSON."""

    stream: str
    sequence: int
    at: datetime
    body: bytes

    @property
    def subject(self) -> str:
        """Return what it is about: ``change``."""
        return self.stream.partition("/")[0]

    @property
    def name(self) -> str:
        """Return which one of its subject it is about: ``CHG-1``."""
        return self.stream.partition("/")[2]


class Store(AnswerStore, PlainStore, Protocol):
    """Keeps what must not be lost. Every method blocks; every ``datetime`` is aware UTC."""

    def commit(self, write: Write) -> None:
        """Write all or nothing, and return only when it is on disk.

        Raises:
            Conflict: an event of that sequence is there already.
            StoreUnavailable: the database could not take it.
        """
        ...

    def unfinished(self) -> list[Incident]:
        """Return the incidents that are neither closed nor merged, oldest first."""
        ...

    def last_number(self) -> int:
        """Return the number of the newest incident; 0 when there is none."""
        ...

    def incident(self, number: str) -> Incident | None:
        """Return one incident, whatever its phase."""
        ...

    def incidents(
        self, *, limit: int, before: str = "", phases: Iterable[str] = (), service: Services = "", fault: str = ""
    ) -> list[Incident]:
        """Return incidents, newest first; ``before`` is the number to go on from, ``fault`` how their fault begins.

        ``service`` is one, or several of which any will do; empty for all.
        """
        ...

    def openings(self, since: datetime) -> list[tuple[str, datetime]]:
        """Return the fault of each incident opened since a moment, and when, oldest first; without merged ones."""
        ...

    def during(
        self, begins_at: datetime, ends_at: datetime, *, kinds: Iterable[str], limit: int
    ) -> list[tuple[Incident, list[Event]]]:
        """Return incidents that may have been there in a time, newest first, each with its events of these kinds.

        A month around it is looked at too: whoever asks knows what of it counts.
        """
        ...

    def first_opened(self) -> datetime | None:
        """Return when the oldest incident was opened that is still known."""
        ...

    def timeline(self, number: str) -> list[Recorded]:
        """Return all events of an incident in order."""
        ...

    def due(
        self,
        now: datetime,
        limit: int,
        busy: Iterable[str] = (),
        full: Iterable[str] = (),
        held: Iterable[tuple[str, str]] = (),
    ) -> list[OutboxRow]:
        """Return pending outbox rows that are due, the most urgent first, then the oldest.

        Rows whose id is ``busy``, rows of channels that are ``full`` and messages to a person by a channel that are
        ``held`` are left out, so that a slow channel never hides what another one could carry.
        """
        ...

    def gathered(self, person: str, channel: str, now: datetime, *, limit: int, after: str = "") -> list[OutboxRow]:
        """Return pending messages about incidents to a person by a channel that are due, by id, from one on."""
        ...

    def sent_since(self, since: datetime) -> list[Passed]:
        """Return what carriers took since a moment, oldest first: the messages of a digest as one."""
        ...

    def slots(self) -> list[tuple[str, str, datetime]]:
        """Return person, channel and moment of each digest that messages about incidents are gathered for."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the next pending row is due."""
        ...

    def recover_sending(self) -> int:
        """Make rows that were being sent when the process died pending again; return how many."""
        ...

    def messages(self, *, limit: int, incident: str = "", ids: Sequence[str] = ()) -> list[OutboxRow]:
        """Return messages, newest first: of one incident, those of ``ids``, or all."""
        ...

    def taken(self, sought: Sought, since: datetime, *, limit: int) -> list[OutboxRow]:
        """Return messages owed since a moment that a carrier took, newest first."""
        ...

    def queue(self) -> dict[str, tuple[int, datetime]]:
        """Return for each channel with waiting messages how many, and when the oldest was created."""
        ...

    def owed_tickets(self) -> dict[str, datetime]:
        """Return for each ticket back-end that is not in line since when."""
        ...

    def owe_once(self, rows: Sequence[OutboxRow]) -> int:
        """Owe messages of no incident, each once for ever: those whose id is known are passed over; return the rest."""
        ...

    def ledger(self, subject: str) -> list[Line]:
        """Return all lines of a subject, stream by stream, in order."""
        ...

    def append_lines(self, lines: Sequence[Line], owed: Sequence[OutboxRow] = ()) -> None:
        """Write lines, each the next of its stream, and what they owe, each message once for ever; all or nothing.

        Raises:
            Conflict: somebody else wrote that line first.
            StoreUnavailable: the database could not take it.
        """
        ...

    def touch(self, at: datetime) -> None:
        """Write one row, to prove that writing works.

        Raises:
            StoreUnavailable: it does not.
        """
        ...

    def touched(self) -> int | None:
        """Return the unix time of the last such write; nothing before the first.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        ...

    def verify(self) -> list[Fault]:
        """Refold every log, check the chain and compare with the projections."""
        ...

    def prune(self, before: datetime) -> int:
        """Forget incidents that were closed before that, with all that hangs on them; return how many."""
        ...

    def forget_messages(self, before: datetime, prefix: str = "") -> int:
        """Forget settled messages of no incident that were owed before that, whose ids begin so; return how many."""
        ...

    def size_bytes(self) -> int:
        """Return the size of the database."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


class ResultStore(Protocol):
    """Keeps what probes saw; may lose its last second in a power cut."""

    def states(self) -> list[ProbeState]:
        """Return the state of every target."""
        ...

    def record(self, states: Sequence[ProbeState], events: Sequence[ProbeEvent], samples: Sequence[Sample]) -> None:
        """Write a second's worth of results in one transaction."""
        ...

    def newest(self) -> list[Sample]:
        """Return the newest sample of each target, as far back as samples that are not packed yet go, or further."""
        ...

    def keep_newest(self, samples: Sequence[Sample], at: datetime) -> None:
        """Keep the newest sample of each target at a moment, in place of those kept before."""
        ...

    def forget(self, keep: Iterable[tuple[str, str]]) -> None:
        """Drop the states of targets that are no longer configured."""
        ...

    def events(self, probe: str, *, limit: int) -> list[ProbeEvent]:
        """Return a probe's changes and failures, newest first."""
        ...

    def samples(self, probe: str, target: str, since: datetime) -> list[Sample]:
        """Return a target's samples in order, packed and fresh alike; durations are rounded to the microsecond."""
        ...

    def pack(self, before: datetime, zone: tzinfo = UTC) -> int:
        """Pack samples of whole hours that ended before that; return how many samples were packed.

        They count for days of the zone. No transaction of it is long: what is recorded meanwhile need not wait.
        """
        ...

    def days(self, probes: Iterable[str], since: int) -> dict[str, list[ProbeDay]]:
        """Return how the days of probes went from one day on, as far as their hours are packed, in order."""
        ...

    def failed(self, probes: Iterable[str], since: datetime) -> dict[str, int]:
        """Return how many runs of probes failed since a moment, also those whose hour is not packed yet."""
        ...

    def paces(self, probe: str, target: str, span: tuple[datetime, datetime], pieces: int) -> list[Pace]:
        """Return how long a target's runs took in each of so many pieces of a time, without those of no run."""
        ...

    def prune(self, before: datetime) -> None:
        """Forget samples older than that."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
