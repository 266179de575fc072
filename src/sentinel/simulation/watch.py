"""Every run of every target on virtual time: when it begins, whether a fault lets it fail, how long it takes.

Times are whole microseconds since the start. A good run of a target that was fine anyway changes nothing but its last
good run, and costs no more here than noting that; all others are handed on to be judged.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from sentinel.engine.live import Row
from sentinel.probes.plan import ProbePlan

NEVER: Final = 1 << 62
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fault:
    """A target does not work from just after a moment until another; each attempt that fails takes so long."""

    begins_us: int
    ends_us: int = NEVER
    takes_us: int = 0
    reason: str = "timeout"
    detail: str = ""


class Seen(NamedTuple):
    """What one run saw: nothing when all was well, and how long it took, confirmation included."""

    fault: Fault | None
    took_us: int


@dataclass(slots=True)
class Watched:
    """One target. Runs before ``heed_us`` cannot matter; ``good_us`` is the last of them."""

    row: Row
    first_us: int
    faults: deque[Fault]
    heed_us: int = 0
    good_us: int | None = None

    def heed(self, *, stands: bool) -> None:
        """Settle from when on runs are judged: all while something is wrong, else from the next fault on."""
        track = self.row.track
        if stands or track.failing or track.streak:
            self.heed_us = 0
        else:
            self.heed_us = self.faults[0].begins_us + 1 if self.faults else NEVER

    def run(self, began_us: int) -> Seen:
        """Run once: a failure is confirmed inside the run (rule SRC-1), as ``engine.prober`` does."""
        while self.faults and self.faults[0].ends_us <= began_us:
            self.faults.popleft()
        fault = self.faults[0] if self.faults and self.faults[0].begins_us < began_us else None
        return confirmed(self.row.plan, fault, began_us) if fault else Seen(None, 0)


def confirmed(plan: ProbePlan, fault: Fault, began_us: int) -> Seen:
    """Return what a run sees that begins during a fault: the fault, unless it ends before it is confirmed.

    Attempts that fail come first, so that a good one that decides is the last.
    """
    confirm = plan.confirm
    failures, need, took_us = 0, min(confirm.need, confirm.attempts), fault.takes_us
    limit_us = took_us + round(confirm.within_s * 1e6)
    for attempt in range(1, confirm.attempts + 1):
        starts_us = took_us + round(confirm.every_s * 1e6)
        fails = began_us + starts_us < fault.ends_us
        took_us = starts_us + (fault.takes_us if fails else 0)
        if took_us > limit_us:  # What was seen until now stands.
            return Seen(fault, limit_us)
        failures += fails
        if failures >= need:
            return Seen(fault, took_us)
        if failures + confirm.attempts - attempt < need:
            return Seen(None, took_us)
    return Seen(fault, took_us)


class Run(NamedTuple):
    """A run that is to be judged."""

    began_us: int
    target: Watched


@dataclass(slots=True)
class _Ring:
    """The targets of one interval, in the order of their turns; ``base_us`` is when the present round began."""

    interval_us: int
    targets: list[Watched]
    base_us: int = 0
    at: int = 0
    _firsts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.targets.sort(key=lambda one: one.first_us)
        self._firsts = [one.first_us for one in self.targets]

    @property
    def next_us(self) -> int:
        return self.base_us + self._firsts[self.at]

    @property
    def runs(self) -> int:
        return self.base_us // self.interval_us * len(self.targets) + self.at

    def walk(self, until_us: int) -> Run | None:
        """Go on to the next run that is to be judged and begins by then; all before it found nothing new."""
        targets, firsts, base_us, at, count = self.targets, self._firsts, self.base_us, self.at, len(self.targets)
        while (began_us := base_us + firsts[at]) <= until_us:
            target = targets[at]
            at += 1
            if at == count:
                at, base_us = 0, base_us + self.interval_us
            if began_us >= target.heed_us:
                self.base_us, self.at = base_us, at
                return Run(began_us, target)
            target.good_us = began_us
        self.base_us, self.at = base_us, at
        return None


class Watch:
    """All targets that are watched."""

    def __init__(self, targets: Iterable[Watched] = ()) -> None:
        self.targets = tuple(targets)
        rings: dict[int, list[Watched]] = {}
        for one in self.targets:
            one.heed(stands=False)
            rings.setdefault(round(one.row.plan.interval_s * 1e6), []).append(one)
        self._rings = [_Ring(interval_us, members) for interval_us, members in rings.items()]

    def next(self, until_us: int) -> Run | None:
        """Return the next run to judge that begins by then."""
        while self._rings:
            nearest, *rest = heapq.nsmallest(2, self._rings, key=lambda ring: ring.next_us)
            if nearest.next_us > until_us:
                return None
            # Up to where the next ring has its turn the nearest one goes alone.
            found = nearest.walk(min(until_us, rest[0].next_us) if rest else until_us)
            if found:
                return found
        return None

    @property
    def runs(self) -> int:
        """Return how many runs there have been."""
        return sum(ring.runs for ring in self._rings)

    def quiet(self, now_us: int, patience_us: int) -> bool:
        """Tell whether no run can bring anything any more: what fails is believed and goes on failing, or all is well.

        A rule may ask for a failure to last so long, ``patience_us``, before it says anything.
        """
        return all(_quiet(one, now_us, patience_us) for one in self.targets)


def _quiet(one: Watched, now_us: int, patience_us: int) -> bool:
    if not one.faults:
        return one.heed_us == NEVER
    fault = one.faults[0]
    lasting = fault.ends_us == NEVER and fault.begins_us < now_us
    # It has lasted since the first run that saw it; the run that finds it long enough comes one interval later at most.
    rounds_us = round(3 * one.row.plan.interval_s * 1e6)
    return lasting and one.row.track.failing and now_us - fault.begins_us > patience_us + rounds_us
