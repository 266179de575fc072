"""How long nobody may take an incident before it cascades: what rules ``when: unacknowledged`` say (rule SRC-4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from sentinel.config.sections import Config
from sentinel.core.matching import like


class Cascading(NamedTuple):
    """After how long a level 2 that nobody takes cascades (nothing: never), and the rule that says so."""

    after: timedelta | None = None
    rule: str = ""


class Unattended(NamedTuple):
    """One such rule, for the services that it names; for all, when it names none."""

    services: tuple[str, ...]
    cascading: Cascading


def unattended_of(config: Config) -> tuple[Unattended, ...]:
    """Return the rules of this sort, in their order."""
    return tuple(
        Unattended(entry.match.service, Cascading(entry.for_, entry.name or f"rule {number + 1}"))
        for number, entry in config.rules
        if entry.unattended
    )


def cascading_of(service: str, rules: Iterable[Unattended], usual: timedelta) -> Cascading:
    """Return what the first rule for a service says; without one it is as usual (``0s``: never)."""
    for rule in rules:
        if not rule.services or any(like(service, wanted) for wanted in rule.services):
            return rule.cascading
    return Cascading(usual or None)
