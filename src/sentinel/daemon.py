"""The composition root: runs everything in one task group, reloads and stops it. Reads top to bottom."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from sentinel import assembly, probes
from sentinel.config import zones
from sentinel.config.build import Setup
from sentinel.config.errors import ConfigError
from sentinel.config.load import load
from sentinel.doors import Doors
from sentinel.engine import series
from sentinel.engine.collecting import Collecting
from sentinel.engine.passage import Carrier
from sentinel.engine.sealing import Sealer
from sentinel.engine.supervision import STUCK_AFTER_S, keep, watch_tasks
from sentinel.messages.isolation import IsolationWords
from sentinel.messages.links import Links
from sentinel.parts import Parts
from sentinel.probes.resolver import AioResolver
from sentinel.store.base import StoreUnavailable
from sentinel.store.secrets import made_at, secret_of
from sentinel.tickets.base import TicketBackend
from sentinel.web.app import build, serve, serve_roots
from sentinel.web.context import ReloadOutcome
from sentinel.web.rendering import warm

log = structlog.get_logger(__name__)

STOP_WITHIN_S = 20.0  # Less than TimeoutStopSec, with what the web needs before.
SEND_WITHIN_S = 15.0  # Of these, for what is being sent.


class Daemon(Parts):
    """Starts, reloads and stops all that there is."""

    # Its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read what the store knows, and begin to probe."""
        recovered = await self.write(self.store.recover_sending)
        open_ = await self.desk.load()
        await self.rotas.load()
        await self.matrices.load()
        await self.overload.load()
        await self.addresses.load()
        await self.problems.load()
        await self.changes.load()
        await self.tokens.load()
        await self.accounts.load()
        await self.tested.load()
        await self.inbound.answering.load()
        await self.dispatcher.load()
        long_since = await self.write(made_at, self.store, "links of 128 bits", self.clock.now())
        self.signing = Links(await self.write(secret_of, self.store, "links", self.clock.now()), "", long_since)
        self.portal.subscribers.key = self.signing.key
        await self.portal.subscribers.load()
        await self.heartbeats.load()
        await self.recurring.load()
        await self.silence_watch.begin()
        self.judge.silences = tuple(await self.read(self.store.silences, self.clock.now()))
        self.live.replace(self.setup.probes.values())
        await self.recorder.load(self.live)
        await self.alerts.load()
        await self.inbound.opsgenie.load()
        await self.watching.canary.load()
        self.explain()
        for row in self.live.rows():
            series.keep_known(row)
        await self.change_watch.begin()
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
        app = build(Doors(self).context())
        web = await serve(app, listen, control)
        log.info("serving", host=listen[0], port=listen[1], socket=str(control) if control else "")
        roots = await serve_roots(app, {root: (one.host, one.port) for root, one in self.setup.server.roots.items()})
        tasks = [*self.begin(), loop.create_task(Collecting(self.dispatcher.at_rest).run(), name="collecting")]
        self.ready = True
        self.systemd.tell(self._ready_state())
        ended = threading.Event()
        warming = asyncio.create_task(asyncio.to_thread(warm, ended), name="warming")
        try:
            await stopping.wait()
        finally:  # Who is replaced by another Sentinel is not told to stop, and must not wait for the thread either.
            ended.set()
        self.ready = False
        self.systemd.tell("STOPPING=1")
        log.info("stopping")
        await roots.aclose()
        await web.cleanup()
        await self.stop(tasks)
        await warming

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
            "problems": self.problems.run,
            "alerts": self.alerts.run,
            "silences": self.silence_watch.run,
            "changes": self.change_watch.run,
            "reports": self.report_watch.run,
            "status-pages": self.portal.run,
            "overload": self.overload.run,
            "addresses": self.addresses.run,
            "isolation": self.isolation.run,
            "answers": self.inbound.answering.run,
            "mailbox": self.inbound.mailbox.run,
            "channels": self.inbound.channels.run,
            "credits": self.inbound.credits.run,
            "opsgenie": self.inbound.opsgenie.run,
            "tickets": self.clerk.watch.run,
            "self-watch": self.watching.self_watch.run,
            "alive": self.watching.alive.run,
            "canary": self.watching.canary.run,
            "peers": self.watching.peers.run,
            "last-gasp": self.watching.gasping.run,
            "reload": self._reload_when_asked,
        }
        if self.clock_watch is not None:
            loops["clock"] = self.clock_watch.run
        self.watching.stuck = self.stuck
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
                with suppress(StoreUnavailable):
                    await self.alerts.flush()
                await self.recorder.finish()
        for task in (*tasks, *self._retiring):
            task.cancel()
        await asyncio.gather(*tasks, *self._retiring, return_exceptions=True)
        for backend in self.mirrors.values():
            await backend.close()
        self.backups.stop()
        self.watching.gasping.close()
        await probes.close()
        await self.resolver.close()
        self.host.means.close()
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
            "problems": self.problems.progressed_at,
            "alerts": self.alerts.progressed_at,
            "opsgenie": self.inbound.opsgenie.progressed_at,
            "tickets": self.clerk.watch.progressed_at,
            "silences": self.silence_watch.progressed_at,
            "changes": self.change_watch.progressed_at,
            "reports": self.report_watch.progressed_at,
            "overload": self.overload.progressed_at,
            "addresses": self.addresses.progressed_at,
            "isolation": self.isolation.progressed_at,
            "self-watch": self.watching.self_watch.progressed_at,
            "alive": self.watching.alive.progressed_at,
            "canary": self.watching.canary.progressed_at,
            "peers": self.watching.peers.progressed_at,
            "last-gasp": self.watching.gasping.progressed_at,
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
            for zone in await asyncio.to_thread(zones.refresh):
                log.warning("the host has other rules for a time zone; they are in use", zone=zone)
            try:
                loaded = await asyncio.to_thread(load, self.path)
                modules = await asyncio.to_thread(assembly.modules_of, loaded.setup)
            except ConfigError as error:
                self.meters.set("sentinel_config_last_reload_successful", 0)
                mistakes = tuple(str(mistake) for mistake in error.mistakes)
                log.error("configuration refused; the old one stays", mistakes=len(mistakes), first=mistakes[0])
                return ReloadOutcome(mistakes=mistakes)
            fixed = assembly.fixed(self.setup, loaded.setup)
            carriers = assembly.carriers_of(loaded.setup, self.clock.now, self.meters.provider)
            self.modules = modules
            self._take(loaded.setup, carriers)
            log.info("configuration in use", probes=len(self.setup.probes), warnings=len(loaded.warnings))
            return ReloadOutcome(warnings=(*map(str, loaded.warnings), *fixed))

    def _take(self, setup: Setup, carriers: dict[str, Carrier]) -> None:
        before, self.setup = self.setup, setup
        self.desk.policy = assembly.policy_of(setup)
        self.tokens.configured = setup.auth.made()
        self.accounts.sealer = Sealer(setup.auth.sealing_keys())
        self.rotas.configure()
        self.matrices.configure()
        self.addresses.configure()
        self.addresses.words = self._address_words()
        self.overload.limits = assembly.overload_limits_of(setup)
        self.changes.means = assembly.change_means_of(setup)
        self.change_watch.backup = assembly.backup_of(setup, self.backups)
        self.rota_watch.words = assembly.rota_words_of(setup)
        self.problems.words, self.problems.dates = assembly.problem_words(setup), assembly.action_dates_of(setup)
        self.isolation.words = IsolationWords(setup.site.language)
        self.inbound.configure(setup)
        assembly.set_canaries(self.isolation, setup)
        self.desk.envelope = assembly.envelope_of(setup)
        self.judge.rulebook = assembly.rulebook_of(setup)
        self.alerts.settings = assembly.alert_settings_of(setup)
        self.silence_watch.take(setup.silences)
        self.lag.limit_s = setup.engine.loop_lag_suspect.total_seconds()
        self.recorder.keep, self.recorder.zone = setup.storage.keep.results, setup.site.timezone
        if setup.resolvers != before.resolvers:
            self._retire(self._close(self.resolver))
            self.resolver = AioResolver([str(server) for server in setup.resolvers])
        now = self.clock.now()
        since = dict.fromkeys(before.probes, self.started_at) | self.listening
        self.listening = {name: since.get(name, now) for name in setup.probes}
        self.prober = self._prober(setup)
        self._retire(self.dispatcher.retire(self.dispatcher.carriers))
        self.dispatcher.carriers = carriers
        self.inbound.channels.wake()
        self._retire(self._let_go(self.mirrors))
        self.mirrors = self.clerk.configure()
        self.watching.configure()
        self.live.replace(setup.probes.values())
        self.scheduler.working = assembly.working_of(setup)
        self.scheduler.replace(setup.probes.values(), assembly.limits_of(setup), self.live.last_runs())
        self.explain()
        self.alerts.wake()
        assembly.expect(setup, self.meters)
        self._in_use()
        self.change_watch.wake()
        self.portal.wake()
        self.dispatcher.wake()

    async def _let_go(self, mirrors: Mapping[str, TicketBackend]) -> None:
        await self.dispatcher.retire({})
        for backend in mirrors.values():
            await backend.close()

    async def _close(self, resolver: AioResolver) -> None:
        await self.scheduler.under_way()
        await resolver.close()

    def _retire(self, closing: Coroutine[Any, Any, None]) -> None:
        """Let go of what a reload replaced, in its own time: runs and messages under way still use it."""
        task = asyncio.get_running_loop().create_task(closing)
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
