"""What happened to an incident: past tense, append-only, readable for ever.

An event carries what was decided, never what to decide it from. ``tell`` holds whom the event made Sentinel tell;
the message to each has the id ``NUMBER/SEQUENCE/PERSON/CHANNEL``. ``withdraw`` holds the messages that nobody needs
to send any more because of it. A field added later has a default; a kind is never
renamed: golden files in the tests hold one of each.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from sentinel.core.deadlines import Deadline
from sentinel.core.model import CauseClass, Kind, Level, Page, Path, Plan, Priority, Severity, Signal, WaitsOn
from sentinel.core.sla import Clock


class Happened(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of all events."""

    at: datetime
    tell: tuple[Page, ...] = ()
    withdraw: tuple[str, ...] = ()


class Opened(Happened, frozen=True, kw_only=True, tag="opened"):
    """A signal opened the incident."""

    number: str
    title: str
    service: str
    kind: Kind
    level: Level
    severity: Severity
    priority: Priority
    rule: str
    dedup: str
    t0: datetime
    signal: Signal
    plan: Plan
    cause_class: CauseClass | None = None
    group: str = ""
    requester: str = ""
    targets: tuple[Deadline, ...] = ()


class SignalJoined(Happened, frozen=True, kw_only=True, tag="signal-joined"):
    """Another signal of the same fault, or one that came back."""

    signal: Signal
    requester: str = ""


class SignalCleared(Happened, frozen=True, kw_only=True, tag="signal-cleared"):
    """What a signal reported is over."""

    key: str
    text: str


class Raised(Happened, frozen=True, kw_only=True, tag="raised"):
    """The rules now say a higher level or priority. A higher level starts the ladder of ``plan`` anew.

    ``targets`` are those of the new priority, from the opening; without them they stay.
    """

    level: Level
    severity: Severity
    priority: Priority
    rule: str
    plan: Plan
    targets: tuple[Deadline, ...] | None = None


class Escalated(Happened, frozen=True, kw_only=True, tag="escalated"):
    """A step of the ladder was taken: the ``repeat``-th time, due at ``due_at``, because of ``why``.

    ``tell`` holds whom the step pages, ``copies`` who only listens.
    """

    step: int
    repeat: int
    due_at: datetime
    why: str
    copies: tuple[Page, ...] = ()


class Acknowledged(Happened, frozen=True, kw_only=True, tag="acknowledged"):
    """A named person took the incident."""

    by: str
    via: str


class Noted(Happened, frozen=True, kw_only=True, tag="noted"):
    """A person added to the timeline."""

    by: str
    text: str


class Held(Happened, frozen=True, kw_only=True, tag="held"):
    """A person keeps the incident open, or let go of it."""

    by: str
    on: bool


class Resolved(Happened, frozen=True, kw_only=True, tag="resolved"):
    """Service is back; the incident closes by itself at ``close_by``."""

    by: str
    text: str
    close_by: datetime
    automatic: bool = False
    workaround_only: bool = False
    instructions: str = ""
    cause_class: CauseClass | None = None


class Reopened(Happened, frozen=True, kw_only=True, tag="reopened"):
    """It was not over; the ladder starts again."""

    by: str
    why: str
    signal: Signal | None = None


class Closed(Happened, frozen=True, kw_only=True, tag="closed"):
    """The requester confirmed, or time did."""

    by: str
    why: str


class Merged(Happened, frozen=True, kw_only=True, tag="merged"):
    """The incident goes on as part of another one."""

    by: str
    into: str


class Absorbed(Happened, frozen=True, kw_only=True, tag="absorbed"):
    """Another incident became part of this one; ``reached`` holds whom its pages had reached."""

    by: str
    number: str
    signals: tuple[Signal, ...]
    reached: tuple[Page, ...] = ()


class Told(Happened, frozen=True, kw_only=True, tag="told"):
    """A carrier took a message."""

    message: str
    person: str
    channel: str
    reference: str
    tries: int


class NotTold(Happened, frozen=True, kw_only=True, tag="not-told"):
    """A channel failed a person; ``tell`` holds the next way, if there is one."""

    message: str
    person: str
    channel: str
    why: str
    final: bool


class Exhausted(Happened, frozen=True, kw_only=True, tag="exhausted"):
    """The escalation has nothing more to give; ``tell`` holds the last resort (rule DSP-4)."""

    why: str


class TicketLinked(Happened, frozen=True, kw_only=True, tag="ticket-linked"):
    """The ticket back-end named its ticket."""

    backend: str
    reference: str
    url: str = ""


