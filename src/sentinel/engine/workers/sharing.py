"""Which worker runs what: by a rendezvous hash of the host, so that another worker moves as little as can be.

All targets of a host go to one worker: only then does the limit for each host hold.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Literal

from sentinel.engine.scheduler import host_of
from sentinel.probes import kind as kind_of
from sentinel.probes.plan import ProbePlan

HOSTS_KEPT_MAX: Final = 65_536
# One process does what one process can; a second one costs memory, and pays from about here.
RUNS_PER_S_FROM: Final = 200.0
AUTO_MAX: Final = 16

Plans = dict[str, ProbePlan]


def worker_count(wanted: int | Literal["auto"], plans: Iterable[ProbePlan], cores: int) -> int:
    """Return how many workers there are to be; ``auto``: none for a few runs a second, else one for each core."""
    if wanted != "auto":
        return wanted
    runs_per_s = sum(len(plan.targets) / plan.interval_s for plan in plans if not plan.paused)
    if runs_per_s < RUNS_PER_S_FROM or cores < 2:
        return 0
    return min(cores, AUTO_MAX, math.ceil(runs_per_s / RUNS_PER_S_FROM))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def share_out(plans: Iterable[ProbePlan], workers: int) -> tuple[Plans, list[Plans]]:
    """Return what stays in the daemon, and what each worker runs; a plan with several hosts is split."""
    home: Plans = {}
    shares: list[Plans] = [{} for _ in range(workers)]
    for plan in plans:
        if not workers or plan.paused or plan.passive or kind_of(plan.type).at_home:
            home[plan.name] = plan
            continue
        for number, targets in _split(plan, workers).items():
            whole = len(targets) == len(plan.targets)
            shares[number][plan.name] = plan if whole else replace(plan, targets=tuple(targets))
    return home, shares


def _split(plan: ProbePlan, workers: int) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for target in plan.targets:
        found.setdefault(worker_of(host_of(target) or target, workers), []).append(target)
    return found


@lru_cache(maxsize=HOSTS_KEPT_MAX)
def worker_of(host: str, workers: int) -> int:
    """Return the worker of a host: the one whose hash with it is the greatest, the same in every process."""
    return max(range(workers), key=lambda number: blake2b(f"{number}\0{host}".encode(), digest_size=8).digest())


def part(limit: int, number: int, workers: int) -> int:
    """Return a worker's part of a limit for all of them; never nothing."""
    return max(1, limit // workers + (number < limit % workers))
