"""Which rule decides, remembered by what the rules look at: a storm of failures that are alike is judged once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

from sentinel.core.model import Verdict
from sentinel.rules.facts import FIELDS, Facts, Rule, kind_of
from sentinel.rules.verdict import decisive, verdict_of

KNOWN_MAX: Final = 4_096  # Answers that are kept.
# What a rule looks at beyond names and labels, by what it asks for.
WHEN_FAILING: Final = ("failing", "total", "quorum", "redundant")
WANTED: Final = ("wanted", "on")


class Deciding:
    """The rules of a configuration, and which of them decided what they were asked before (rule CLS-2)."""

    def __init__(self, rules: Sequence[Rule], group_by: Sequence[str]) -> None:
        self._rules = rules
        self._group_by = group_by
        self.asks_hours = any(rule.match.during for rule in rules)
        self._labels = tuple(sorted({label for rule in rules for label in rule.match.labels}))
        self._waits_s = sorted({rule.for_s for rule in rules if rule.for_s})
        # At least two, so that what is got is a tuple.
        self._looked_at = attrgetter("source", "service", *self._fields(rules))
        self._known: dict[tuple[Any, ...], Rule | None] = {}

    def _fields(self, rules: Sequence[Rule]) -> tuple[str, ...]:
        asked = {field for field in FIELDS if field != "kind" for rule in rules if getattr(rule.match, field)}
        asked |= {"functional" for rule in rules if rule.match.functional is not None}
        asked |= {field for field in WHEN_FAILING for rule in rules if rule.when_failing is not None}
        asked |= {field for field in WANTED for rule in rules if rule.match.wanted_after_days is not None}
        return tuple(sorted(asked | {"open"}))

    @property
    def steady(self) -> bool:
        """Tell whether the rules say the same of the same alert at any time."""
        return not self._waits_s and not self.asks_hours

    def classify(self, facts: Facts) -> Verdict | None:
        """Return the verdict of the first rule that matches, or nothing while a matching rule still waits for its time.

        Raises:
            Refused: it is a request of the lowest priority, and no date is agreed (rule CLS-9).
        """
        get, waited = facts.labels.get, bisect_right(self._waits_s, facts.for_s)
        asked = (kind_of(facts), waited, self._looked_at(facts), *[get(label) for label in self._labels])
        if asked not in self._known:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[asked] = decisive(facts, self._rules)
        rule = self._known[asked]
        return None if rule is None else verdict_of(rule, facts, self._group_by)
