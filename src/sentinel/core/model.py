"""The nouns of the process, as plain frozen data; no behaviour beyond their own arithmetic."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from sentinel.core.rota import Rota

if TYPE_CHECKING:
    from sentinel.core.terms import Terms

Level = Literal[1, 2, 3]
Severity = Literal["minor", "major", "blocking"]
Priority = Literal["P1", "P2", "P3", "P4"]
CauseClass = Literal["intrinsic", "extrinsic"]
Kind = Literal["incident", "request"]
Phase = Literal["open", "acknowledged", "in_progress", "pending", "resolved", "closed", "merged"]
Unless = Literal["never", "acknowledged", "resolved"]
Language = Literal["fr", "en"]
WaitsOn = Literal["customer", "third_party"]
Path = Literal["immediate", "receipt"]

LEVELS: tuple[Level, ...] = (1, 2, 3)
PRIORITIES: tuple[Priority, ...] = ("P1", "P2", "P3", "P4")
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "blocking")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a probe against one target ended with, its own confirmation included.

    ``reason`` is a label from the probe kind's closed set and empty when the run succeeded; ``detail`` is a
    sentence for people. ``at`` is when the first attempt started. A suspect result was taken while the host itself
    was in trouble, and is not judged alone.
    """

    probe: str
    target: str
    at: datetime
    duration_s: float
    ok: bool
    reason: str = ""
    detail: str = ""
    attempts: int = 1
    suspect: bool = False
    value: float | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One report that something is wrong, from a probe, a monitoring tool or a person (rules SRC-1 to SRC-6).

    ``key`` says what reports, and is stable: ``probe:web-ping/web1.example.org``. ``since`` is when the fault was
    first seen, ``last_good_at`` the last run that was fine, from which T0 follows.
    """

    key: str
    source: Literal["probe", "person", "alert"]
    title: str
    at: datetime
    since: datetime
    detail: str = ""
    reason: str = ""
    service: str = ""
    last_good_at: datetime | None = None
    labels: dict[str, str] = {}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules make of a signal (rule CLS-2).

    ``attributed_to`` says whose doing a cause is that is not the provider's business (rule CLS-10).
    """

    rule: str
    level: Level
    severity: Severity
    priority: Priority
    title: str
    dedup: str
    kind: Kind = "incident"
    cause_class: CauseClass | None = None
    attributed_to: Literal["customer", ""] = ""
    group: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of an escalation: at ``after`` from the opening, tell ``to`` by ``by``, unless the state says not to.

    ``to`` holds audiences: ``alice``, ``group:ops``. An empty ``by`` leaves the choice to each person.
    """

    after: timedelta
    to: tuple[str, ...]
    by: tuple[str, ...] = ()
    unless: Unless = "acknowledged"
    repeats: int = 0
    every: timedelta = timedelta(minutes=5)
    min_level: Level = 3

    def __post_init__(self) -> None:
        """Refuse what the arithmetic of the ladder cannot bear."""
        if self.after < timedelta(0) or self.repeats < 0 or self.every <= timedelta(0):
            raise ValueError("a step lies in the future, and time passes between its repeats")


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Who else hears of an incident, and of which of its moments: an entry of the plain list ``recipients``."""

    who: str
    by: tuple[str, ...] = ()
    on: tuple[str, ...] = ("opened", "resolved")
    min_level: Level = 3
    services: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says at an opening; copied into the event, so that replay never asks it again.

    ``manager``, ``operations`` and ``intervention`` are audiences: the incident manager, the customer's operations,
    who does what takes no longer than ``immediate_within`` (rule LIF-2); ``expected`` is the runbook's word for that.
    A level 2 that nobody takes cascades ``cascade_after`` so long (rule SRC-4), and then has ``cascade_ticket``.
    The ``problem_after``-th incident of a fault proposes a problem (rule LIF-8), ``flap_changes`` within
    ``flap_within`` make it flap (rule LIF-10); 0 is never. ``outage_tolerated`` is how long an outage may last (SLA-5).
    """

    ladder: tuple[Step, ...] = ()
    listeners: tuple[Listener, ...] = ()
    last_resort: tuple[str, ...] = ()
    last_resort_by: tuple[str, ...] = ()
    ticket: str = ""
    runbook: str = ""
    manager: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    intervention: tuple[str, ...] = ()
    expected: timedelta | None = None
    immediate_within: timedelta = timedelta(minutes=10)
    cascade_after: timedelta | None = None
    cascade_ticket: str = ""
    problem_after: int = 0
    problem_unknown_cause: bool = False
    flap_changes: int = 0
    flap_within: timedelta = timedelta(hours=1)
    outage_tolerated: timedelta | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Someone Sentinel can reach. ``addresses`` maps the kind of an address (``email``, ``mobile``) to it.

    ``by`` is the person's own choice and order of channels (rule DSP-1); empty means all that fit.
    """

    id: str
    name: str
    addresses: dict[str, str]
    language: Language = "fr"
    timezone: str = "Europe/Paris"
    by: tuple[str, ...] = ()
    side: Literal["provider", "customer", "partner"] = "provider"
    role: Literal["viewer", "operator", "admin"] = "operator"


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What the core needs to know of a way to reach people: the kind of address it wants, and its stand-in.

    ``address`` is empty for a channel that reaches a place rather than a person, such as a webhook.
    """

    name: str
    address: Literal["email", "mobile", ""]
    fallback: str = ""


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Whom to tell, and by which channel: an audience, resolved at the moment of the decision."""

    person: str
    channel: str


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """Who can be told, and how: people, groups, channels, rotas, as configured now.

    ``moment`` is when somebody is to be told, which says who of a rota is; without one it is nobody. ``terms`` is what
    was agreed about time; without them there are no targets and no reminders.
    """

    people: dict[str, Person]
    groups: dict[str, tuple[str, ...]]
    channels: dict[str, Channel]
    rotas: dict[str, Rota] = {}
    moment: datetime | None = None
    terms: Terms | None = None


class Refused(Exception):  # noqa: N818  a refusal is an answer, not a fault
    """A person asked for the impossible; the text says why, in a sentence."""
