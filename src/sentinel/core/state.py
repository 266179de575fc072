"""The state of an incident: what its events add up to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from sentinel.core.business import Period
from sentinel.core.deadlines import ClockState
from sentinel.core.model import CauseClass, Kind, Level, Page, Path, Phase, Plan, Priority, Severity, Signal, WaitsOn


class Standing(msgspec.Struct, frozen=True):
    """A signal of the incident, and whether what it reports still holds."""

    signal: Signal
    failing: bool


class Sent(msgspec.Struct, frozen=True):
    """A message on its way, and what came of it so far. Those of one ``occasion`` belong together: a sequence.

    A ``page`` asks someone to act and belongs to a step of the ladder, or to the last resort when ``step`` is -1. An
    ``alarm`` tells who listens that something is wrong, a ``notice`` anything else.
    """

    person: str
    channel: str
    kind: Literal["page", "alarm", "notice"]
    occasion: int
    step: int = -1
    fate: Literal["waiting", "failing", "accepted", "dead", "withdrawn"] = "waiting"

    @property
    def page(self) -> Page:
        """Return whom it is for, and by which channel."""
        return Page(self.person, self.channel)

    @property
    def unsettled(self) -> bool:
        """Tell whether it may still arrive."""
        return self.fate in {"waiting", "failing"}


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it is now. Built by ``evolve`` only; kept as a snapshot beside its events.

    ``taken`` counts how often each step of the ladder was taken since ``ladder_at``. ``sent`` forgets the messages of
    an occasion as they settle, so that it never holds more than people, channels and retries allow. ``reached`` holds
    whom pages have reached since the opening or reopening; ``heard`` tells whether this ladder has reached anybody.
    ``clocks`` holds the targets by clock, ``pauses`` the times it was pending. ``overruled_…`` is what the rules said
    when a person said otherwise: only more than that raises it again. ``changes`` are the last moments at which a
    signal came or went.
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
    resolved_by: str = ""
    resolved_at: datetime | None = None
    resolution: str = ""
    close_by: datetime | None = None
    closed_at: datetime | None = None
    merged_into: str = ""
    ticket: str = ""
    ticket_url: str = ""
    clocks: dict[str, ClockState] = {}
    pauses: tuple[Period, ...] = ()
    pending_since: datetime | None = None
    waits_on: WaitsOn | None = None
    waits_for: str = ""
    asked: str = ""
    remind: tuple[str, ...] = ()
    remind_at: datetime | None = None
    workaround: str = ""
    overruled_level: int = 0
    overruled_priority: Priority | None = None
    path: Path | None = None
    path_until: datetime | None = None
    problem: Literal["", "proposed", "accepted", "declined"] = ""
    instructions: str = ""
    changes: tuple[datetime, ...] = ()
    flapping: bool = False
    outage_exceeded: bool = False

    def failing(self) -> tuple[Signal, ...]:
        """Return the signals that still hold."""
        return tuple(standing.signal for standing in self.signals.values() if standing.failing)

    @property
    def active(self) -> bool:
        """Tell whether work on it is still to be done."""
        return self.phase not in {"resolved", "closed", "merged"}

    @property
    def laddered(self) -> bool:
        """Tell whether some step of its plan is meant for its level."""
        return any(step.min_level <= self.level for step in self.plan.ladder)

    @property
    def over(self) -> bool:
        """Tell whether nothing can happen to it any more."""
        return self.phase in {"closed", "merged"}
