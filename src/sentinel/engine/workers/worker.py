"""The daemon's side of one worker: keeps its process alive, tells it what to run, and hears what came of it.

A process that ends, hangs or talks nonsense is replaced. Its successor is told the same again with the times of the
last runs, so that targets keep their turn, and a run that was lost with it is made up for; nothing is judged of that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

import structlog

from sentinel import __version__
from sentinel.engine.clock import Clock
from sentinel.engine.supervision import STUCK_AFTER_S
from sentinel.engine.workers import process, wire
from sentinel.engine.workers.process import WorkerProcess
from sentinel.engine.workers.sharing import Plans
from sentinel.probes.plan import ProbePlan

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
HUNG_AFTER_LOOKS: Final = 10
STARTED_AFTER_LOOKS: Final = 60
RESTART_FIRST_S: Final = 0.5
RESTART_MAX_S: Final = 30.0
LIVED_S: Final = 60.0  # Who lived as long is started again at once.
REST_WITHIN_S: Final = 2.0
STOP_WITHIN_S: Final = 6.0
CLOCK_OFF_S: Final = 0.2
COUNTED_MAX: Final = 1_000  # A batch is of a moment.
TROUBLE_AFTER_S: Final = 15.0  # A restart takes a second or two, and is no news.

Why = Literal["ended", "hung", "garbled", "start"]


@dataclass(slots=True)
class Ears:
    """Who is told what. ``last_run`` gives the unix time of a target's last run, when there was one."""

    ran: Callable[[wire.Ran], None] = lambda _ran: None
    settled: Callable[[], Iterable[asyncio.Future[None]]] = tuple
    last_run: Callable[[str, str], float | None] = lambda _probe, _target: None
    started_late: Callable[[float], None] = lambda _seconds: None
    skipped: Callable[[str], None] = lambda _reason: None
    bug: Callable[[str], None] = lambda _where: None
    restarted: Callable[[str], None] = lambda _why: None