class Pended(Happened, frozen=True, kw_only=True, tag="pended"):
    """The work waits for ``whom``, who is asked ``ask``; ``remind`` holds who is reminded, next at ``remind_at``."""

    by: str
    waits_on: WaitsOn
    whom: str
    ask: str
    remind: tuple[str, ...] = ()
    remind_at: datetime | None = None


class Reminded(Happened, frozen=True, kw_only=True, tag="reminded"):
    """Who is waited on was reminded, as due at ``due_at``; the next time is ``remind_at``."""

    due_at: datetime
    remind_at: datetime | None = None


class Resumed(Happened, frozen=True, kw_only=True, tag="resumed"):
    """The work goes on; ``targets`` holds the clocks that stood still, with their new due times."""

    by: str
    text: str = ""
    targets: tuple[Deadline, ...] = ()


class WorkaroundProposed(Happened, frozen=True, kw_only=True, tag="workaround-proposed"):
    """A workaround was proposed to the customer."""

    by: str
    text: str


class Recategorised(Happened, frozen=True, kw_only=True, tag="recategorised"):
    """A person changed what it is; ``was_…`` is what was believed before. ``targets`` are those of now."""

    by: str
    why: str
    level: Level
    severity: Severity
    priority: Priority
    was_level: Level
    was_severity: Severity
    was_priority: Priority
    cause_class: CauseClass | None = None
    targets: tuple[Deadline, ...] | None = None


class Cascaded(Happened, frozen=True, kw_only=True, tag="cascaded"):
    """A person, or time, took it to level 3, where the ladder of ``plan`` starts anew."""

    by: str
    why: str
    level: Level
    plan: Plan


class TargetWarned(Happened, frozen=True, kw_only=True, tag="target-warned"):
    """So much of a clock's time is used up: at ``reached_at``, of what ends at ``due_at``."""

    clock: Clock
    percent: float
    reached_at: datetime
    due_at: datetime


class TargetMissed(Happened, frozen=True, kw_only=True, tag="target-missed"):
    """A clock ran beyond its target."""

    clock: Clock
    due_at: datetime


class OutageExceeded(Happened, frozen=True, kw_only=True, tag="outage-exceeded"):
    """The outage that began at ``began_at`` lasts longer than is tolerated."""

    began_at: datetime
    tolerated_until: datetime


class Routed(Happened, frozen=True, kw_only=True, tag="routed"):
    """Who does it at once was told (``immediate``), or the customer got a receipt with a pre-qualification.

    An immediate one that is not over at ``until`` gets the receipt then.
    """

    path: Path
    why: str
    until: datetime | None = None


class ProblemProposed(Happened, frozen=True, kw_only=True, tag="problem-proposed"):
    """The fault is worth a look at its cause; ``count`` is how many incidents it had, when that is why."""

    why: str
    count: int = 0


class ProblemJudged(Happened, frozen=True, kw_only=True, tag="problem-judged"):
    """The proposed problem was accepted or declined."""

    by: str
    accepted: bool
    why: str = ""


class Flapped(Happened, frozen=True, kw_only=True, tag="flapped"):
    """Its targets fail and recover too often to be believed, or have come to rest."""

    on: bool
    changes: int = 0


Event = (
    Opened
    | SignalJoined
    | SignalCleared
    | Raised
    | Escalated
    | Acknowledged
    | Noted
    | Held
    | Resolved
    | Reopened
    | Closed
    | Merged
    | Absorbed
    | Told
    | NotTold
    | Exhausted
    | TicketLinked
    | Pended
    | Reminded
    | Resumed
    | WorkaroundProposed
    | Recategorised
    | Cascaded
    | TargetWarned
    | TargetMissed
    | OutageExceeded
    | Routed
    | ProblemProposed
    | ProblemJudged
    | Flapped
)


def pages_of(event: Event) -> tuple[Page, ...]:
    """Return everyone whom an event made Sentinel tell, in the order of the orders."""
    return (*event.tell, *event.copies) if isinstance(event, Escalated) else event.tell


_decoder = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode(event: Event) -> bytes:
    """Write an event as JSON; equal events give equal bytes, so that a hash can stand for them."""
    return _encoder.encode(event)


def decode(text: bytes) -> Event:
    """Read an event of any age.

    Raises:
        msgspec.ValidationError: it is none that was ever written.
    """
    event: Event = _decoder.decode(text)
    return event
