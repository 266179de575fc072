"""Everything that probes: the scheduler in the daemon's own process and the workers, to the daemon as one scheduler."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import structlog

from sentinel.engine.clock import Clock
from sentinel.engine.scheduler import Key, Limits, Scheduler
from sentinel.engine.supervision import keep
from sentinel.engine.workers.sharing import cores, part, share_out, worker_count
from sentinel.engine.workers.wire import Settings
from sentinel.engine.workers.worker import STOP_WITHIN_S, Ears, Worker
from sentinel.probes.plan import ProbePlan

log = structlog.get_logger(__name__)

Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Working:
    """How many workers there are to be, and what they are told; the limits are those of all together."""

    workers: int | Literal["auto"] = 0
    settings: Settings = field(default_factory=Settings)


class Fleet:
    """Starts runs when they are due, here and in workers. ``working`` is looked at by ``replace``.

    What ``ears`` are told counts for all alike.
    """

    def __init__(self, home: Scheduler, clock: Clock, working: Working) -> None:
        self.home = home
        self.working = working
        self.ears = Ears()
        self._clock = clock
        self._workers: list[Worker] = []
        self._running: dict[asyncio.Task[None], Worker] = {}

    def replace(self, plans: Iterable[ProbePlan], limits: Limits, last_run_at: Mapping[Key, float]) -> None:
        """Take a new set of probes, and share them out; those that did not change keep their times and their place."""
        plans = tuple(plans)
        count = worker_count(self.working.workers, plans, cores())
        if count != len(self._workers):
            log.info("workers", before=len(self._workers), now=count)
        home, shares = share_out(plans, count)
        self.home.replace(home.values(), limits, last_run_at)
        while len(self._workers) > count:
            self._workers.pop().stop()
        while len(self._workers) < count:
            self._workers.append(self._begin(len(self._workers)))
        for worker, share in zip(self._workers, shares, strict=True):
            in_flight = part(limits.in_flight, worker.number, count)
            settings = msgspec.structs.replace(self.working.settings, in_flight=in_flight, per_host=limits.per_host)
            worker.want(share, settings)

    def _begin(self, number: int) -> Worker:
        worker = Worker(number, self._clock, self.ears)
        task = asyncio.get_running_loop().create_task(self._keep(worker), name=f"worker-{number}")
        self._running[task] = worker
        task.add_done_callback(lambda done: self._running.pop(done, None))
        return worker

    async def _keep(self, worker: Worker) -> None:
        """Run a worker; a bug of ours in that is logged and counted, and it is run again."""
        ended = asyncio.Event()

        async def until_stopped() -> None:
            await worker.run()
            ended.set()
            await asyncio.Event().wait()

        keeping = asyncio.create_task(keep("workers", until_stopped, self.ears.bug))
        try:
            await ended.wait()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def run_now(self, name: str) -> bool:
        """Run all targets of a probe once, now, and wait for them; tell whether there is such a probe."""
        waits = self.hurry(name)
        await asyncio.gather(*waits)
        return bool(waits)

    def hurry(self, name: str) -> list[asyncio.Future[None]]:
        """Have all targets of a probe run as soon as the limits allow; return what is done when they have."""
        return [*self.home.hurry(name), *(wait for worker in self._workers for wait in worker.hurry(name))]

    def overdue_s(self) -> float:
        """Return by how much the next run of this process is late; a worker that is late for long is replaced."""
        return self.home.overdue_s()

    def in_flight(self) -> int:
        """Return how many runs are under way."""
        return self.home.in_flight() + sum(worker.said.in_flight for worker in self._workers if worker.up)

    async def under_way(self) -> None:
        """Wait for the runs that are under way in this process now; workers see to what is theirs."""
        await self.home.under_way()

    def troubles(self) -> list[str]:
        """Say which workers do not run."""
        return [said for worker in self._workers if (said := worker.trouble())]

    async def stop(self) -> None:
        """Start nothing more and end what is under way, here and in the workers."""
        running = dict(self._running)
        for worker in running.values():
            worker.stop()
        await self.home.stop()
        if running:
            await asyncio.wait(running, timeout=STOP_WITHIN_S)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        self._workers.clear()

    def states(self) -> dict[str, Callable[[], Iterable[Sample]]]:
        """Return how the workers are, for the metrics."""

        def each(read: Callable[[Worker], float], *, of_all: bool = False) -> Callable[[], Iterable[Sample]]:
            return lambda: [((str(one.number),), float(read(one))) for one in self._workers if of_all or one.up]

        return {
            "sentinel_worker_up": each(lambda one: one.up, of_all=True),
            "sentinel_worker_targets": each(lambda one: one.targets, of_all=True),
            "sentinel_worker_in_flight": each(lambda one: one.said.in_flight),
            "sentinel_worker_event_loop_lag_seconds": each(lambda one: one.said.loop_lag_s),
            "sentinel_worker_result_delay_seconds": each(lambda one: one.delay_s),
            "sentinel_worker_resident_memory_bytes": each(lambda one: one.said.resident_bytes),
        }
