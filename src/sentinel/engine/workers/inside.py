"""The worker's side: a scheduler and a prober of its own, told by the daemon what to run."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import socket
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

from sentinel import __version__
from sentinel.core.pings import NOTHING
from sentinel.engine.doubt import Host
from sentinel.engine.prober import Outcome, Prober, Surroundings
from sentinel.engine.scheduler import Key, Limits, Scheduler
from sentinel.engine.supervision import Lag, keep, watch_tasks
from sentinel.engine.workers import wire
from sentinel.engine.workers.outbox import Outbox, scrubbed
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import ProbePlan
from sentinel.probes.resolver import AioResolver

log = structlog.get_logger(__name__)

ORPHANED: Final = 1  # The exit code when the daemon went without a word.


class ToldClock:
    """The daemon's clock: it says how far ahead it is of the one that never jumps and that all processes share."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        """Return the present moment as the daemon has it."""
        return datetime.fromtimestamp(self.ahead_s + time.monotonic(), UTC)

    def monotonic(self) -> float:
        """Return seconds since some moment in the past."""
        return time.monotonic()


async def work(ours: socket.socket) -> None:
    """Do what the daemon at the other end says, until it says stop; a daemon that is gone ends the process."""
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        await Inside(reader, writer).run()
    except (EOFError, ConnectionError):
        os._exit(ORPHANED)


class Inside:
    """Everything in a worker, and how it is wired."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = ToldClock()
        self._outbox = Outbox(writer, self._clock)
        self._outbox.state = self._state
        self._lag = Lag(self._clock, 1.0, self._lagged)
        self._late_s = 0.0
        self._host = Host(self._clock.monotonic)
        self._settings = wire.Settings()
        self._resolver = AioResolver()
        self._prober = self._make_prober()
        self._scheduler = Scheduler(self._clock, self._run_probe, Limits())
        self._scheduler.skipped = self._outbox.skipped
        self._scheduler.lagged = self._outbox.started_late
        self._scheduler.short = lambda plan: self._host.means.short(critical=plan.critical)
        self._plans: dict[str, ProbePlan] = {}
        self._last_runs: dict[Key, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loaded = False

    async def run(self) -> None:
        """Say hello, and work until told to stop.

        Raises:
            EOFError: the daemon is gone.
            ConnectionError: the same.
            Garbled: it says what nobody understands.
        """
        _configure_log(self._outbox)
        watch_tasks(asyncio.get_running_loop(), self._outbox.bug)
        self._writer.write(wire.frame(wire.Hello(version=__version__)))
        sending = asyncio.create_task(self._outbox.run())
        hearing = asyncio.create_task(self._hear())
        lag = asyncio.create_task(keep("lag", self._lag.run, self._outbox.bug))
        await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, lag):
            if not task.done():
                task.cancel()
        if sending.done() and not sending.cancelled():
            sending.result()
        hearing.result()
        await self._scheduler.stop()
        await self._outbox.flush()
        self._writer.close()
        await self._writer.wait_closed()

    async def _hear(self) -> None:
        while not isinstance(order := await wire.read_order(self._reader), wire.Stop):
            self._obey(order)

    def _obey(self, order: wire.Order) -> None:
        match order:
            case wire.Settings():
                self._configure(order)
            case wire.Now(ahead_s=ahead_s):
                self._clock.ahead_s = ahead_s
            case wire.Take():
                for plan in wire.unpack_plans(order.plans):
                    self._plans[plan.name] = plan
                for probe, target, at in order.last_runs:
                    self._last_runs[probe, target] = at
            case wire.Drop(names=names):
                for name in names:
                    self._plans.pop(name, None)
            case wire.Apply():
                self._apply()
            case wire.Hurry(number=number, name=name):
                self._keep(self._hurry(number, name))

    def _configure(self, settings: wire.Settings) -> None:
        before, self._settings = self._settings, settings
        self._lag.limit_s = settings.lag_limit_s
        if settings.servers != before.servers:
            self._keep(self._let_go(self._resolver))
            self._resolver = AioResolver(settings.servers)
        self._prober = self._make_prober()

    def _make_prober(self) -> Prober:
        settings, started_at = self._settings, self._clock.now()
        deny, allow = (tuple(map(ipaddress.ip_network, given)) for given in (settings.deny, settings.allow))
        return Prober(
            Surroundings(
                clock=self._clock,
                resolver=self._resolver,
                policy=TargetPolicy(deny=deny, allow=allow),
                since=lambda _name: started_at,  # Those that wait to be called are run by the daemon.
                heard=lambda _name: NOTHING,
                lagging=self._lag.lagging,
                bug=self._outbox.bug,
                host=self._host,
            )
        )

    def _apply(self) -> None:
        limits = Limits(in_flight=self._settings.in_flight, per_host=self._settings.per_host)
        self._scheduler.replace(self._plans.values(), limits, self._last_runs)
        self._last_runs = {}
        if not self._loaded:
            self._loaded = True
            gc.freeze()  # As in the daemon: what was loaded stays.
            gc.enable()

    async def _hurry(self, number: int, name: str) -> None:
        await asyncio.gather(*self._scheduler.hurry(name))
        self._outbox.done(number)

    async def _let_go(self, resolver: AioResolver) -> None:
        await self._scheduler.under_way()
        await resolver.close()

    async def _run_probe(self, plan: ProbePlan, target: str) -> None:
        try:
            outcome = await self._prober.run(plan, target)
            await self._outbox.put(scrubbed(_ran(plan, outcome)))
        except Exception:  # The task's edge: one result that cannot be told must not go unseen.
            log.exception("bug after a run", probe=plan.name, type=plan.type)
            self._outbox.bug("run")

    def _lagged(self, late_s: float) -> None:
        self._late_s = late_s

    def _state(self, batch: wire.Batch) -> wire.Batch:
        return msgspec.structs.replace(
            batch,
            in_flight=self._scheduler.in_flight(),
            overdue_s=self._scheduler.overdue_s(),
            loop_lag_s=self._late_s,
        )

    def _keep(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ran(plan: ProbePlan, outcome: Outcome) -> wire.Ran:
    sight = outcome.sight
    samples = [(metric, labels, value) for (metric, labels), value in sight.samples.items()][: wire.SAMPLES_MAX]
    return wire.Ran(outcome.result, plan.fingerprint, outcome.verdict, tuple(samples), sight.phases)  # type: ignore[arg-type]


def _configure_log(outbox: Outbox) -> None:
    """Have every line go to the daemon, which writes it as its own."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, outbox.line],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
