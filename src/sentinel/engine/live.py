"""Where every target stands right now: what pages, metrics and rules look at. Rebuilt from the store at a start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

import msgspec

from sentinel.core.model import Result
from sentinel.engine.scheduler import Key
from sentinel.probes.plan import ProbePlan, shown
from sentinel.rules import Track

State = Literal["ok", "failing", "pending", "muted", "paused", "unknown"]


class Row(msgspec.Struct, kw_only=True):
    """One target. ``chunks`` maps a metric's name to its lines, written out when the result came.

    It is ``unknown`` when its last run came to nothing because the host itself was cut off (rule SRC-9).
    """

    plan: ProbePlan
    target: str
    track: Track = Track()
    last: Result | None = None
    muted: str = ""
    unknown: bool = False
    chunks: dict[str, bytes] = {}

    @property
    def key(self) -> str:
        """Return the key of the signal that this target raises."""
        return f"probe:{self.plan.name}/{shown(self.target)}"

    @property
    def state(self) -> State:
        """Return the state in a word; a failure that is not believed yet is pending."""
        if self.plan.paused:
            return "paused"
        if self.last is None or self.unknown:
            return "unknown"
        if self.muted:
            return "muted"
        if self.track.failing:
            return "failing"
        return "ok" if self.last.ok else "pending"

    @property
    def since(self) -> datetime | None:
        """Return since when it has been so."""
        return self.track.since


class Live:
    """All targets, by probe and target."""

    def __init__(self) -> None:
        self._rows: dict[Key, Row] = {}
        self._by_probe: dict[str, list[Row]] = {}

    def replace(self, plans: Iterable[ProbePlan]) -> None:
        """Take a new set of probes; targets that stay keep what is known of them."""
        rows: dict[Key, Row] = {}
        for plan in plans:
            for target in plan.targets:
                row = self._rows.get((plan.name, target))
                if row is None:
                    row = Row(plan=plan, target=target)
                row.plan = plan
                if plan.paused:  # Its last result says nothing of now.
                    row.chunks = {}
                rows[(plan.name, target)] = row
        self._rows = rows
        self._by_probe = {}
        for row in rows.values():
            self._by_probe.setdefault(row.plan.name, []).append(row)

    def row(self, probe: str, target: str) -> Row | None:
        """Return one target."""
        return self._rows.get((probe, target))

    def rows(self) -> Iterator[Row]:
        """Yield every target, in the order of the configuration."""
        yield from self._rows.values()

    def of(self, probe: str) -> list[Row]:
        """Return the targets of a probe."""
        return self._by_probe.get(probe, [])

    def failing(self, probe: str) -> int:
        """Return how many targets of a probe are believed to fail."""
        return sum(row.track.failing for row in self.of(probe))

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many targets there are of each kind and state; who never ran is pending."""
        states = ((row.plan.type, row.state) for row in self._rows.values())
        return Counter((kind, "pending" if state == "unknown" else state) for kind, state in states)

    def last_runs(self) -> dict[Key, float]:
        """Return the unix time of each target's last run."""
        return {key: row.last.at.timestamp() for key, row in self._rows.items() if row.last is not None}

    def stale(self, now: datetime, slack_s: float = 60.0) -> list[Row]:
        """Return targets whose last run is longer ago than their interval, their time limits and some slack."""
        return [
            row
            for row in self._rows.values()
            if not row.plan.paused
            and (row.last is None or (now - row.last.at).total_seconds() > row.plan.worst_case_s() + slack_s)
        ]
