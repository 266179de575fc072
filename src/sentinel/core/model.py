"""The nouns of the process, as plain frozen data; no behaviour beyond their own arithmetic."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from sentinel.core.crisis_plan import CrisisPlan
from sentinel.core.matrix import Matrix
from sentinel.core.review_plan import ReviewPlan
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
Major = Literal["", "propose", "auto"]
# What somebody may do: `core/access.py` says what each gives.
Role = Literal["viewer", "operator", "incident_manager", "delivery_manager", "administrator", "customer"]
Source = Literal["probe", "person", "alert", "mail", "sms", "phone"]
During = Literal["always", "inside", "outside", "otherwise"]

PEOPLE: frozenset[Source] = frozenset({"person", "mail", "sms", "phone"})  # Nothing says by itself that it is over.
LEVELS: tuple[Level, ...] = (1, 2, 3)
PRIORITIES: tuple[Priority, ...] = ("P1", "P2", "P3", "P4")
SEVERITIES: tuple[Severity, ...] = ("minor", "major", "blocking")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a probe against one target ended with, its own confirmation included.

    ``reason`` is a label from the probe kind's closed set and empty when the run succeeded; ``detail`` is a
    sentence for people. ``at`` is when the first attempt started. A suspect result was taken while the host itself
    was in trouble, and is not judged alone; ``doubt`` names the trouble, also when a further attempt has settled it.
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
    doubt: str = ""
    value: float | None = None


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One report that something is wrong, from a probe, a monitoring tool or a person (rules SRC-1 to SRC-6).

    ``key`` says what reports, and is stable: ``probe:web-ping/web1.example.org``. ``since`` is when the fault was
    first seen, ``last_good_at`` the last run that was fine, from which T0 follows.
    """

    key: str
    source: Source
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

    ``attributed_to`` says whose doing a cause is that is not the provider's business (rule CLS-10). A ``major`` one
    has its crisis proposed, or started at once (rule MAJ-2). ``quiet_for`` is how long after its last incident was over
    the same fault opens no new one.
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
    category: str = ""
    agreed_on: date | None = None
    major: Major = ""
    quiet_for: timedelta | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of an escalation: at ``after`` from the ladder's start, tell ``to`` by ``by``, unless the state says no.

    ``to`` holds audiences: ``alice``, ``group:ops``. An empty ``by`` leaves the choice to each person. ``ladder``
    names the ladder it belongs to, where an escalation has several.
    """

    after: timedelta
    to: tuple[str, ...]
    by: tuple[str, ...] = ()
    unless: Unless = "acknowledged"
    repeats: int = 0
    every: timedelta = timedelta(minutes=5)
    min_level: Level = 3
    ladder: str = ""

    def __post_init__(self) -> None:
        """Refuse what the arithmetic of the ladder cannot bear."""
        if self.after < timedelta(0) or self.repeats < 0 or self.every <= timedelta(0):
            raise ValueError("a step lies in the future, and time passes between its repeats")


class LadderHours(msgspec.Struct, frozen=True, kw_only=True):
    """When a ladder is in force: inside or outside a calendar, outside all those before it, or always (rule ESC-3)."""

    name: str
    during: During = "always"
    calendar: str = ""


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Which ladder is in force, and until when that stays so; without ``until`` it never changes.

    Out of hours only what is urgent pages (rule ESC-2): what is ``gated`` waits for the opening.
    """

    ladder: str = ""
    out_of_hours: bool = False
    gated: bool = False
    until: datetime | None = None


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Who else hears of an incident, and of which of its moments: an entry of the plain list ``recipients``."""

    who: str
    by: tuple[str, ...] = ()
    on: tuple[str, ...] = ("opened", "resolved")
    min_level: Level = 3
    services: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says at an opening; copied into the event, so that replay never asks it again.

    ``ladder`` holds the steps of all ladders of the escalation; ``ladders`` says when each is in force, the first that
    is wins. Without ``ladders`` there is one, always.
    ``manager``, ``operations`` and ``intervention`` are audiences: the incident manager, the customer's operations,
    who does what takes no longer than ``immediate_within`` (rule LIF-2); ``expected`` is the runbook's word for that.
    A level 2 that nobody takes cascades ``cascade_after`` so long (rule SRC-4), and then has ``cascade_ticket``.
    The ``problem_after``-th incident of a fault proposes a problem (rule LIF-8), ``flap_changes`` within
    ``flap_within`` make it flap (rule LIF-10); 0 is never. ``outage_tolerated`` is how long an outage may last (SLA-5),
    ``restore_within`` how long the restoring of data; ``integrity_kept`` tells that no data at all may be damaged.
    ``carries`` are the channels that the service itself carries, which nobody is told by of its failure (DSP-5);
    ``depends_on`` the services that it needs, the nearest first, which explain its failure (SRC-8). ``mirrors`` are the
    ticket back-ends that follow ``ticket``; ``required`` is what whoever resolves it must say. ``cascade_rule`` names
    the rule that gave ``cascade_after``.
    """

    ladder: tuple[Step, ...] = ()
    ladders: tuple[LadderHours, ...] = ()
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
    crisis: CrisisPlan | None = None
    review: ReviewPlan | None = None
    restore_within: timedelta | None = None
    integrity_kept: bool = False
    carries: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    cascade_rule: str = ""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Someone Sentinel can reach. ``addresses`` maps the kind of an address (``email``, ``mobile``, ``ntfy``) to it.

    ``by`` is the person's own choice and order of channels (rule DSP-1); empty means all that fit.
    """

    id: str
    name: str
    addresses: dict[str, str]
    language: Language = "fr"
    timezone: str = "Europe/Paris"
    by: tuple[str, ...] = ()
    side: Literal["provider", "customer", "partner"] = "provider"
    role: Role = "operator"
    customer: str = ""


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What the core needs to know of a way to reach people: the kind of address it wants, and its stand-in.

    ``address`` is empty for a channel that reaches a place rather than a person, such as a webhook.
    """

    name: str
    address: Literal["email", "mobile", "ntfy", ""]
    fallback: str = ""
    providers: tuple[str, ...] = ()


class Page(msgspec.Struct, frozen=True, array_like=True):
    """Whom to tell, and by which channel: an audience, resolved at the moment of the decision."""

    person: str
    channel: str


class Directory(msgspec.Struct, frozen=True, kw_only=True):
    """Who can be told, and how: people, groups, channels, rotas, escalation matrices, as configured now.

    ``moment`` is when somebody is to be told, which says who of a rota is; without one it is nobody. ``terms`` is what
    was agreed about time; without them there are no targets and no reminders. ``avoided`` are channels that cannot be
    trusted for what is told now, because what is told is that they fail (rule DSP-5); ``lowered`` are the kinds of
    address of a person that lately took nothing.
    """

    people: dict[str, Person]
    groups: dict[str, tuple[str, ...]]
    channels: dict[str, Channel]
    rotas: dict[str, Rota] = {}
    matrices: dict[str, Matrix] = {}
    moment: datetime | None = None
    terms: Terms | None = None
    avoided: frozenset[str] = frozenset()
    lowered: dict[str, frozenset[str]] = {}


class Refused(Exception):  # noqa: N818  a refusal is an answer, not a fault
    """A person asked for the impossible; the text says why, in a sentence."""
