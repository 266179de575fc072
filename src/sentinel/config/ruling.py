"""Rules as written become rules as judged; a configuration without any has the catalogue that Sentinel ships."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final

import yaml

from sentinel.config.calendars import Calendars
from sentinel.config.checks import audience_of
from sentinel.config.rule_entry import RuleEntry
from sentinel.config.sections import Config
from sentinel.core.model import PRIORITIES, Priority
from sentinel.core.sla import Contract
from sentinel.probes import ALIASES
from sentinel.rules import Match, Rule, calendar_of
from sentinel.rules.words import CAUSES

CATALOGUE: Final = "catalogue.yaml"
# Keys of `match` that are labels of a report, written without `labels:`.
LABEL_KEYS: Final = ("asset", "category", "scope", "symptom", "impact", "urgency")
_LOADER: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # Every scalar a text, as in a configuration.


def rules_of(config: Config) -> tuple[Rule, ...]:
    """Return the rules of a configuration; one without any has the catalogue's (rule CLS-2)."""
    written = tuple(
        rule_of(entry, number, group=audience_of(entry.group, config) if entry.group else "")
        for number, entry in config.rules
        if not entry.unattended
    )
    return written or catalogue()


@cache
def catalogue() -> tuple[Rule, ...]:
    """Return the classification of rules CLS-4 to CLS-11, read from the file that is shipped."""
    text = resources.files("sentinel.rulepacks").joinpath(CATALOGUE).read_text("utf-8")
    entries = yaml.load(text, Loader=_LOADER)["rules"]  # noqa: S506  a base loader makes texts, lists and mappings only
    return tuple(rule_of(RuleEntry.model_validate(entry), number) for number, entry in enumerate(entries))


def open_calendars(rules: Iterable[Rule], calendars: Calendars, now: datetime) -> tuple[str, ...]:
    """Return which of the calendars that rules ask about are open.

    Raises:
        OutOfCalendar: it is beyond the years that calendars know.
    """
    asked = dict.fromkeys(calendar_of(word) for rule in rules for word in rule.match.during)
    return tuple(name for name in asked if calendars.time(name).is_open(now))


def priorities_of(contract: Contract) -> tuple[Priority, ...]:
    """Return the priorities that a contract tells apart (rule CLS-3): one time to acknowledge is no word about P4."""
    named = {target.priority for target in contract.targets if target.clock != "ack"}
    return PRIORITIES if not named or "P4" in named else PRIORITIES[:-1]


def rule_of(entry: RuleEntry, number: int, *, group: str = "") -> Rule:
    """Return one rule; ``group`` is the audience that its own one names."""
    asked, cause = entry.match, entry.cause or ""
    own = {key: values for key in LABEL_KEYS if (values := getattr(asked, key))}
    return Rule(
        name=entry.name or f"rule {number + 1}",
        match=Match(
            kind=asked.kind,
            probe=asked.probe,
            type=tuple(ALIASES.get(kind, kind) for kind in asked.type),
            service=asked.service,
            reason=asked.reason,
            source=asked.source,
            target=asked.target,
            functional=asked.functional,
            labels={**asked.labels, **own},
            wanted_after_days=asked.wanted_after.days if asked.wanted_after is not None else None,
            during=asked.during,
        ),
        when_failing=entry.when.failing if entry.when else None,
        for_s=entry.for_.total_seconds(),
        level=entry.level,
        severity=entry.severity,
        priority=entry.priority,
        cause=cause if cause in CAUSES else "",
        cause_class="intrinsic" if cause == "intrinsic" else "extrinsic" if cause == "extrinsic" else None,
        group=group,
        major=entry.major,
        title=entry.title,
        dedup=entry.dedup if isinstance(entry.dedup, str) else "",
        quiet_for=entry.dedup if isinstance(entry.dedup, timedelta) else None,
    )