class Worker:
    """One worker, over the lives of its processes."""

    def __init__(self, number: int, clock: Clock, ears: Ears) -> None:
        self.number = number
        self.up = False
        self.said = wire.Batch(at_s=0.0)
        self.delay_s = 0.0
        self.pid = 0
        self._clock = clock
        self._ears = ears
        self._down_since = clock.monotonic()
        self._settings = wire.Settings()
        self._wanted: Plans = {}
        self._asked: dict[int, tuple[str, asyncio.Future[None]]] = {}
        self._asked_before = 0
        self._wake = asyncio.Event()
        self._stopping = False
        self._silent_looks = 0
        self._told = _Told()

    # What the fleet asks ----------------------------------------------------------------------------------------

    def want(self, plans: Plans, settings: wire.Settings) -> None:
        """Have the worker run these probes and no others from now on; what did not change keeps its times."""
        self._wanted, self._settings = plans, settings
        self._wake.set()

    @property
    def targets(self) -> int:
        """Return how many targets it is to run."""
        return sum(len(plan.targets) for plan in self._wanted.values())

    def hurry(self, name: str) -> list[asyncio.Future[None]]:
        """Have all targets of a probe run as soon as can be, if they are here; a restart does not lose it."""
        if name not in self._wanted or self._stopping:
            return []
        waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked_before += 1
        self._asked[self._asked_before] = name, waits
        self._wake.set()
        return [waits]

    def trouble(self) -> str:
        """Say that it does not run, when that is more than a restart."""
        gone_s = 0.0 if self.up or self._stopping else self._clock.monotonic() - self._down_since
        return f"probe worker {self.number} does not run" if gone_s > TROUBLE_AFTER_S else ""

    def stop(self) -> None:
        """Have it end what is under way and say so; ``run`` returns then."""
        self._stopping = True
        self._wake.set()

    # Its lives --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep a process running until told to stop."""
        pause_s = RESTART_FIRST_S
        try:
            while not self._stopping:
                began = self._clock.monotonic()
                why = await self._live()
                if self._stopping:
                    break
                self._ears.restarted(why)
                pause_s = RESTART_FIRST_S if self._clock.monotonic() - began > LIVED_S else pause_s
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, RESTART_MAX_S)
        finally:
            for _, waits in self._asked.values():
                _done(waits)
            self._asked.clear()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._stopping:
                    self._wake.clear()
                    await self._wake.wait()

    async def _live(self) -> Why:
        """Start a process, and return why it is no more."""
        try:
            one = await process.start()
        except OSError as error:
            log.error("worker not started; again soon", worker=self.number, why=str(error))
            return "start"
        self._silent_looks, self._told, self.pid = 0, _Told(), one.pid
        log.info("worker started", worker=self.number, pid=one.pid)
        hearing = asyncio.create_task(self._hear(one))
        telling = asyncio.create_task(self._tell(one))
        watching = asyncio.create_task(self._watch())
        why: Why = "ended"
        try:
            await asyncio.wait({hearing, telling, watching}, return_when=asyncio.FIRST_COMPLETED)
            why = "hung" if watching.done() else hearing.result() if hearing.done() else "ended"
        finally:
            started, self.up = self.up, False
            self._down_since = self._clock.monotonic()
            for task in (telling, watching):
                task.cancel()
            code = await one.end(patiently=hearing.done() and why == "ended")
            await asyncio.wait({hearing}, timeout=REST_WITHIN_S)  # What it had said is heard to the end.
            hearing.cancel()
            one.close()
            await asyncio.gather(hearing, telling, watching, return_exceptions=True)
            say = log.info if self._stopping else log.error
            say("worker ended", worker=self.number, pid=one.pid, why=why, code=code)
        return why if started else "start"

    async def _watch(self) -> None:
        """Return when the process gives no sign of life, or starts nothing any more.

        Looks are counted rather than seconds: when it is the daemon that stood still, nothing is known of others.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._silent_looks += 1
            if self._silent_looks > (HUNG_AFTER_LOOKS if self.up else STARTED_AFTER_LOOKS):
                return
            if self.up and self.said.overdue_s > STUCK_AFTER_S:
                return
            if abs(self._ahead_s() - self._told.ahead_s) > CLOCK_OFF_S:
                self._wake.set()

    # What it says -----------------------------------------------------------------------------------------------

    async def _hear(self, one: WorkerProcess) -> Why:
        while True:
            try:
                report = await wire.read_report(one.reader)
            except EOFError:
                return "ended"
            except wire.Garbled as error:
                log.error("worker talks nonsense", worker=self.number, why=str(error)[:200])
                return "garbled"
            self._silent_looks = 0
            if isinstance(report, wire.Batch):
                self._take(report)
                await asyncio.sleep(0)  # Others have their turn between two batches.
            elif report.version != __version__:
                log.error("another version is installed: restart the daemon", worker=self.number, is_=report.version)
                return "start"
            else:
                self.up = True

    def _take(self, batch: wire.Batch) -> None:
        self.said = batch if not batch.ran else wire.without_results(batch)
        self.delay_s = max(0.0, time.monotonic() - batch.at_s)
        for late_s in batch.started_late_s:
            self._ears.started_late(late_s)
        for reason, times in batch.skipped.items():
            for _ in range(min(times, COUNTED_MAX)):
                self._ears.skipped(reason)
        for place, times in batch.bugs.items():
            for _ in range(min(times, COUNTED_MAX)):
                self._ears.bug(place)
        for line in batch.lines:
            fields = {name: value for name, value in line.fields.items() if name not in {"event", "worker"}}
            getattr(log, line.level)(line.event, worker=self.number, **fields)
        if batch.lines_lost:
            log.warning("lines lost", worker=self.number, lines=batch.lines_lost)
        for ran in batch.ran:
            self._ears.ran(ran)
        if batch.done:
            waits = [self._asked.pop(number)[1] for number in batch.done if number in self._asked]
            _when_done(list(self._ears.settled()), waits)

    # What it is told --------------------------------------------------------------------------------------------

    async def _tell(self, one: WorkerProcess) -> None:
        """Tell what changed since the last time, for ever; slices, so that neither side stands still for long."""
        with suppress(ConnectionError):  # Who hears nothing any more will soon be seen to have ended.
            while True:
                self._wake.clear()
                for order in self._news():
                    one.writer.write(wire.frame(order))
                    await one.writer.drain()
                    await asyncio.sleep(0)
                await self._wake.wait()
        await asyncio.Event().wait()

    def _news(self) -> Iterable[wire.Order]:
        """Yield what the process does not know yet."""
        told, wanted, settings = self._told, self._wanted, self._settings
        if abs(self._ahead_s() - told.ahead_s) > CLOCK_OFF_S:
            told.ahead_s = self._ahead_s()
            yield wire.Now(ahead_s=told.ahead_s)
        changed = settings != told.settings
        if changed:
            told.settings = settings
            yield settings
        gone = tuple(name for name in told.plans if name not in wanted)
        for name in gone:
            del told.plans[name]
        if gone:
            yield wire.Drop(names=gone)
        fresh = (name for name, plan in wanted.items() if told.plans.get(name) != (plan.fingerprint, plan.targets))
        names = tuple(fresh)
        rest = iter(names)
        while some := tuple(islice(rest, wire.PLANS_A_FRAME)):
            told.plans.update({name: (wanted[name].fingerprint, wanted[name].targets) for name in some})
            yield self._handed_over([wanted[name] for name in some])
        if changed or gone or names:
            yield wire.Apply()
        for number, (name, _) in list(self._asked.items()):
            if number not in told.asked:
                told.asked.add(number)
                yield wire.Hurry(number=number, name=name)
        told.asked &= self._asked.keys()
        if self._stopping and not told.stop:
            told.stop = True
            yield wire.Stop()

    def _handed_over(self, plans: list[ProbePlan]) -> wire.Take:
        found = (
            (plan.name, target, self._ears.last_run(plan.name, target)) for plan in plans for target in plan.targets
        )
        known = tuple((name, target, at) for name, target, at in found if at is not None)
        return wire.Take(plans=wire.pack_plans(plans), last_runs=known)

    def _ahead_s(self) -> float:
        return self._clock.now().timestamp() - time.monotonic()


class _Told:
    """What one process has been told."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.settings: wire.Settings | None = None
        self.plans: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.asked: set[int] = set()
        self.stop = False


def _when_done(before: list[asyncio.Future[None]], waits: list[asyncio.Future[None]]) -> None:
    """Let those who wait go on when what came before is settled."""
    if not before:
        for one in waits:
            _done(one)
        return

    async def settle() -> None:
        await asyncio.wait(before)
        for one in waits:
            _done(one)

    settling = asyncio.get_running_loop().create_task(settle())
    _settling.add(settling)
    settling.add_done_callback(_settling.discard)


_settling: set[asyncio.Task[None]] = set()


def _done(waits: asyncio.Future[None]) -> None:
    if not waits.done():
        waits.set_result(None)
