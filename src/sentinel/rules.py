"""Results become verdicts: streaks, and an ordered list of rules of which the first that matches decides (rule CLS-2).

Pure: told the facts, it answers; ``explain`` also says why the rules before did not match.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from sentinel.core.matching import like
from sentinel.core.model import CauseClass, Level, Priority, Severity, Verdict

# Rule CLS-12: how severity and priority map to one another.
SEVERITY_OF: dict[Priority, Severity] = {"P1": "blocking", "P2": "major", "P3": "minor", "P4": "minor"}
PRIORITY_OF: dict[Severity, Priority] = {"blocking": "P1", "major": "P2", "minor": "P3"}
# Rule CLS-11: what a level means when no rule says more.
USUAL: dict[Level, Priority] = {3: "P1", 2: "P2", 1: "P4"}

# Reasons that warn ahead or tell of slowness rather than of an outage.
DEGRADED = ("cert_days", "expires", "loss", "jitter", "rtt", "max_duration", "warning")


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Where one target of a probe stands, and since when.

    ``last_good_at`` is the last good run before the present failure, or of all. ``streak`` counts the results in a
    row, from ``streak_since`` on, that say it has changed and are not believed yet.
    """

    failing: bool = False
    since: datetime | None = None
    last_good_at: datetime | None = None
    streak: int = 0
    streak_since: datetime | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A target changed side. ``since`` dates from the first result of the streak, not from when it was believed."""

    failing: bool
    since: datetime
    last_good_at: datetime | None


def judge(track: Track, ok: bool, at: datetime, *, need: int) -> tuple[Track, Turn | None]:
    """Return the new track, and a turn only when the target changes side after ``need`` results in a row.

    A run confirms its own failure, so that one is enough (rule SRC-1); a recovery takes the configured count.
    """
    last_good_at = at if ok else track.last_good_at
    if ok != track.failing:  # It is as it was.
        return Track(failing=track.failing, since=track.since or at, last_good_at=last_good_at), None
    began_at = track.streak_since or at
    if track.streak + 1 < need:
        # A failure that may be recovering has begun when it has begun, should it fail again.
        waiting = replace(track, since=track.since or at, streak=track.streak + 1, streak_since=began_at)
        return waiting, None
    turned = Track(failing=not ok, since=began_at, last_good_at=last_good_at)
    return turned, Turn(failing=turned.failing, since=began_at, last_good_at=turned.last_good_at)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a failure when it is judged. ``failing`` of ``total`` targets of the probe fail."""

    source: Literal["probe", "person", "alert"] = "probe"
    probe: str = ""
    type: str = ""
    service: str = ""
    target: str = ""
    reason: str = ""
    title: str = ""
    functional: bool = False
    failing: int = 1
    total: int = 1
    for_s: float = 0.0
    labels: dict[str, str] = {}


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule asks for: each field that is not empty must hold; within a field one of the values is enough."""

    probe: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    functional: bool | None = None
    labels: dict[str, tuple[str, ...]] = {}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. ``when_failing`` asks for so many failing targets, ``for_s`` for so long a failure."""

    name: str
    match: Match = Match()
    when_failing: int | Literal["all"] | None = None
    for_s: float = 0.0
    level: Level | None = None
    severity: Severity | None = None
    priority: Priority | None = None
    cause_class: CauseClass | None = None
    group: str = ""
    title: str = ""
    dedup: str = ""


class Rejected(msgspec.Struct, frozen=True):
    """A rule that came earlier, and why it did not match."""

    rule: str
    because: str


# Rules CLS-10 and CLS-11: the classification of a configuration that has no rules of its own.
BUILT_IN: tuple[Rule, ...] = (
    Rule(name="integrity", match=Match(type=("integrity",)), level=3, severity="blocking", priority="P1"),
    Rule(
        name="lapsed",
        match=Match(type=("expiry",), reason=("expired",)),
        level=2,
        priority="P2",
        cause_class="extrinsic",
    ),
    Rule(name="expires soon", match=Match(type=("expiry",)), level=1, priority="P4", cause_class="extrinsic"),
    Rule(name="degraded", match=Match(reason=DEGRADED), level=1, priority="P4"),
    Rule(name="functional", match=Match(functional=True), level=3, priority="P1"),
    Rule(name="whole part", match=Match(source=("probe",)), when_failing="all", level=3, priority="P1"),
    Rule(name="redundant part", match=Match(source=("probe",)), level=2, priority="P3"),
)
LAST = Rule(name="otherwise", level=2, priority="P3")


