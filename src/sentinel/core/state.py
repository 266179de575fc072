"""The state of an incident: what its events add up to."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal

import msgspec

from sentinel.core.business import Period
from sentinel.core.crisis_state import CrisisState
from sentinel.core.deadlines import ClockState
from sentinel.core.known_error import KnownError
from sentinel.core.model import (
    CauseClass,
    Kind,
    Level,
    Page,
    Path,
    Phase,
    Plan,
    Priority,
    Severity,
    Signal,
    WaitsOn,
    Watch,
)
from sentinel.core.review_state import ReviewState


class Standing(msgspec.Struct, frozen=True):
    """A signal of the incident, whether what it reports still holds, and the last moments at which that changed."""

    signal: Signal
    failing: bool
    changes: tuple[datetime, ...] = ()


class Sent(msgspec.Struct, frozen=True):
    """A message on its way, and what came of it so far. Those of one ``occasion`` belong together: a sequence.

    A ``page`` asks someone to act and belongs to a step of the ladder, or to the last resort when ``step`` is -1. An
    ``alarm`` tells who listens that something is wrong, a ``notice`` anything else. A page is ``forced`` when its step
    was taken although nothing but a person, or a target at risk, asked for it.
    """

    person: str
    channel: str
    kind: Literal["page", "alarm", "notice"]
    occasion: int
    step: int = -1
    fate: Literal["waiting", "failing", "accepted", "dead", "withdrawn"] = "waiting"
    forced: bool = False

    @property
    def page(self) -> Page:
        """Return whom it is for, and by which channel."""
        return Page(self.person, self.channel)

    @property
    def unsettled(self) -> bool:
        """Tell whether it may still arrive."""
        return self.fate in {"waiting", "failing"}


class Incident(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """An incident as it is now. Built by ``evolve`` only; kept as a snapshot beside its events.

    ``taken`` counts how often each step of the ladder was taken since ``ladder_at``. ``sent`` forgets the messages of
    an occasion as they settle, so that it never holds more than people, channels and retries allow. ``reached`` holds
    whom pages have reached since the opening or reopening; ``heard`` tells whether this ladder has reached anybody.
    ``clocks`` holds the targets by clock, ``lapsed`` those that its priority has no more, for what they said already,
    ``pauses`` the times it was pending. ``overruled_…`` is what the rules said
    when a person said otherwise: only more than that raises it again. ``changes`` are the last moments at which a
    signal came or went. ``watch`` is which ladder is in force, once hours were looked at; ``level_at`` is since when it
    has been open at this level. ``mirrored`` holds its tickets in other back-ends, by their names; ``there`` in which
    state, and whose, each ticket was when it was last left or seen.
    """

    number: str
    sequence: int
    phase: Phase
    title: str
    service: str
    kind: Kind
    level: Level
    severity: Severity
    priority: Priority
    rule: str
    dedup: str
    t0: datetime
    opened_at: datetime
    updated_at: datetime
    plan: Plan
    signals: dict[str, Standing]
    ladder_at: datetime
    cause_class: CauseClass | None = None
    group: str = ""
    requester: str = ""
    taken: dict[int, int] = {}
    sent: dict[str, Sent] = {}
    reached: tuple[Page, ...] = ()
    heard: bool = False
    exhausted: bool = False
    held_by: str = ""
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    assigned_to: str = ""
    resolved_by: str = ""
    resolved_at: datetime | None = None
    resolution: str = ""
    close_by: datetime | None = None
    closed_at: datetime | None = None
    merged_into: str = ""
    ticket: str = ""
    ticket_url: str = ""
    mirrored: dict[str, str] = {}
    there: dict[str, tuple[str, str]] = {}
    clocks: dict[str, ClockState] = {}
    lapsed: dict[str, ClockState] = {}
    pauses: tuple[Period, ...] = ()
    pending_since: datetime | None = None
    waits_on: WaitsOn | None = None
    waits_for: str = ""
    asked: str = ""
    remind: tuple[str, ...] = ()
    remind_at: datetime | None = None
    workaround: str = ""
    workaround_at: datetime | None = None
    overruled_level: int = 0
    overruled_priority: Priority | None = None
    path: Path | None = None
    path_until: datetime | None = None
    problem: Literal["", "proposed", "accepted", "declined"] = ""
    instructions: str = ""
    changes: tuple[datetime, ...] = ()
    flapping: bool = False
    outage_exceeded: bool = False
    crisis: CrisisState | None = None
    review: ReviewState | None = None
    major: bool = False
    known: KnownError | None = None
    problem_number: str = ""
    also: tuple[str, ...] = ()
    integrity_lost_at: datetime | None = None
    attributed_to: Literal["customer", ""] = ""
    watch: Watch | None = None
    level_at: datetime | None = None
    category: str = ""
    agreed_on: date | None = None
    planned: bool = False
    refused: str = ""
    caused_by: str = ""
    cause_tolerated: timedelta | None = None
    cause_judged: bool = False

    def failing(self) -> tuple[Signal, ...]:
        """Return the signals that still hold."""
        return tuple(standing.signal for standing in self.signals.values() if standing.failing)

    @property
    def fails(self) -> bool:
        """Tell whether a signal still holds."""
        return any(standing.failing for standing in self.signals.values())

    @property
    def active(self) -> bool:
        """Tell whether work on it is still to be done."""
        return self.phase not in {"resolved", "closed", "merged"}

    @property
    def laddered(self) -> bool:
        """Tell whether some step of its plan is meant for its level."""
        return any(step.min_level <= self.level for step in self.plan.ladder)

    @property
    def gated(self) -> bool:
        """Tell whether it is out of hours, and not urgent enough to page anybody before the opening (rule ESC-2)."""
        return self.watch is not None and self.watch.gated

    @property
    def over(self) -> bool:
        """Tell whether the incident itself has come to its end."""
        return self.phase in {"closed", "merged"}

    @property
    def finished(self) -> bool:
        """Tell whether nothing can happen any more: it is over, and so are its review and its actions."""
        return self.over and (self.review is None or not self.review.open)
