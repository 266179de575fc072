"""What the daemon is made of: builds everything and wires it. Reads top to bottom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import structlog

from sentinel import assembly, newsroom, quiet, status_pages
from sentinel.clerk import Clerk
from sentinel.config.build import Setup
from sentinel.core.change_facts import Fact, FixFact
from sentinel.core.events import Event, Exhausted, SignalJoined
from sentinel.core.matching import Silence
from sentinel.core.model import Result
from sentinel.core.pings import Said
from sentinel.core.problem_record import ProblemFact
from sentinel.core.state import Incident
from sentinel.dispatch import Dispatcher
from sentinel.engine import changes, problems, series
from sentinel.engine.accounts import Accounts
from sentinel.engine.addresses import Addresses
from sentinel.engine.alerts import Alerts
from sentinel.engine.answers import Answers
from sentinel.engine.backup import Backups
from sentinel.engine.change_watch import ChangeWatch
from sentinel.engine.changes import Changes
from sentinel.engine.clock import Clock, SteadyClock
from sentinel.engine.clock_watch import ClockWatch
from sentinel.engine.desk import Desk
from sentinel.engine.doubt import VOID, Host
from sentinel.engine.evidence import Evidence
from sentinel.engine.heartbeats import Heartbeats
from sentinel.engine.isolation import Isolation
from sentinel.engine.judge import Judge
from sentinel.engine.ledger import Ledger
from sentinel.engine.live import Live, Row
from sentinel.engine.matrices import Matrices
from sentinel.engine.news import News
from sentinel.engine.outbox import Outbox
from sentinel.engine.overload import OverloadWatch
from sentinel.engine.pool import Pool
from sentinel.engine.prober import Prober, Surroundings
from sentinel.engine.problems import Problems
from sentinel.engine.recorder import Recorder
from sentinel.engine.report_watch import ReportWatch
from sentinel.engine.rota_watch import RotaWatch
from sentinel.engine.rotas import Rotas
from sentinel.engine.scheduler import Scheduler
from sentinel.engine.sealing import Sealer
from sentinel.engine.silence_watch import SilenceWatch
from sentinel.engine.supervision import Lag, Systemd
from sentinel.engine.tested import ContactTests
from sentinel.engine.tidying import forget_old
from sentinel.engine.timers import Timers
from sentinel.engine.tokens import Tokens
from sentinel.engine.workers.arrivals import Arrivals, Seen
from sentinel.engine.workers.fleet import Fleet
from sentinel.inbound import Inbound
from sentinel.intake.reading import AlertReader
from sentinel.messages.addresses import AddressWords
from sentinel.messages.contact import contact_body
from sentinel.messages.isolation import IsolationWords
from sentinel.messages.links import Links
from sentinel.messages.matrix import MatrixWords
from sentinel.metrics import Meters, reviews_overdue
from sentinel.pages import Pages
from sentinel.places import evidence_folder
from sentinel.probes.heartbeat import HeartbeatOptions
from sentinel.probes.plan import ProbePlan
from sentinel.probes.resolver import AioResolver
from sentinel.reports import Reporter, ReportPost
from sentinel.settings import PEER
from sentinel.store.base import ResultStore, Settlement, Store, StoreUnavailable
from sentinel.watching import Watching

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
        self.listening: dict[str, datetime] = {}
        self._open_pools()
        self.live = Live()
        self.news = News()
        self._know_the_host()
        self._let_in()
        self.desk = Desk(store, self.writer, clock, assembly.policy_of(setup), assembly.envelope_of(setup))
        self.rotas = Rotas(self.desk, store, self.writer, clock)
        self.rota_watch = RotaWatch(self.rotas, self.desk, (store, self.writer), clock, assembly.rota_words_of(setup))
        self.reporter = Reporter(lambda: self.setup, store, results)
        post = ReportPost(self.reporter, lambda: self.desk.policy.directory)
        self.report_watch = ReportWatch(post, lambda: self.desk.policy.directory, (store, self.writer), clock)
        self._keep_problems()
        self.matrices = Matrices(self.desk, (store, self.writer), clock, MatrixWords())
        self.overload = OverloadWatch(self.desk, (store, self.writer), clock, assembly.overload_limits_of(setup))
        self.judge = Judge(clock, self.live, self.desk, assembly.rulebook_of(setup))
        self.alerts = Alerts(self.desk, self.judge, (store, self.writer), clock, AlertReader())
        self.alerts.settings = assembly.alert_settings_of(setup)
        self._keep_silences()
        self.recorder = Recorder(results, self.packer, clock, setup.storage.keep.results, setup.site.timezone)
        self.resolver = AioResolver([str(server) for server in setup.resolvers])
        self.prober = self._prober(setup)
        self.isolation = Isolation(clock, self.desk, lambda: self.prober, IsolationWords(setup.site.language))
        self.scheduler = Fleet(
            Scheduler(clock, self._run_probe, assembly.limits_of(setup)), clock, assembly.working_of(setup)
        )
        self._keep_time()
        self._plan_changes()
        self.signing = Links(b"", "")
        self.portal = status_pages.portal_of(self)
        bulletins = status_pages.Bulletins(lambda: self.setup, self.portal.subscribers)
        self.composition = assembly.Composition(lambda: self.setup, self.links, self._proof, bulletins)
        self.dispatcher = Dispatcher(Outbox(store, self.reader), self.desk, clock, self.composition, self.meters)
        self.addresses = Addresses(self.desk, (store, self.writer), self.read, clock, self._address_words())
        self.inbound = Inbound(self)
        self.clerk = Clerk(self)
        self.pages = Pages(self.meters, self.live, self.desk, store, clock)
        self.watching = Watching(self)
        self._reloading = asyncio.Lock()
        self._reload_asked = asyncio.Event()
        self._silenced = asyncio.Event()
        self.looked_at = clock.monotonic()
        self._retiring: set[asyncio.Task[None]] = set()
        self._wire()

    def _open_pools(self) -> None:
        self.meters = Meters()
        self.writer = Pool(1, "writer", self.meters.stored)
        self.reader = Pool(READERS, "reader", self.meters.stored)
        self.packer = Pool(2, "results", self.meters.stored)  # Packing may take a while; writing goes on beside it.

    def _know_the_host(self) -> None:
        self.systemd = Systemd(self.clock)
        self.host = Host(self.clock.monotonic)
        self.lag = Lag(
            self.clock,
            self.setup.engine.loop_lag_suspect.total_seconds(),
            lambda late_s: self.meters.observe("sentinel_event_loop_lag_seconds", late_s),
        )

    def _keep_silences(self) -> None:
        self.silence_watch = SilenceWatch(self.desk, self.store, self.read, self.clock)
        self.silence_watch.entries = self.setup.silences
        self.recurring = quiet.recurring_of(self, self.silence_watch)
        self.wide_silences = quiet.wide_of(self)

    def _address_words(self) -> AddressWords:
        return AddressWords(self.setup.site.language, self.setup.site.timezone)

    def _keep_time(self) -> None:
        self.timers = Timers(self.desk, self.clock)
        steady = self.clock if isinstance(self.clock, SteadyClock) else None
        self.clock_watch = ClockWatch(steady, self.timers.soon) if steady is not None else None

    def _let_in(self) -> None:
        self.tokens = Tokens((self.store, self.writer), self.clock)
        self.tokens.configured = self.setup.auth.made()
        self.accounts = Accounts((self.store, self.writer), self.clock)
        self.accounts.sealer = Sealer(self.setup.auth.sealing_keys())
        self.tested = ContactTests((self.store, self.writer), self.clock)
        self.tested.body, self.tested.owed = contact_body, lambda: self.dispatcher.wake()  # noqa: PLW0108  made later
        self.answers = Answers((self.store, self.writer), self.clock)
        self.heartbeats = Heartbeats((self.store, self.writer), self.clock)

    @cached_property
    def evidence(self) -> Evidence:
        """The pictures that probes keep; where they are does not change while the daemon runs."""
        return Evidence(evidence_folder(self.setup, self.path))

    def _keep_problems(self) -> None:
        ledger: Ledger[ProblemFact] = Ledger(problems.SUBJECT, ProblemFact, (self.store, self.writer), self.clock)
        ledger.wrote = lambda: self.dispatcher.wake()  # noqa: PLW0108  the dispatcher is made later
        self.problems = Problems(ledger, self.desk, self.clock, assembly.problem_words(self.setup))
        self.problems.dates = assembly.action_dates_of(self.setup)
        self.meters.states["sentinel_reviews_overdue"] = lambda: reviews_overdue(self.desk.followed())

    def _plan_changes(self) -> None:
        kept = (self.store, self.writer)
        ledger: Ledger[Fact] = Ledger(changes.SUBJECT, Fact, kept, self.clock)
        fixes: Ledger[FixFact] = Ledger(changes.FIXES, FixFact, kept, self.clock)
        self.changes = Changes(ledger, fixes, self.desk, self.clock, assembly.change_means_of(self.setup))
        probing = (self.live, self.scheduler)
        self.change_watch = ChangeWatch(self.changes, self.judge, probing, self.desk, self.clock)
        self.backups = Backups()
        self.change_watch.backup = assembly.backup_of(self.setup, self.backups)
        self.changes.changed = self.change_watch.wake
        self.changes_owed = ledger
        self.judge.maintenance = self.changes.under_maintenance
        self.judge.maintained = self.changes.last_maintenance

    # Wiring -----------------------------------------------------------------------------------------------------

    def _wire(self) -> None:
        count = self.meters.count
        self.judge.changed = self.recorder.event
        self.alerts.suppressed = self.judge.suppressed = lambda reason: count(
            "sentinel_alerts_suppressed_total", reason
        )
        self.judge.bug = self.timers.bug = self.meters.bug
        self.scheduler.home.short = lambda plan: self.host.means.short(critical=plan.critical)
        self.meters.states["sentinel_host_short"] = self.host.states
        held = self.clock_watch.held_s if self.clock_watch is not None else float
        self.meters.states["sentinel_clock_held_seconds"] = lambda: [((), held())]
        self._hear_workers()
        self.desk.written = self._written
        self.desk.silenced = self._hear_silence
        self.isolation.freed = self.freed
        self.meters.states["sentinel_isolated"] = lambda: [((), float(self.isolation.cut_off))]
        assembly.set_canaries(self.isolation, self.setup)
        self.rota_watch.owed = self.report_watch.owed = self.portal.owed = self.dispatcher.wake
        self.changes_owed.wrote = self.dispatcher.wake
        self.meters.states["sentinel_service_in_maintenance"] = self.changes.in_maintenance
        self.matrices.owed = self.dispatcher.wake
        self.matrices.changed = lambda name, fact: log.info(
            "matrix changed", matrix=name, what=fact.__struct_config__.tag
        )
        self.overload.changed = lambda now: log.info("overload", on=now.on, by=now.by, why=now.why)
        self.meters.states["sentinel_overload"] = lambda: [((), float(self.overload.now.on))]
        self.rotas.changed = lambda one: log.info("rota changed", rota=one.rota, change=one.id, undone=one.undone_by)
        self.meters.states.update(assembly.rota_states(self.rota_watch, lambda: self.setup))
        self.desk.unwritten = self.dispatcher.unrecorded.send
        self.mirrors = self.clerk.configure()
        self.desk.quieting.quieted = lambda: count("sentinel_alerts_suppressed_total", "duplicate")
        self.dispatcher.digests = self.composition
        self.dispatcher.carriers = assembly.carriers_of(self.setup, self.clock.now, self.meters.provider)
        assembly.expect(self.setup, self.meters)
        newsroom.open_for(self)

    def _hear_workers(self) -> None:
        """Have what workers see, and what this process probes itself, come to the same places."""
        arrivals = Arrivals(self.live, self._void, self._digest, self.meters.bug)
        ears, home = self.scheduler.ears, self.scheduler.home
        home.skipped = ears.skipped = partial(self.meters.count, "sentinel_probe_runs_skipped_total")
        home.lagged = ears.started_late = partial(self.meters.observe, "sentinel_probe_schedule_lag_seconds")
        ears.ran, ears.settled, ears.last_run = arrivals.take, arrivals.under_way, self.live.last_run
        ears.bug = self.meters.bug
        ears.restarted = partial(self.meters.count, "sentinel_worker_restarts_total")
        self.meters.states.update(self.scheduler.states())

    def _prober(self, setup: Setup) -> Prober:
        return Prober(
            Surroundings(
                clock=self.clock,
                resolver=self.resolver,
                policy=setup.policy,
                since=lambda name: self.listening.get(name, self.started_at),
                heard=self.heartbeats.of,
                lagging=self.lag.lagging,
                bug=self.meters.bug,
                host=self.host,
                keep=self.evidence.keep,
            )
        )

    def _written(self, happened: Sequence[tuple[Incident, Event]], settled: Sequence[Settlement]) -> None:
        self.meters.happened(happened)
        for state, event in happened:
            self.dispatcher.unrecorded.forget(state.dedup)
            if isinstance(event, SignalJoined):  # Whoever reported it says so: a storm has thousands.
                continue
            say = log.error if isinstance(event, Exhausted) else log.info  # Nobody was reached: this must stand out.
            kind = event.__struct_config__.tag
            say("incident", number=state.number, what=kind, phase=state.phase, incident_level=state.level)
        if any(settlement.state == "pending" for settlement in settled):
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
        one = await self.prober.run(plan, target)
        seen = Seen(one.result, one.verdict, one.sight.samples, one.sight.phases, plan.fingerprint)
        self._digest(row, seen, "" if one.result.ok else await self._void(one.result))

    def _digest(self, row: Row, seen: Seen, void: str) -> None:
        """Take what a run saw, here or in a worker, unless it says nothing of its target."""
        result = seen.result
        if result.doubt:
            self.meters.count("sentinel_probe_runs_doubtful_total", result.doubt)
        if void:
            row.unknown = True
            self.meters.count("sentinel_probe_runs_skipped_total", void)
            return
        if row.plan.fingerprint != seen.fingerprint:  # A reload has changed what this run asked.
            return
        self.meters.count("sentinel_probe_runs_total", row.plan.type, seen.verdict)
        self.meters.observe("sentinel_probe_run_duration_seconds", result.duration_s, row.plan.type)
        self.judge.take(row, result)
        series.keep(row, result, seen.samples, seen.phases)
        self.recorder.add(row, result)

    async def _void(self, result: Result) -> str:
        """Say why a failure says nothing of its target; nothing when it does."""
        if result.doubt in VOID and result.suspect:
            return "budget"
        return "isolated" if await self.isolation.excuses() else ""

    def _proof(self, message: str) -> str:
        return self.inbound.proof(message)

    def links(self) -> Links | None:
        """Return what makes acknowledge links; nothing until the start has read their key."""
        return self.signing.at(self.setup.site.url)

    def _hear_silence(self, silence: Silence) -> None:
        """Keep a silence in force from now on; what it had muted is looked at again when it ends early."""
        others = tuple(one for one in self.judge.silences if one.id != silence.id)
        self.judge.silences = (*others, silence)
        self._silenced.set()
        self.alerts.wake()

    def explain(self) -> None:
        """Arrange anew what explains what: at a start, and when the configuration is another one."""
        self.judge.explaining.arrange(self.setup.inhibit, {**self.judge.failing(), **self.alerts.failing()})

    def freed(self) -> None:
        """Look anew at what could not be judged while the host was cut off; heartbeats may not have got through."""
        now = self.clock.now()
        self.listening |= {name: now for name, plan in self.setup.probes.items() if plan.passive}
        for name in dict.fromkeys(row.plan.name for row in self.live.rows() if row.unknown):
            self.scheduler.hurry(name)

    async def read(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Run a blocking read of the store in a reader thread."""
        return await asyncio.get_running_loop().run_in_executor(self.reader, partial(call, *arguments, **named))

    async def write(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking write of the store in the writer thread."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, call, *arguments)

    async def heard(self, name: str, said: Said) -> None:
        """Keep what a heartbeat's call says, on disk before the answer."""
        if name.startswith(PEER):
            self.watching.peers.heard(name.removeprefix(PEER))
            return
        options = self.setup.probes[name].options
        limit = options.limit if isinstance(options, HeartbeatOptions) else timedelta(0)
        await self.heartbeats.take(name, said, limit)
        self.scheduler.hurry(name)

    async def _housekeeping(self) -> None:
        """Refresh what is looked up now and then, and silences as soon as there is a new one."""
        while True:
            self._silenced.clear()
            try:
                self.judge.silences = tuple(await self.read(self.store.silences, self.clock.now()))
                await self.wide_silences.look(self.judge.silences)
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
            try:
                await forget_old(self.store, self.packer, self.clock.now(), self.setup.storage.keep.incidents)
                await self.answers.tidy()
            except StoreUnavailable as error:
                log.warning("what is old not forgotten", why=str(error))