def classify(facts: Facts, rules: Sequence[Rule], group_by: Sequence[str]) -> Verdict | None:
    """Return the verdict of the first rule that matches, or nothing while a matching rule still waits for its time."""
    return explain(facts, rules, group_by)[0]


def explain(facts: Facts, rules: Sequence[Rule], group_by: Sequence[str]) -> tuple[Verdict | None, list[Rejected]]:
    """Return what ``classify`` does, and why the earlier rules did not match."""
    rejected: list[Rejected] = []
    for rule in (*(rules or BUILT_IN), LAST):
        because = mismatch(rule, facts)
        if not because:
            return _verdict(rule, facts, group_by), rejected
        rejected.append(Rejected(rule.name, because))
        if rule.for_s and not mismatch(replace(rule, for_s=0.0), facts):
            return None, rejected  # The first match wins, and this one waits: what stands behind it has no say.
    raise AssertionError("the last rule matches everything")


def mismatch(rule: Rule, facts: Facts) -> str:
    """Return why a rule does not match the facts, in a few words; empty when it does."""
    asked = rule.match
    for field in ("probe", "type", "service", "reason", "source", "target"):
        values: tuple[str, ...] = getattr(asked, field)
        if values and not any(like(getattr(facts, field), value) for value in values):
            return f"{field} is {getattr(facts, field) or 'not given'}, not {' or '.join(values)}"
    for label, values in asked.labels.items():
        if not any(like(facts.labels.get(label, ""), value) for value in values):
            return f"{label} is {facts.labels.get(label) or 'not given'}, not {' or '.join(values)}"
    if asked.functional is not None and asked.functional != facts.functional:
        return f"the probe is {'functional' if facts.functional else 'infrastructure'}"
    wanted = facts.total if rule.when_failing == "all" else rule.when_failing or 0
    if rule.when_failing == "all" and facts.total < 2:  # One target has no redundancy to speak of.
        wanted = 1
    if facts.failing < wanted:
        return f"{facts.failing} of {facts.total} targets fail, not {wanted}"
    if facts.for_s < rule.for_s:
        return f"it has failed for {facts.for_s:.0f} s, not for {rule.for_s:.0f} s"
    return ""


def _verdict(rule: Rule, facts: Facts, group_by: Sequence[str]) -> Verdict:
    level: Level = rule.level or 2
    priority = rule.priority or (PRIORITY_OF[rule.severity] if rule.severity else USUAL[level])
    return Verdict(
        rule=rule.name,
        level=level,
        severity=rule.severity or SEVERITY_OF[priority],
        priority=priority,
        title=_fill(rule.title, facts) or facts.title,
        dedup=_fill(rule.dedup, facts) or _dedup(level, facts, group_by),
        cause_class=rule.cause_class,
        group=rule.group,
    )


def _dedup(level: Level, facts: Facts, group_by: Sequence[str]) -> str:
    """Return the key under which failures become one incident (rule SRC-8).

    A warning stays by itself: an outage that joined it would seem to have begun weeks ago.
    """
    own = (("probe", facts.probe or facts.title),)
    known = {"service": facts.service, "probe": facts.probe, "target": facts.target, **facts.labels}
    shared = tuple((name, known[name]) for name in group_by if known.get(name))
    chosen = shared if shared and level > 1 else (*shared, *own)
    return ",".join(f"{name}={value}" for name, value in chosen)


def _fill(template: str, facts: Facts) -> str:
    for name in ("probe", "service", "target", "reason"):
        template = template.replace("{" + name + "}", getattr(facts, name))
    return template
