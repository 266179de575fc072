"""What the configuration says of alerts by their labels, and what follows where it says nothing (rule SRC-2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from sentinel.core.inhibition import Selector
from sentinel.core.model import PRIORITIES
from sentinel.rules.facts import Match, Rule
from sentinel.rules.verdict import LEVEL_OF

KNOWN_MAX: Final = 4_096  # Answers that are kept.


class AlertMeaning(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of ``intake.map``: whose the alerts it is about are, what they mean, or that they mean nothing."""

    match: Selector = Selector()
    service: str = ""
    ignore: bool = False
    rule: Rule | None = None


def service_of(labels: Mapping[str, str], meanings: Iterable[AlertMeaning]) -> str:
    """Return the service that the first entry which matches and names one gives; empty without."""
    return next((one.service for one in meanings if one.service and one.match.holds(labels)), "")


def ignored(labels: Mapping[str, str], meanings: Iterable[AlertMeaning]) -> bool:
    """Tell whether an alert is to be ignored: the first entry that says what it means says nothing."""
    decisive = (one for one in meanings if (one.ignore or one.rule is not None) and one.match.holds(labels))
    first = next(decisive, None)
    return first is not None and first.ignore


class Meanings:
    """What the configuration says of alerts, remembered by the labels that it asks for."""

    def __init__(self, meanings: Sequence[AlertMeaning] = ()) -> None:
        self._meanings = meanings
        self._asked = tuple(sorted({label for one in meanings for label in one.match.labels}))
        self._known: dict[tuple[str | None, ...], tuple[str, bool]] = {}

    def of(self, labels: Mapping[str, str]) -> tuple[str, bool]:
        """Return the service that alerts with these labels are about, if an entry says, and whether to ignore them."""
        asked = tuple([labels.get(label) for label in self._asked])
        found = self._known.get(asked)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[asked] = service_of(labels, self._meanings), ignored(labels, self._meanings)
        return found


def usual() -> tuple[AlertMeaning, ...]:
    """Return what alerts mean where nothing is configured: a priority they name, else their severity."""
    named = (
        AlertMeaning(
            match=Selector(labels={"priority": (priority,)}),
            rule=Rule(
                name=f"priority {priority}",
                match=Match(source=("alert",), labels={"priority": (priority,)}),
                level=LEVEL_OF[priority],
                priority=priority,
            ),
        )
        for priority in PRIORITIES
    )
    graded = (
        AlertMeaning(
            match=Selector(labels={"severity": (severity,)}),
            rule=Rule(
                name=f"severity {severity}",
                match=Match(source=("alert",), labels={"severity": (severity,)}),
                level=LEVEL_OF[priority],
                priority=priority,
            ),
        )
        for severity, priority in USUAL_SEVERITIES
    )
    # Prometheus' own Watchdog fires for ever, to show that it can.
    return (*named, *graded, AlertMeaning(match=Selector(labels={"severity": ("none",)}), ignore=True))


USUAL_SEVERITIES = (
    ("critical", PRIORITIES[0]),
    ("page", PRIORITIES[0]),
    ("error", PRIORITIES[1]),
    ("warning", PRIORITIES[2]),
    ("info", PRIORITIES[3]),
)
