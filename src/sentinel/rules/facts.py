"""What is known when something is judged, what a rule asks for, and whether the two fit."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Literal

import msgspec

from sentinel.core.matching import like
from sentinel.core.model import PRIORITIES, CauseClass, Kind, Level, Major, Priority, Severity
from sentinel.rules.words import REQUESTED

# Reasons that warn ahead or tell of slowness rather than of an outage.
DEGRADED = ("cert_days", "expires", "loss", "jitter", "rtt", "max_duration", "warning")
OUTSIDE = "outside "  # `during: outside business`
# What a rule asks for by patterns, in the order in which an explanation looks for the first that does not fit.
FIELDS = ("kind", "source", "probe", "type", "service", "reason", "target")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a failure or a report when it is judged. ``failing`` of ``total`` targets of the probe fail.

    So many as ``quorum`` says count as all of them; 0 asks for all.

    A person's report has its words in ``labels`` (``rules.words``). ``on`` is the local day of the opening, ``wanted``
    the day agreed for an appointment or a request. ``open`` names the calendars that are open now, as far as rules
    ask. ``priorities`` holds those that the service's contract knows; a ``redundant`` service
    does without one of its parts. ``alert`` is the fingerprint of another tool's, which is a fault
    ``alone`` where that tool says itself what belongs together.
    """

    kind: Kind | Literal[""] = ""
    source: Literal["probe", "person", "alert"] = "probe"
    probe: str = ""
    type: str = ""
    service: str = ""
    target: str = ""
    alert: str = ""
    alone: bool = False
    reason: str = ""
    title: str = ""
    functional: bool = False
    failing: int = 1
    total: int = 1
    quorum: int = 0
    for_s: float = 0.0
    labels: dict[str, str] = {}
    on: date | None = None
    wanted: date | None = None
    open: tuple[str, ...] = ()
    priorities: tuple[Priority, ...] = PRIORITIES
    redundant: bool = False


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule asks for: each field that is not empty must hold; within a field one of the values is enough.

    An empty value stands for what was not given. ``wanted_after_days`` asks for a date more than so many days off,
    ``during`` for an open calendar (``business``), or one that is not (``outside business``).
    """

    kind: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    functional: bool | None = None
    labels: dict[str, tuple[str, ...]] = {}
    wanted_after_days: int | None = None
    during: tuple[str, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. ``when_failing`` asks for so many failing targets, ``for_s`` for so long a failure.

    A ``when_failing`` below 1 is a share of the targets.

    ``cause`` is one of ``words.CAUSES`` or empty; ``cause_class`` says only what sort it is. A finding is not raised
    anew for so long, ``quiet_for``, after its last incident was over.
    """

    name: str
    match: Match = Match()
    when_failing: float | Literal["all"] | None = None
    for_s: float = 0.0
    level: Level | None = None
    severity: Severity | None = None
    priority: Priority | None = None
    cause: str = ""
    cause_class: CauseClass | None = None
    group: str = ""
    major: Major = ""
    title: str = ""
    dedup: str = ""
    quiet_for: timedelta | None = None


class Rejected(msgspec.Struct, frozen=True):
    """A rule that came earlier, and why it did not match."""

    rule: str
    because: str


def kind_of(facts: Facts) -> Kind:
    """Return whether it is an incident or a request (rule CLS-1): as it says, else as a person's category says."""
    asked_for = facts.source == "person" and facts.labels.get("category") in REQUESTED
    return facts.kind or ("request" if asked_for else "incident")


def mismatch(rule: Rule, facts: Facts) -> str:
    """Return why a rule does not match the facts, in a few words; empty when it does."""
    asked = rule.match
    for field in FIELDS:
        because = _differs(field, getattr(facts, field), getattr(asked, field))
        if because:
            return because
    for label, values in asked.labels.items():
        because = _differs(label, facts.labels.get(label, ""), values)
        if because:
            return because
    if asked.functional is not None and asked.functional != facts.functional:
        return f"the probe is {'functional' if facts.functional else 'infrastructure'}"
    return (
        _too_soon(asked.wanted_after_days, facts)
        or _at_another_time(asked.during, facts)
        or _too_few(rule, facts)
        or _too_short(rule, facts)
    )


def _differs(name: str, known: str, values: tuple[str, ...]) -> str:
    if not values or any(like(known, value) for value in values):
        return ""
    return f"{name} is {known or 'not given'}, not {' or '.join(value or 'left out' for value in values)}"


def _too_soon(after_days: int | None, facts: Facts) -> str:
    if after_days is None:
        return ""
    if facts.wanted is None or facts.on is None:
        return "no date is wanted" if facts.wanted is None else "the day of the opening is not known"
    off_days = (facts.wanted - facts.on).days
    return "" if off_days > after_days else f"it is wanted in {off_days} days, not in more than {after_days}"


def _at_another_time(during: tuple[str, ...], facts: Facts) -> str:
    if not during or any((calendar_of(word) in facts.open) != word.startswith(OUTSIDE) for word in during):
        return ""
    return f"the time is not {' or '.join(word if word.startswith(OUTSIDE) else f'inside {word}' for word in during)}"


def calendar_of(word: str) -> str:
    """Return the calendar that a ``during`` names."""
    return word.removeprefix(OUTSIDE)


def _too_few(rule: Rule, facts: Facts) -> str:
    wanted = _wanted(rule.when_failing, facts)
    return f"{facts.failing} of {facts.total} targets fail, not {wanted}" if facts.failing < wanted else ""


def _wanted(asked: float | str | None, facts: Facts) -> int:
    """Return how many targets must fail."""
    if asked is None or (isinstance(asked, float) and asked < 1):
        return math.ceil(facts.total * (asked or 0))
    if asked != "all":
        return int(asked)
    if facts.total < 2:  # One target has no redundancy, unless its service does.
        return 2 if facts.redundant else 1
    return facts.quorum or facts.total


def _too_short(rule: Rule, facts: Facts) -> str:
    if facts.for_s >= rule.for_s:
        return ""
    return f"it has failed for {facts.for_s:.0f} s, not for {rule.for_s:.0f} s"
