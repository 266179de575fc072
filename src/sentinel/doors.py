"""What requests may see of the daemon, and ask of it: the web's context, filled in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sentinel import __version__, assembly
from sentinel.channels.base import Undelivered
from sentinel.configured import Configured
from sentinel.core.model import Result
from sentinel.core.report.model import Report, Wanted
from sentinel.messages.notice import Notice
from sentinel.openid.configured import provider_of
from sentinel.settings import agreed_of, settings_of
from sentinel.web.context import Context, Delivered, Health, ProbeAnswer, SelfTest, Settings

if TYPE_CHECKING:
    from sentinel.config.build import Setup
    from sentinel.daemon import Daemon
    from sentinel.openid.provider import Provider
    from sentinel.probes.blackbox import Surroundings as BlackboxSurroundings
    from sentinel.probes.blackbox_told import History


class Doors:
    """Answers for the daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._settings: tuple[Setup, Settings] | None = None
        self._probing: tuple[Setup, BlackboxSurroundings] | None = None
        self._history: History | None = None
        self._openid: tuple[Setup, Provider | None] | None = None

    def settings(self) -> Settings:
        """Return what the web needs to know of the configuration; put together once, as every request asks for it."""
        setup = self._daemon.setup
        if self._settings is None or self._settings[0] is not setup:
            self._settings = setup, settings_of(setup)
        return self._settings[1]

    def openid(self) -> Provider | None:
        """Return the identity provider, which remembers what was published until the configuration changes."""
        setup = self._daemon.setup
        if self._openid is None or self._openid[0] is not setup:
            self._openid = setup, provider_of(setup)
        return self._openid[1]

    def context(self) -> Context:
        """Return the daemon as far as requests may see it."""
        daemon = self._daemon
        return Context(
            settings=self.settings,
            desk=daemon.desk,
            rotas=daemon.rotas,
            matrices=daemon.matrices,
            overload=daemon.overload,
            addresses=daemon.addresses,
            problems=daemon.problems,
            store=daemon.store,
            results=daemon.results,
            live=daemon.live,
            news=daemon.news,
            read=daemon.read,
            now=daemon.clock.now,
            health=self.health,
            reload=daemon.reload,
            metrics_page=daemon.pages.metrics,
            heard=daemon.heard,
            job=daemon.heartbeats.of,
            probe_once=self.probe_once,
            notify_test=self.notify_test,
            blackbox=self.blackbox,
            blackbox_told=self.blackbox_told,
            served=daemon.meters.served,
            classify=daemon.judge.classify,
            words=daemon.judge.words,
            links=daemon.links,
            openid=self.openid,
            report=self.report,
            agreed=lambda service: agreed_of(daemon.setup, service),
            alerts=daemon.alerts,
            alerts_heard=daemon.meters.alerts_heard,
            answering=daemon.inbound.answering,
            receipts=daemon.inbound.receipts,
            mail=daemon.inbound.mail,
            tokens=daemon.tokens,
            accounts=daemon.accounts,
            tested=daemon.tested,
            configuration=Configured(daemon).look,
            answers=daemon.answers,
            changes=daemon.changes,
            portal=daemon.portal,
            evidence=daemon.evidence,
            recurring=daemon.recurring,
            opsgenie=daemon.inbound.opsgenie,
            ticket_told=daemon.clerk.watch.heard,
            finish_change=daemon.change_watch.finish,
            canary=daemon.watching.canary.heard,
        )

    def health(self) -> Health:
        """Return how the daemon is."""
        daemon = self._daemon
        problems = [f"{name} makes no progress" for name in daemon.stuck()]
        # Pages leave all the same; but what is not on disk does not outlive the process, and somebody should look.
        problems += daemon.scheduler.troubles()
        unwritten = (daemon.desk.trouble(), daemon.recorder.trouble)
        problems += [f"nothing can be written: {why}" for why in unwritten if why]
        if daemon.clock_watch is not None and daemon.clock_watch.unset:
            problems.append("the clock of the host was never set")
        return Health(
            version=__version__,
            started_at=daemon.started_at,
            ready=daemon.ready and not problems,
            probes=len(daemon.setup.probes),
            last_run_at=daemon.live.ran_at,
            problems=tuple(problems),
            self_test=SelfTest(passed_at=daemon.watching.alive.passed_at, failing=daemon.watching.alive.failing),
        )

    async def report(self, wanted: Wanted) -> Report:
        """Make a service report; it reads much, and so does not take a thread that others wait for.

        Raises:
            NoService: there is none of that name.
            StoreUnavailable: the database cannot be read.
        """
        daemon = self._daemon
        return await asyncio.to_thread(daemon.reporter.make, wanted, daemon.clock.now())

    async def probe_once(self, name: str) -> list[Result] | None:
        """Run all targets of a probe now; nothing for a name that is not configured."""
        if not await self._daemon.scheduler.run_now(name):
            return None
        return [row.last for row in self._daemon.live.of(name) if row.last is not None]

    async def notify_test(self, person_id: str) -> list[Delivered]:
        """Send a marked test to a person by each of their channels.

        Raises:
            KeyError: nobody knows the person.
        """
        daemon = self._daemon
        directory = daemon.setup.directory
        person = directory.people[person_id]
        found = []
        for name, channel in directory.channels.items():
            if not channel.address or not person.addresses.get(channel.address):
                continue
            now = daemon.clock.now()
            notice = Notice(id=f"test/{now:%Y%m%dT%H%M%S%f}/{person_id}/{name}", kind="test", at=now)
            try:
                message = daemon.composition.write(notice, person_id, name)
                reference = await daemon.dispatcher.send_once(name, message)
            except Undelivered as failure:
                found.append(Delivered(channel=name, error=failure.why))
            else:
                found.append(Delivered(channel=name, reference=reference))
        return found

    async def blackbox(self, query: Mapping[str, str], headers: Mapping[str, str]) -> ProbeAnswer:
        """Answer ``/probe``."""
        from sentinel.probes import blackbox  # noqa: PLC0415  few ask for it, and it takes a tenth of a second to load

        reply = await blackbox.answer(query, headers, await self._surroundings())
        return ProbeAnswer(status=reply.status, text=reply.text, content_type=reply.content_type)

    async def blackbox_told(self, page: str, query: Mapping[str, str]) -> ProbeAnswer:
        """Answer ``/config`` or ``/logs``."""
        from sentinel.probes import blackbox  # noqa: PLC0415  as above

        around = await self._surroundings()
        reply = around.history.answer(query) if page == "logs" else blackbox.config_page(around)
        return ProbeAnswer(status=reply.status, text=reply.text, content_type=reply.content_type)

    async def _surroundings(self) -> BlackboxSurroundings:
        from sentinel.probes import blackbox, blackbox_told  # noqa: PLC0415  as above

        daemon = self._daemon
        if daemon.modules is None:
            daemon.modules = await asyncio.to_thread(assembly.built_in_modules)
        setup = daemon.setup
        if self._probing is None or self._probing[0] is not setup:  # A reload makes all of it anew, together.
            self._history = self._history or blackbox_told.History()
            around = blackbox.Surroundings(
                modules=daemon.modules,
                resolver=daemon.resolver,
                policy=setup.policy,
                allow=tuple(setup.server.probe.allow),
                configured=frozenset(target for plan in setup.probes.values() for target in plan.targets),
                now=daemon.clock.now,
                history=self._history,
            )
            self._probing = setup, around
        return self._probing[1]
