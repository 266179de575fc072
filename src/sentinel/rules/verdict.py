"""The first rule that matches decides (rule CLS-2); tables say what follows from what it leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from sentinel.core.model import Level, Priority, Refused, Severity, Verdict
from sentinel.rules.facts import Facts, Rejected, Rule, kind_of, mismatch
from sentinel.rules.words import ATTRIBUTED, CAUSES

# Rule CLS-12: how severity and priority map to one another.
SEVERITY_OF: dict[Priority, Severity] = {"P1": "blocking", "P2": "major", "P3": "minor", "P4": "minor"}
PRIORITY_OF: dict[Severity, Priority] = {"blocking": "P1", "major": "P2", "minor": "P3"}
# Rule CLS-11: what a level means when no rule says more, and a priority.
USUAL: dict[Level, Priority] = {3: "P1", 2: "P2", 1: "P4"}
LEVEL_OF: dict[Priority, Level] = {"P1": 3, "P2": 2, "P3": 2, "P4": 1}
# Rule CLS-3: impact, then urgency.
FROM_IMPACT: dict[tuple[str, str], Priority] = {
    ("high", "high"): "P1",
    ("high", "medium"): "P2",
    ("medium", "high"): "P2",
    ("high", "low"): "P3",
    ("medium", "medium"): "P3",
    ("low", "high"): "P3",
    ("medium", "low"): "P4",
    ("low", "medium"): "P4",
    ("low", "low"): "P4",
}

OTHERWISE = Rule(name="otherwise")  # What no rule names.


def classify(facts: Facts, rules: Sequence[Rule], group_by: Sequence[str]) -> Verdict | None:
    """Return the verdict of the first rule that matches, or nothing while a matching rule still waits for its time.

    Raises:
        Refused: it is a request of the lowest priority, and no date is agreed (rule CLS-9).
    """
    return explain(facts, rules, group_by)[0]


def explain(facts: Facts, rules: Sequence[Rule], group_by: Sequence[str]) -> tuple[Verdict | None, list[Rejected]]:
    """Return what ``classify`` does, and why the earlier rules did not match.

    Raises:
        Refused: as there.
    """
    rejected: list[Rejected] = []
    rule = decisive(facts, rules, rejected)
    return None if rule is None else verdict_of(rule, facts, group_by), rejected


def decisive(facts: Facts, rules: Sequence[Rule], rejected: list[Rejected] | None = None) -> Rule | None:
    """Return the first rule that matches, or nothing while it still waits for its time; note those ``rejected``."""
    facts = replace(facts, kind=kind_of(facts))
    for rule in (*rules, OTHERWISE):
        because = mismatch(rule, facts)
        if not because:
            return rule
        if rejected is not None:
            rejected.append(Rejected(rule.name, because))
        if rule.for_s and not mismatch(replace(rule, for_s=0.0), facts):
            return None  # The first match wins, and this one waits: what stands behind it has no say.
    raise AssertionError("the last rule matches everything")


def verdict_of(rule: Rule, facts: Facts, group_by: Sequence[str]) -> Verdict:
    """Return what a rule says of what it matches.

    Raises:
        Refused: it is a request of the lowest priority, and no date is agreed (rule CLS-9).
    """
    request = kind_of(facts) == "request"
    priority = _of_request(rule, facts) if request else _of_incident(rule, facts)
    level: Level = 1 if request else rule.level or LEVEL_OF[priority]  # A request pages nobody.
    said = facts.labels.get("cause", "")
    cause = said if said in CAUSES else rule.cause  # What people say corrects what a rule proposes.
    return Verdict(
        rule=rule.name,
        kind="request" if request else "incident",
        level=level,
        severity=rule.severity or SEVERITY_OF[priority],
        priority=priority,
        title=_fill(rule.title, facts) or facts.title,
        dedup=_fill(rule.dedup, facts) or _dedup(level, facts, group_by),
        cause_class=CAUSES.get(cause) or rule.cause_class,
        attributed_to=ATTRIBUTED.get(cause, ""),
        group=rule.group,
        major=rule.major,
        category=facts.labels.get("category", "") if request else "",
        agreed_on=facts.wanted if request else None,
        quiet_for=rule.quiet_for,
    )


def _of_incident(rule: Rule, facts: Facts) -> Priority:
    priority: Priority = _set_by(rule) or _stated(facts) or "P3"
    # Rule CLS-3: a contract that knows only P1 to P3 folds P4 into P3, unless a rule names P4 itself.
    folds = priority == "P4" != rule.priority and priority not in facts.priorities
    return "P3" if folds else priority


def _of_request(rule: Rule, facts: Facts) -> Priority:
    """Return a request's priority: never P1 (rule CLS-8); neither impact nor a wish raises what the lists say."""
    priority: Priority = _set_by(rule) or "P3"
    if priority == "P4" and facts.wanted is None:
        raise Refused(
            f"A request of priority P4 needs a date agreed with the customer, and none is given "
            f"(wanted=DATE); the rule `{rule.name}` makes it P4."
        )
    return "P2" if priority == "P1" else priority


def _set_by(rule: Rule) -> Priority | None:
    if rule.priority:
        return rule.priority
    if rule.severity:
        return PRIORITY_OF[rule.severity]
    return USUAL[rule.level] if rule.level else None


def _stated(facts: Facts) -> Priority | None:
    """Return what the report's own impact and urgency make of it, else the priority it names (rules CLS-3, SRC-7)."""
    graded = FROM_IMPACT.get((facts.labels.get("impact", ""), facts.labels.get("urgency", "")))
    named = facts.labels.get("priority")
    return graded or next((priority for priority in SEVERITY_OF if priority == named), None)


def _dedup(level: Level, facts: Facts, group_by: Sequence[str]) -> str:
    """Return the key under which failures become one incident (rule SRC-8).

    A warning stays by itself: an outage that joined it would seem to have begun weeks ago.
    """
    # The title of an alert may change with every number in it; its labels never do.
    own = (("alert", facts.alert),) if facts.alert else (("probe", facts.probe or facts.title),)
    shared = tuple((name, value) for name in group_by if (value := _known(name, facts)))
    chosen = shared if shared and level > 1 and not facts.alone else (*shared, *own)
    return ",".join(f"{name}={value}" for name, value in chosen)


def _known(name: str, facts: Facts) -> str:
    """Return a label, or what stands for it: a service is what the configuration calls it, whatever a tool does."""
    if name == "service" and facts.service:  # So a probe's failure is the same fault.
        return facts.service
    usual = getattr(facts, name) if name in {"service", "probe", "target"} else ""
    return facts.labels.get(name, usual)


def _fill(template: str, facts: Facts) -> str:
    if "{" not in template:  # As nearly always.
        return template
    for name in ("probe", "service", "target", "reason"):
        template = template.replace("{" + name + "}", getattr(facts, name))
    return template
