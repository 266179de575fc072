"""What can be asked of an incident: imperative, and carrying all that the core needs to decide."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from sentinel.core.known_error import KnownError
from sentinel.core.model import CauseClass, Level, Page, Plan, Priority, Severity, Signal, Verdict, WaitsOn
from sentinel.core.state import Sent


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all commands."""


class Report(Command, frozen=True, kw_only=True):
    """A signal says that something is wrong: opens an incident, joins one, or raises its level.

    ``past`` counts the earlier incidents of the same fault within the window of rule LIF-8; ``known`` is the record of
    the fault, if it has one. ``joins`` is the plan that the incident which explains it goes on with (rule SRC-8).
    """

    signal: Signal
    verdict: Verdict
    plan: Plan
    requester: str = ""
    past: int = 0
    known: KnownError | None = None
    joins: Plan | None = None


class Recover(Command, frozen=True, kw_only=True):
    """What a signal reported is over (rule LIF-6)."""

    key: str
    text: str
    close_by: datetime


class Acknowledge(Command, frozen=True, kw_only=True):
    """A named person takes the incident."""

    by: str
    via: str


class Note(Command, frozen=True, kw_only=True):
    """A person adds to the timeline; nobody is told of what is ``quiet``.

    ``source`` says where it stood before, in a ticket back-end, so that it does not go back there.
    """

    by: str
    text: str
    quiet: bool = False
    source: str = ""


class Resolve(Command, frozen=True, kw_only=True):
    """A person says that service is back (rule LIF-6: with a text).

    ``instructions`` says what must change in the runbook, ``cause_class`` what the cause was, if it is known.
    """

    by: str
    text: str
    close_by: datetime
    workaround_only: bool = False
    instructions: str = ""
    cause_class: CauseClass | None = None


class Pend(Command, frozen=True, kw_only=True):
    """The work waits for the customer, or for a third party, of whom something is asked (rule LIF-4)."""

    by: str
    waits_on: WaitsOn
    ask: str
    whom: str = ""
    via: str = "api"


class Resume(Command, frozen=True, kw_only=True):
    """What was waited for has come, or is waited for no longer."""

    by: str
    text: str = ""


class Propose(Command, frozen=True, kw_only=True):
    """A person proposes a workaround to the customer (rule SLA-6)."""

    by: str
    text: str


class Publish(Command, frozen=True, kw_only=True):
    """A person writes to customers: on status pages, and to their subscribers. One language will do."""

    by: str
    fr: str = ""
    en: str = ""
    next_at: datetime | None = None


class Recategorise(Command, frozen=True, kw_only=True):
    """A person says that it is something else than the rules believed (rule CLS-13); what is left out stays."""

    by: str
    why: str
    priority: Priority | None = None
    level: Level | None = None
    severity: Severity | None = None
    cause_class: CauseClass | None = None
    attributed_to: Literal["customer", ""] | None = None


class Cascade(Command, frozen=True, kw_only=True):
    """A person takes an incident to level 3 (rule SRC-4)."""

    by: str
    why: str = ""


class Escalate(Command, frozen=True, kw_only=True):
    """Somebody, of any party, calls the next level of the escalation now, and says why (rule ESC-1)."""

    by: str
    why: str


class JudgeProblem(Command, frozen=True, kw_only=True):
    """The incident manager accepts the proposed problem, as the record ``number``, or declines it (rule LIF-8)."""

    by: str
    accept: bool
    why: str = ""
    number: str = ""


class Hold(Command, frozen=True, kw_only=True):
    """A person keeps the incident open even when its probes recover, or lets go of it.

    With ``close_by``, an incident of which nothing fails any more resolves when it is let go (rule LIF-6).
    """

    by: str
    on: bool = True
    close_by: datetime | None = None


class Reopen(Command, frozen=True, kw_only=True):
    """It was not over."""

    by: str
    why: str


class Close(Command, frozen=True, kw_only=True):
    """The requester confirms (rule LIF-7)."""

    by: str
    why: str = ""


class Merge(Command, frozen=True, kw_only=True):
    """This incident is part of another one."""

    by: str
    into: str


class Absorb(Command, frozen=True, kw_only=True):
    """Another incident was merged into this one; its signals come along, and whom its pages reached.

    ``incident.absorption`` makes it from the other one.
    """

    by: str
    number: str
    signals: tuple[Signal, ...]
    reached: tuple[Page, ...] = ()
    verdict: Verdict | None = None
    plan: Plan | None = None
    faults: tuple[str, ...] = ()
    cause_class: CauseClass | None = None
    attributed_to: Literal["customer", ""] = ""


class Accept(Command, frozen=True, kw_only=True):
    """A carrier took a message, or a digest of so many ``together`` (rule DSP-7)."""

    message: str
    reference: str
    tries: int
    together: int = 1


class Fail(Command, frozen=True, kw_only=True):
    """A channel could not deliver a message for now (``final`` is false), or never will."""

    message: str
    why: str
    final: bool


class Bounce(Command, frozen=True, kw_only=True):
    """A carrier says of a message that it took that it did not arrive; ``bounces.recalled`` makes it from the log.

    ``tried`` are the channels by which the same was said to the person; ``told_otherwise`` and ``others_told`` tell
    whether it may have reached them, or anybody, all the same.
    """

    message: str
    sent: Sent
    why: str
    tried: tuple[str, ...] = ()
    told_otherwise: bool = False
    others_told: bool = False


class LinkTicket(Command, frozen=True, kw_only=True):
    """The ticket back-end answered with its own reference; ``state`` and ``assignee`` as the ticket shows them."""

    backend: str
    reference: str
    url: str = ""
    state: str = ""
    assignee: str = ""


class Tick(Command, frozen=True, kw_only=True):
    """Time has passed: whatever is due by now is due."""
