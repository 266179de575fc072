"""What can be asked of an incident: imperative, and carrying all that the core needs to decide."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sentinel.core.model import Page, Plan, Signal, Verdict


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all commands."""


class Report(Command, frozen=True, kw_only=True):
    """A signal says that something is wrong: opens an incident, joins one, or raises its level."""

    signal: Signal
    verdict: Verdict
    plan: Plan
    requester: str = ""


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
    """A person adds to the timeline."""

    by: str
    text: str


class Resolve(Command, frozen=True, kw_only=True):
    """A person says that service is back (rule LIF-6: with a text)."""

    by: str
    text: str
    close_by: datetime
    workaround_only: bool = False


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


class Accept(Command, frozen=True, kw_only=True):
    """A carrier took a message."""

    message: str
    reference: str
    tries: int


class Fail(Command, frozen=True, kw_only=True):
    """A channel could not deliver a message for now (``final`` is false), or never will."""

    message: str
    why: str
    final: bool


class LinkTicket(Command, frozen=True, kw_only=True):
    """The ticket back-end answered with its own reference."""

    backend: str
    reference: str
    url: str = ""


class Tick(Command, frozen=True, kw_only=True):
    """Time has passed: whatever is due by now is due."""
