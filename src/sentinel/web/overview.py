"""Where all targets stand, in numbers: counted once a second at most, however many pages ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from aiohttp import web

from sentinel.engine.live import Live, Row, State
from sentinel.web.context import CONTEXT

FRESH_FOR: Final = timedelta(seconds=1)
TROUBLED_MAX: Final = 500
WORST_FIRST: Final[tuple[State, ...]] = ("failing", "pending", "unknown", "muted", "paused", "ok")
# What somebody may have to look at; what is muted or paused, somebody has wanted so.
TROUBLED: Final[frozenset[State]] = frozenset({"failing", "pending", "unknown"})


@dataclass(frozen=True, slots=True)
class Overview:
    """How many targets stand how, in all and of each service, and those in trouble, the worst first."""

    at: datetime
    states: Counter[State] = field(default_factory=Counter)
    services: dict[str, Counter[State]] = field(default_factory=dict)
    troubled: list[Row] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Return how many targets there are."""
        return self.states.total()

    def worst(self, service: str) -> State:
        """Return the worst state of a target of a service; ``ok`` for one without targets."""
        counts: Mapping[State, int] = self.services.get(service, {})
        return next((state for state in WORST_FIRST if counts.get(state)), "ok")


def look(live: Live, now: datetime) -> Overview:
    """Count all targets."""
    rows = list(live.rows())
    states = [row.state for row in rows]
    found = Overview(now)
    # Nothing is made for each target that would have to be collected: there are ten thousand of them.
    services = Counter(zip((row.plan.service for row in rows), states, strict=True))
    for (service, state), count in services.items():
        found.states[state] += count
        found.services.setdefault(service, Counter())[state] = count
    troubled = (row for row, state in zip(rows, states, strict=True) if state in TROUBLED)
    found.troubled.extend(islice(troubled, TROUBLED_MAX))
    found.troubled.sort(key=lambda row: WORST_FIRST.index(row.state))
    return found


class Kept:
    """The last count."""

    def __init__(self) -> None:
        self.last: Overview | None = None


KEPT: Final = web.AppKey("OVERVIEW", Kept)


def overview(request: web.Request) -> Overview:
    """Return the count of now, or of a moment ago."""
    context, kept = request.app[CONTEXT], request.app[KEPT]
    now = context.now()
    if kept.last is None or not timedelta(0) <= now - kept.last.at < FRESH_FOR:
        kept.last = look(context.live, now)
    return kept.last
