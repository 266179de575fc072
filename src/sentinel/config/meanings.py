"""What ``intake.map`` says becomes rules that stand before the others (rule SRC-2)."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel.config.intake import IntakeSection, MapEntry
from sentinel.core.inhibition import Selector
from sentinel.rules import Match, Rule
from sentinel.rules.alerts import AlertMeaning, usual


def meanings_of(intake: IntakeSection) -> tuple[AlertMeaning, ...]:
    """Return what alerts mean; without a ``map`` what their priority or severity usually does."""
    if intake.map is None:
        return usual()
    return tuple(_meaning(entry, number) for number, entry in enumerate(intake.map))


def rules_for_alerts(meanings: Iterable[AlertMeaning]) -> tuple[Rule, ...]:
    """Return the rules among them, in their order."""
    return tuple(one.rule for one in meanings if one.rule is not None)


def _meaning(entry: MapEntry, number: int) -> AlertMeaning:
    says = entry.level or entry.priority or entry.severity or entry.major
    rule = Rule(
        name=entry.name or f"map {number + 1}",
        match=Match(source=("alert",), labels=dict(entry.match)),
        level=entry.level,
        priority=entry.priority,
        severity=entry.severity,
        major=entry.major,
    )
    return AlertMeaning(
        match=Selector(labels=dict(entry.match)),
        service=entry.service,
        ignore=entry.ignore,
        rule=rule if says else None,
    )
