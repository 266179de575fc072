"""Where every target stands right now: what pages, metrics and rules look at. Rebuilt from the store at a start."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, Literal

import msgspec

from sentinel.core.model import Result
from sentinel.engine.forms import Form
from sentinel.engine.scheduler import Key
from sentinel.probes.plan import ProbePlan, shown
from sentinel.rules import Track

SLACK_S: Final = 60.0
ROWS_AT_ONCE: Final = 500  # At most about a millisecond, whatever is asked of them.
State = Literal["ok", "failing", "pending", "muted", "paused", "unknown"]


class Row(msgspec.Struct, kw_only=True):
    """One target. ``form``, ``numbers`` and ``told`` are what its last result says on the metrics page (``series.py``).

    ``labels`` are those of all its lines, put together when they are first asked for.
    ``key`` is that of the signal it raises, put together once: every run asks whether the signal still stands.
    It is ``unknown`` when its last run came to nothing because the host itself was cut off (rule SRC-9).
    ``kept`` stands for the state that the store was given last.
    """

    plan: ProbePlan
    target: str
    track: Track = Track()
    last: Result | None = None
    muted: str = ""
    unknown: bool = False
    form: Form | None = None
    numbers: bytes = b""
    told: tuple[tuple[str, str], ...] = ()
    labels: str = ""
    kept: int = 0
    key: str = ""

    def __post_init__(self) -> None:
        self.key = f"probe:{self.plan.name}/{shown(self.target)}"

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
    """All targets, by probe and target. ``ran_at`` is when one of them last ran."""

    def __init__(self) -> None:
        self.ran_at: datetime | None = None
        self._rows: dict[Key, Row] = {}
        self._by_probe: dict[str, list[Row]] = {}

    def ran(self, row: Row, result: Result) -> None:
        """Take the last result of a target."""
        row.last = result
        if self.ran_at is None or result.at > self.ran_at:
            self.ran_at = result.at

    def replace(self, plans: Iterable[ProbePlan]) -> None:
        """Take a new set of probes; targets that stay keep what is known of them."""
        rows: dict[Key, Row] = {}
        for plan in plans:
            for target in plan.targets:
                row = self._rows.get((plan.name, target))
                if row is None:
                    row = Row(plan=plan, target=target)
                if row.plan is not plan:
                    row.plan, row.labels = plan, ""
                if plan.paused:  # Its last result says nothing of now.
                    row.form = None
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

    def probes(self) -> Iterator[list[Row]]:
        """Yield the targets of each probe, in the order of the configuration; they are not to be changed."""
        yield from self._by_probe.values()

    def failing(self, probe: str) -> int:
        """Return how many targets of a probe are believed to fail."""
        return sum(row.track.failing for row in self.of(probe))

    def slices(self) -> Iterator[list[Row]]:
        """Yield every target that there is now, some at a time: between two slices others may have their turn."""
        rows = list(self._rows.values())
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            yield rows[begin : begin + ROWS_AT_ONCE]

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many targets there are of each kind and state; who never ran is pending."""
        return counted(self._rows.values())

    def last_run(self, probe: str, target: str) -> float | None:
        """Return the unix time of a target's last run, when there was one."""
        row = self._rows.get((probe, target))
        return row.last.at.timestamp() if row is not None and row.last is not None else None

    def last_runs(self) -> dict[Key, float]:
        """Return the unix time of each target's last run."""
        return {key: row.last.at.timestamp() for key, row in self._rows.items() if row.last is not None}

    async def find_stale(self, now: datetime, slack_s: float = SLACK_S) -> list[Row]:
        """Return targets whose last run is longer ago than their interval, their time limits and some slack.

        Others have their turns in between.
        """
        found: list[Row] = []
        for rows in self.slices():
            found += [row for row in rows if is_stale(row, now, slack_s)]
            await asyncio.sleep(0)
        return found


def labels_of(row: Row) -> dict[str, str]:
    """Return the labels by which a target is silenced or explained."""
    return {**row.plan.labels, "probe": row.plan.name, "target": row.target, "service": row.plan.service}


def counted(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Return how many of these targets there are of each kind and state; who never ran is pending."""
    states = ((row.plan.type, row.state) for row in rows)
    return Counter((kind, "pending" if state == "unknown" else state) for kind, state in states)


def is_stale(row: Row, now: datetime, slack_s: float = SLACK_S) -> bool:
    """Tell whether a target's last run is longer ago than its interval, its time limits and some slack."""
    if row.plan.paused:
        return False
    return row.last is None or (now - row.last.at).total_seconds() > row.plan.worst_case_s() + slack_s
