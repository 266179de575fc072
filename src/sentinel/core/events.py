"""What happened to an incident: past tense, append-only, readable for ever.

An event carries what was decided, never what to decide it from. ``tell`` holds whom the event made Sentinel tell;
the message to each has the id ``NUMBER/SEQUENCE/PERSON/CHANNEL``. ``withdraw`` holds the messages that nobody needs
to send any more because of it. A field added later has a default; a kind is never
renamed: golden files in the tests hold one of each.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

import msgspec

from sentinel.core.cause_events import ChangeLinked
from sentinel.core.crisis_events import CrisisEvent
from sentinel.core.deadlines import Deadline
from sentinel.core.handing_events import Assigned, HandedBack, HandingEvent
from sentinel.core.happened import Happened
from sentinel.core.known_error import KnownError
from sentinel.core.life_events import (
    Cascaded,
    Flapped,
    HoursChanged,
    IntegrityLost,
    OutageExceeded,
    Pended,
    ProblemJudged,
    ProblemProposed,
    Published,
    Recategorised,
    Reminded,
    Resumed,
    Routed,
    TargetMissed,
    TargetWarned,
    WorkaroundProposed,
)
from sentinel.core.model import CauseClass, Kind, Level, Major, Page, Plan, Priority, Severity, Signal, Watch
from sentinel.core.receipt_events import Bounced
from sentinel.core.request_events import Declined, RequestEvent, Scheduled
from sentinel.core.review_events import ReviewEvent
from sentinel.core.sla import ClockName

__all__ = [
    "Absorbed",
    "Acknowledged",
    "Assigned",
    "Bounced",
    "Cascaded",
    "ChangeLinked",
    "Closed",
    "Declined",
    "Escalated",
    "Event",
    "Exhausted",
    "Flapped",
    "HandedBack",
    "Happened",
    "Held",
    "HoursChanged",
    "IntegrityLost",
    "Merged",
    "NotTold",
    "Noted",
    "Opened",
    "OutageExceeded",
    "Pended",
    "ProblemJudged",
    "ProblemProposed",
    "Published",
    "Raised",
    "Recategorised",
    "Reminded",
    "Reopened",
    "Resolved",
    "Resumed",
    "Routed",
    "Scheduled",
    "SignalCleared",
    "SignalJoined",
    "TargetMissed",
    "TargetWarned",
    "TicketLinked",
    "Told",
    "WorkaroundProposed",
    "decode",
    "encode",
    "pages_of",
]


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
    watch: Watch | None = None
    attributed_to: Literal["customer", ""] = ""
    major: Major = ""
    known: KnownError | None = None
    category: str = ""
    agreed_on: date | None = None


class SignalJoined(Happened, frozen=True, kw_only=True, tag="signal-joined"):
    """Another signal of the same fault, or one that came back; ``starts`` holds the clocks that it starts.

    What a failing dependency explains brings its own ``fault`` along, and the ``plan`` of both (rule SRC-8).
    """

    signal: Signal
    requester: str = ""
    starts: tuple[Deadline, ...] = ()
    plan: Plan | None = None
    fault: str = ""


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
    watch: Watch | None = None


class Escalated(Happened, frozen=True, kw_only=True, tag="escalated"):
    """A step of the ladder was taken: the ``repeat``-th time, due at ``due_at``, because of ``why``.

    ``tell`` holds whom the step pages, ``copies`` who only listens. ``rung`` is its number in its own ladder, where
    that is another one. ``by`` is who asked for it, ``clock`` the target that did; it is ``forced`` when nothing else
    would have.
    """

    step: int
    repeat: int
    due_at: datetime
    why: str
    copies: tuple[Page, ...] = ()
    rung: int | None = None
    by: str = ""
    clock: ClockName | None = None
    forced: bool = False

    @property
    def place(self) -> int:
        """Return its number in its own ladder; the first is 0."""
        return self.step if self.rung is None else self.rung


class Acknowledged(Happened, frozen=True, kw_only=True, tag="acknowledged"):
    """A named person took the incident."""

    by: str
    via: str


class Noted(Happened, frozen=True, kw_only=True, tag="noted"):
    """A person added to the timeline; ``source`` says where it stood before: ``redmine:22/15``."""

    by: str
    text: str
    source: str = ""


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
    watch: Watch | None = None


class Closed(Happened, frozen=True, kw_only=True, tag="closed"):
    """The requester confirmed, or time did."""

    by: str
    why: str


class Merged(Happened, frozen=True, kw_only=True, tag="merged"):
    """The incident goes on as part of another one."""

    by: str
    into: str


class Absorbed(Happened, frozen=True, kw_only=True, tag="absorbed"):
    """Another incident became part of this one; ``reached`` holds whom its pages had reached.

    ``faults`` are those that it stood for: what fails of them again belongs here. A cause that is known of it alone is
    known of both.
    """

    by: str
    number: str
    signals: tuple[Signal, ...]
    reached: tuple[Page, ...] = ()
    faults: tuple[str, ...] = ()
    cause_class: CauseClass | None = None
    attributed_to: Literal["customer", ""] = ""


class Told(Happened, frozen=True, kw_only=True, tag="told"):
    """A carrier took a message, or a digest of so many ``together`` (rule DSP-7)."""

    message: str
    person: str
    channel: str
    reference: str
    tries: int
    together: int = 1


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
    """The ticket back-end named its ticket, and how it was left or seen there: whose, and in which state."""

    backend: str
    reference: str
    url: str = ""
    state: str = ""
    assignee: str = ""


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
    | Published
    | Recategorised
    | Cascaded
    | TargetWarned
    | TargetMissed
    | OutageExceeded
    | IntegrityLost
    | Routed
    | ProblemProposed
    | ProblemJudged
    | Flapped
    | HoursChanged
    | CrisisEvent
    | ReviewEvent
    | RequestEvent
    | ChangeLinked
    | Bounced
    | HandingEvent
)

# In a storm signals come and go by the hundred: what follows an incident follows these together.
PASSING = (SignalJoined, SignalCleared)


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
