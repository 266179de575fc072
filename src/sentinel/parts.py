"""What the daemon is made of: builds everything and wires it. Reads top to bottom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from sentinel import assembly
from sentinel.channels.base import Undelivered
from sentinel.config.build import Setup
from sentinel.core.events import Event, Exhausted
from sentinel.core.state import Incident
from sentinel.dispatch import Dispatcher
from sentinel.engine import series
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.judge import Judge
from sentinel.engine.live import Live
from sentinel.engine.outbox import Outbox
from sentinel.engine.pool import Pool
from sentinel.engine.prober import Prober, Surroundings
from sentinel.engine.recorder import Recorder
from sentinel.engine.rota_watch import RotaWatch
from sentinel.engine.rotas import Rotas
from sentinel.engine.scheduler import Scheduler
from sentinel.engine.supervision import Lag, Systemd
from sentinel.engine.timers import Timers
from sentinel.messages.rotas import RotaWords
from sentinel.metrics import Meters
from sentinel.pages import Pages
from sentinel.probes.net import AioResolver
from sentinel.probes.plan import ProbePlan
from sentinel.store.base import ResultStore, Settlement, Store, StoreUnavailable
from sentinel.tickets.base import TicketReference
from sentinel.tickets.builtin import BuiltinTickets
from sentinel.tickets.drafting import draft

log = structlog.get_logger(__name__)

TIDY_EVERY_S = 600.0
LOOK_EVERY_S = 5.0
READERS = 4


class Parts:
    """Everything that runs, and how it is wired; ``Daemon`` gives it its life."""

    def __init__(self, path: Path, setup: Setup, store: Store, results: ResultStore, clock: Clock) -> None:
        self.path = path
        self.setup = setup
        self.store = store
        self.results = results
        self.clock = clock
        self.started_at = clock.now()
        self.modules = assembly.modules_of(setup)
        self.ready = False
        self.heartbeats: dict[str, tuple[datetime, str]] = {}
        self.listening: dict[str, datetime] = {}
        self.meters = Meters()
        self.writer = Pool(1, "writer", self.meters.stored)
        self.reader = Pool(READERS, "reader", self.meters.stored)
        self.packer = Pool(2, "results", self.meters.stored)  # Packing may take a while; writing goes on beside it.
        self.live = Live()
        self.systemd = Systemd(clock)
        self.lag = Lag(
            clock,
            setup.engine.loop_lag_suspect.total_seconds(),
            lambda late_s: self.meters.observe("sentinel_event_loop_lag_seconds", late_s),
        )
        self.desk = Desk(store, self.writer, clock, assembly.policy_of(setup), assembly.envelope_of(setup))
        self.rotas = Rotas(self.desk, store, self.writer, clock)
        self.rota_watch = RotaWatch(self.rotas, self.desk, (store, self.writer), clock, RotaWords(setup.site.language))
        self.judge = Judge(clock, self.live, self.desk, assembly.rulebook_of(setup))
        self.recorder = Recorder(results, self.packer, clock, setup.storage.keep.results)
        self.resolver = AioResolver([str(server) for server in setup.resolvers])
        self.prober = self._prober(setup)
        self.scheduler = Scheduler(clock, self._run_probe, assembly.limits_of(setup))
        self.timers = Timers(self.desk, clock)
        self.composition = assembly.Composition(lambda: self.setup)
        self.dispatcher = Dispatcher(Outbox(store, self.reader), self.desk, clock, self.composition, self.meters)
        self.builtin = BuiltinTickets(self._keep_ticket)
        self.pages = Pages(self.meters, self.live, self.desk, store, clock)
        self._reloading = asyncio.Lock()
        self._reload_asked = asyncio.Event()
        self._silenced = asyncio.Event()
        self.looked_at = clock.monotonic()
        self._retiring: set[asyncio.Task[None]] = set()
        self._wire()

    # Wiring -----------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        count = self.meters.count
        self.judge.changed = self.recorder.event
        self.judge.suppressed = lambda reason: count("sentinel_alerts_suppressed_total", reason)
        self.judge.bug = self.timers.bug = self.meters.bug
        self.scheduler.skipped = lambda reason: count("sentinel_probe_runs_skipped_total", reason)
        self.scheduler.lagged = lambda s: self.meters.observe("sentinel_probe_schedule_lag_seconds", s)
        self.desk.written = self._written
        self.desk.silenced = self._silenced.set
        self.rota_watch.owed = self.dispatcher.wake
        self.rotas.changed = lambda one: log.info("rota changed", rota=one.rota, change=one.id, undone=one.undone_by)
        self.meters.states.update(assembly.rota_states(self.rota_watch, lambda: self.setup))
        self.desk.unwritten = self.dispatcher.unrecorded.send
        self.dispatcher.tickets = {"builtin": self._put_ticket}
        self.dispatcher.carriers = assembly.carriers_of(self.setup, self.clock.now)
        assembly.expect(self.setup, self.meters)

    def _prober(self, setup: Setup) -> Prober:
        return Prober(
            Surroundings(
                clock=self.clock,
                resolver=self.resolver,
                policy=setup.policy,
                since=lambda name: self.listening.get(name, self.started_at),
                heard=lambda name: self.heartbeats.get(name, (None, "")),
                lagging=self.lag.lagging,
                bug=self.meters.bug,
            )
        )

    def _written(self, happened: Sequence[tuple[Incident, Event]], settled: Sequence[Settlement]) -> None:
        self.meters.happened(happened)
        for state, event in happened:
            say = log.error if isinstance(event, Exhausted) else log.info  # Nobody was reached: this must stand out.
            kind = event.__struct_config__.tag
            say("incident", number=state.number, what=kind, phase=state.phase, incident_level=state.level)
            self.dispatcher.unrecorded.forget(state.dedup)
        if happened or any(settlement.state == "pending" for settlement in settled):
            self.dispatcher.wake()

    # What runs --------------------------------------------------------------------------------------------------

    async def _run_probe(self, plan: ProbePlan, target: str) -> None:
        try:
            await self._look(plan, target)
        except Exception:  # The task's edge: one result that cannot be digested must not go unseen.
            log.exception("bug after a run", probe=plan.name, type=plan.type)
            self.meters.bug("run")

    async def _look(self, plan: ProbePlan, target: str) -> None:
        row = self.live.row(plan.name, target)
        if row is None:
            return
        outcome = await self.prober.run(plan, target)
        result = outcome.result
        if row.plan.fingerprint != plan.fingerprint:  # A reload has changed what this run asked.
            return
        self.meters.count("sentinel_probe_runs_total", plan.type, outcome.verdict)
        self.meters.observe("sentinel_probe_run_duration_seconds", result.duration_s, plan.type)
        self.judge.take(row, result)
        row.chunks = series.write_lines(row, result, outcome.sight.samples, outcome.sight.phases)
        self.recorder.add(row, result)

    async def _put_ticket(self, state: Incident) -> TicketReference:
        timeline = await self.read(self.store.timeline, state.number)
        events = [(recorded.sequence, recorded.event) for recorded in timeline]
        return await self.builtin.put(draft(state, events, self.setup.site.url or ""))

    async def _keep_ticket(self, ticket: Any) -> TicketReference:
        try:
            reference: TicketReference = await self.write(self.store.put_ticket, ticket, self.clock.now())
        except StoreUnavailable as error:
            raise Undelivered(f"the ticket cannot be written: {error}") from error
        return reference

    async def read(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Run a blocking read of the store in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self.reader, partial(call, *arguments, **named))

    async def write(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking write of the store in the writer thread."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, call, *arguments)

    async def heard(self, name: str, failure: str) -> None:
        """Keep that a heartbeat called, on disk before the answer."""
        now = self.clock.now()
        await self.write(self.store.put_heartbeat, name, now, failure)
        self.heartbeats[name] = (now, failure)
        self.scheduler.hurry(name)

    async def _housekeeping(self) -> None:
        """Refresh what is looked up now and then, and silences as soon as there is a new one."""
        while True:
            self._silenced.clear()
            try:
                self.judge.silences = tuple(await self.read(self.store.silences, self.clock.now()))
                await self.pages.refresh(self.read)
            except StoreUnavailable as error:
                log.warning("store not readable", why=str(error))
            self.looked_at = self.clock.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._silenced.wait()

    async def _tidying(self) -> None:
        """Pack and forget now and then, beside everything else."""
        while True:
            await asyncio.sleep(TIDY_EVERY_S)
            await self.recorder.tidy(self.live)
            before = self.clock.now() - self.setup.storage.keep.incidents
            try:
                await asyncio.get_running_loop().run_in_executor(self.packer, self.store.prune, before)
            except StoreUnavailable as error:
                log.warning("old incidents not forgotten", why=str(error))
