"""The composition root: builds everything, runs it in one task group, reloads and stops it. Reads top to bottom."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from sentinel import assembly
from sentinel.channels.base import Undelivered
from sentinel.config.build import Setup
from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.core.events import Event, Exhausted
from sentinel.core.state import Incident
from sentinel.dispatch import Carrier, Dispatcher
from sentinel.doors import Doors
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
from sentinel.engine.supervision import STUCK_AFTER_S, Lag, Systemd, keep, watch_tasks
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
from sentinel.web.app import build, serve
from sentinel.web.context import ReloadOutcome

log = structlog.get_logger(__name__)

STOP_WITHIN_S = 20.0  # Less than TimeoutStopSec, with what the web needs before.
SEND_WITHIN_S = 15.0  # Of these, for what is being sent.
TIDY_EVERY_S = 600.0
LOOK_EVERY_S = 5.0
READERS = 4


class Daemon:
    """Everything that runs, and how it is wired."""

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

    # Its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read what the store knows, and begin to probe."""
        recovered = await self.write(self.store.recover_sending)
        open_ = await self.desk.load()
        await self.rotas.load()
        self.heartbeats = await self.read(self.store.heartbeats)
        self.judge.silences = tuple(await self.read(self.store.silences, self.clock.now()))
        self.live.replace(self.setup.probes.values())
        states = await asyncio.get_running_loop().run_in_executor(self.packer, self.results.states)
        self.recorder.restore(self.live, states)
        for row in self.live.rows():
            row.chunks = series.write_known_lines(row)
        self.scheduler.replace(self.setup.probes.values(), assembly.limits_of(self.setup), self.live.last_runs())
        self._in_use()
        log.info("started", probes=len(self.setup.probes), open_incidents=open_, sent_again=recovered)

    def _in_use(self) -> None:
        self.meters.set("sentinel_config_last_reload_successful", 1)
        now = self.clock.now().timestamp()
        self.meters.set("sentinel_config_last_reload_success_timestamp_seconds", now)
        self.meters.set("sentinel_config_hash", float(int(self.setup.hash[:12], 16)))

    async def run(self, control: Path | None) -> None:
        """Run until told to stop; what is being sent is finished first."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        watch_tasks(loop, self.meters.bug)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload_asked.set)
        await self.start()
        listen = (self.setup.listen.host, self.setup.listen.port)
        web = await serve(build(Doors(self).context()), listen, control)
        log.info("serving", host=listen[0], port=listen[1], socket=str(control) if control else "")
        gc.freeze()  # What was loaded stays: the collector need not look at it again (engine.md, scheduler).
        gc.enable()  # It was off while everything was loaded.
        tasks = self.begin()
        self.ready = True
        self.systemd.tell(self._ready_state())
        await stopping.wait()
        self.ready = False
        self.systemd.tell("STOPPING=1")
        log.info("stopping")
        await web.cleanup()
        await self.stop(tasks)

    def begin(self) -> list[asyncio.Task[None]]:
        """Start the loops; one that ends by a bug is started again."""
        loops = {
            "desk": self.desk.run,
            "timers": self.timers.run,
            "dispatch": self.dispatcher.run,
            "recorder": self.recorder.run,
            "lag": self.lag.run,
            "housekeeping": self._housekeeping,
            "tidying": self._tidying,
            "rotas": self.rota_watch.run,
            "reload": self._reload_when_asked,
        }
        tasks = [asyncio.create_task(keep(name, run, self.meters.bug), name=name) for name, run in loops.items()]
        return [*tasks, asyncio.create_task(self.systemd.watch(self.stuck), name="watchdog")]

    async def stop(self, tasks: list[asyncio.Task[None]]) -> None:
        """Stop the sources first, then what they feed, the store last; all of it within one time limit."""
        deadline = self.clock.monotonic() + STOP_WITHIN_S
        await self.scheduler.stop()
        await self.judge.stop()
        for task in tasks:
            if task.get_name() not in {"desk", "recorder"}:
                task.cancel()
        await self.dispatcher.stop(SEND_WITHIN_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline - self.clock.monotonic()):
                await self.desk.drain()
                await self.recorder.flush()
        for task in (*tasks, *self._retiring):
            task.cancel()
        await asyncio.gather(*tasks, *self._retiring, return_exceptions=True)
        await self.resolver.close()
        for pool in (self.writer, self.reader, self.packer):
            pool.shutdown()

    def stuck(self) -> list[str]:
        """Name the loops that have stood still for too long; while there is one the watchdog is not fed."""
        now = self.clock.monotonic()
        moments = {
            "timers": self.timers.progressed_at,
            "dispatch": self.dispatcher.progressed_at,
            "recorder": self.recorder.progressed_at,
            "lag": self.lag.progressed_at,
            "housekeeping": self.looked_at,
            "rotas": self.rota_watch.progressed_at,
            "desk": self.desk.busy_since() or now,
            "scheduler": now - self.scheduler.overdue_s(),
        }
        return [name for name, moment in moments.items() if now - moment > STUCK_AFTER_S]

    # Reload -----------------------------------------------------------------------------------------------------

    async def _reload_when_asked(self) -> None:
        """Reload at SIGHUP; however many come while one is under way, one more follows."""
        while True:
            await self._reload_asked.wait()
            self._reload_asked.clear()
            self.systemd.reloading()
            said = "the last reload failed; see the log"
            try:
                outcome = await self.reload()
                said = "" if outcome.done else f"the new configuration was refused: {outcome.mistakes[0]}"
            finally:
                self.systemd.tell(self._ready_state(said))

    def _ready_state(self, remark: str = "") -> str:
        return f"READY=1\nSTATUS=Watching {len(self.setup.probes)} probes" + (f"; {remark}" if remark else "")

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again; a bad one changes nothing (invariant I14)."""
        async with self._reloading:
            try:
                loaded = await asyncio.to_thread(load, self.path)
                modules = await asyncio.to_thread(assembly.modules_of, loaded.setup)
            except ConfigError as error:
                self.meters.set("sentinel_config_last_reload_successful", 0)
                mistakes = tuple(str(mistake) for mistake in error.mistakes)
                log.error("configuration refused; the old one stays", mistakes=len(mistakes), first=mistakes[0])
                return ReloadOutcome(mistakes=mistakes)
            fixed = assembly.fixed(self.setup, loaded.setup)
            carriers = assembly.carriers_of(loaded.setup, self.clock.now)
            self.modules = modules
            self._take(loaded.setup, carriers)
            log.info("configuration in use", probes=len(self.setup.probes), warnings=len(loaded.warnings))
            return ReloadOutcome(warnings=(*map(str, loaded.warnings), *fixed))

    def _take(self, setup: Setup, carriers: dict[str, Carrier]) -> None:
        before, self.setup = self.setup, setup
        self.desk.policy = assembly.policy_of(setup)
        self.rotas.configure()
        self.rota_watch.words = RotaWords(setup.site.language)
        self.desk.envelope = assembly.envelope_of(setup)
        self.judge.rulebook = assembly.rulebook_of(setup)
        self.lag.limit_s = setup.engine.loop_lag_suspect.total_seconds()
        self.recorder.keep = setup.storage.keep.results
        if setup.resolvers != before.resolvers:
            self._retire(self._close(self.resolver))
            self.resolver = AioResolver([str(server) for server in setup.resolvers])
        now = self.clock.now()
        since = dict.fromkeys(before.probes, self.started_at) | self.listening
        self.listening = {name: since.get(name, now) for name in setup.probes}
        self.prober = self._prober(setup)
        self._retire(self.dispatcher.retire(self.dispatcher.carriers))
        self.dispatcher.carriers = carriers
        self.live.replace(setup.probes.values())
        self.scheduler.replace(setup.probes.values(), assembly.limits_of(setup), self.live.last_runs())
        assembly.expect(setup, self.meters)
        self._in_use()
        self.dispatcher.wake()

    async def _close(self, resolver: AioResolver) -> None:
        await self.scheduler.under_way()
        await resolver.close()

    def _retire(self, closing: Coroutine[Any, Any, None]) -> None:
        """Let go of what a reload replaced, in its own time: runs and messages under way still use it."""
        task = asyncio.get_running_loop().create_task(closing)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
