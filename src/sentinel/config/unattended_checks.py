"""Rules ``when: unacknowledged`` say how long nobody may take an incident, and nothing else (rule SRC-4)."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.config.contract_checks import Fault
from sentinel.config.rule_entry import RuleEntry, RuleMatch
from sentinel.config.sections import Config

CASCADES = 2
ONTO = 3
ASKED = frozenset({"level", "service"})
SAID = frozenset({"name", "match", "when", "for_", "level"})


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield what such a rule cannot ask or say, and a level asked for where it is not known yet."""
    for number, rule in config.rules:
        path = ("rules", number)
        if not rule.unattended:
            if rule.match.level:
                what = "a rule decides the level, so it cannot ask for it"
                yield Fault((*path, "match", "level"), what, "only with `when: unacknowledged`")
            continue
        yield from _asked(rule.match, (*path, "match"))
        for key in sorted(rule.model_fields_set - SAID):
            what = "a rule `when: unacknowledged` says what becomes of an incident that is there"
            yield Fault((*path, key), what, f"leave `{key}` out")
        if rule.level != ONTO:
            yield Fault(path, "what nobody takes cascades to level 3", "write `level: 3`")
        if not rule.for_:
            yield Fault(path, "after how long is not said", "write `for: 15m`")


def _asked(match: RuleMatch, path: tuple[str | int, ...]) -> Iterator[Fault]:
    for key in sorted(match.model_fields_set - ASKED):
        yield Fault((*path, key), "an incident that is there is asked for its `level` and `service` only")
    if match.level and match.level != (CASCADES,):
        yield Fault((*path, "level"), "only a level 2 cascades", "write `level: 2`")


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield a rule that one before it leaves nothing to."""
    taken: RuleEntry | None = None
    for number, rule in config.rules:
        if not rule.unattended:
            continue
        if taken is not None:
            what = "the rule is never reached: one `when: unacknowledged` before it takes every service"
            yield Fault(("rules", number), what, "move it up")
        elif not rule.match.service:
            taken = rule
