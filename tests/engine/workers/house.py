"""A fleet on its own, in the test's loop: real worker processes, and a list of what came of their runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sentinel.config.load import load
from sentinel.engine.clock import SystemClock
from sentinel.engine.scheduler import Limits, Scheduler
from sentinel.engine.workers.fleet import Fleet, Working
from sentinel.engine.workers.wire import Ran
from sentinel.engine.workers.worker import Worker
from sentinel.probes.plan import ProbePlan

WITHIN_S = 60.0
HEAD = "services:\n  campus: {name: Campus}\nprobes:\n"


def plans_of(folder: Path, *lines: str) -> dict[str, ProbePlan]:
    """Read probes as people write them."""
    path = folder / "probes.yaml"
    path.write_text(HEAD + "".join(f"  {line}\n" for line in lines))
    return load(path).setup.probes


class Watched:
    """A fleet and everything that it was told."""

    def __init__(self, workers: int) -> None:
        clock = SystemClock()
        self.at_home: list[str] = []
        self.fleet = Fleet(Scheduler(clock, self._run_at_home, Limits()), clock, Working(workers))
        self.ran: list[Ran] = []
        self.restarts: list[str] = []
        self.fleet.ears.ran = self._take
        self.fleet.ears.restarted = self.restarts.append
        self.fleet.ears.last_run = lambda probe, target: self.last_runs.get((probe, target))
        self.last_runs: dict[tuple[str, str], float] = {}

    async def _run_at_home(self, plan: ProbePlan, _target: str) -> None:
        self.at_home.append(plan.name)

    def _take(self, ran: Ran) -> None:
        self.ran.append(ran)
        self.last_runs[ran.result.probe, ran.result.target] = ran.result.at.timestamp()

    def replace(self, plans: dict[str, ProbePlan]) -> None:
        """Have these probes run."""
        self.fleet.replace(plans.values(), Limits(in_flight=100, per_host=20), self.last_runs)

    def worker(self, number: int = 0) -> Worker:
        """Return a worker."""
        return self.fleet._workers[number]

    def of(self, probe: str) -> list[Ran]:
        """Return what came of a probe, oldest first."""
        return [ran for ran in self.ran if ran.result.probe == probe]


@asynccontextmanager
async def fleet(workers: int = 1) -> AsyncIterator[Watched]:
    """Run a fleet until the block ends."""
    watched = Watched(workers)
    try:
        yield watched
    finally:
        async with asyncio.timeout(WITHIN_S):
            await watched.fleet.stop()
