"""Who watches the watcher: wires the self-test, the ping to a place elsewhere, and alerts about Sentinel itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Caller, Request, refusal
from sentinel.config.build import Setup
from sentinel.dispatch import Dispatcher
from sentinel.engine.alive import Alive, overdue
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.live import Live
from sentinel.engine.self_watch import SelfLimits, SelfWatch
from sentinel.messages.self_watch import SelfWords
from sentinel.metrics import Meters
from sentinel.pages import Pages
from sentinel.probes.net import TargetPolicy
from sentinel.store.base import Store

NAMED_MAX = 5


class Watched(Protocol):
    """The parts that are looked at; the daemon."""

    setup: Setup
    clock: Clock
    store: Store
    desk: Desk
    live: Live
    dispatcher: Dispatcher
    pages: Pages
    meters: Meters
    started_at: datetime

    async def read(self, call: Callable[..., object], *arguments: object) -> object:
        """Run a blocking read of the store in a reader thread."""

    async def write(self, call: Callable[..., object], *arguments: object) -> object:
        """Run a blocking write of the store in the writer thread."""


class Watching:
    """Tests the parts, and is configured anew by a reload."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self.self_watch = SelfWatch(watched.desk, watched.clock, self, self._words())
        self.alive = Alive(
            watched.clock,
            {"probes": self._probes, "store": self._store, "outbox": self._outbox, "loops": self._loops},
        )
        self.alive.counted = lambda result: watched.meters.count("sentinel_alive_pings_total", result)
        self.stuck: Callable[[], list[str]] = list
        meters = watched.meters
        meters.attempted = self.self_watch.attempted
        meters.states["sentinel_tickets_late"] = lambda: self.self_watch.late_by_backend(meters.expected.backends)
        self.configure()

    def configure(self) -> None:
        """Take what the configuration of now says."""
        setup = self._watched.setup
        watchdog, when = setup.watchdog, setup.watchdog.self_alert.if_
        self.self_watch.words = self._words()
        self.self_watch.limits = SelfLimits(
            no_cycle_for=when.no_cycle_for,
            channel_down=when.channel_down,
            queue_older_than=when.queue_older_than,
            ticket_within=setup.tickets.within,
        )
        url = watchdog.alive_url
        self.alive.every_s = watchdog.alive_every.total_seconds()
        self.alive.ping = partial(_ping, setup.policy, url.reveal()) if url is not None else None

    def _words(self) -> SelfWords:
        site = self._watched.setup.site
        return SelfWords(site.language, site.timezone)

    # What the alerts look at ------------------------------------------------------------------------------------

    def last_cycle(self) -> datetime:
        """Return when every probe had last been run within its interval; the start, before that."""
        return self._watched.pages.last_cycle or self._watched.started_at

    def queued(self) -> Mapping[str, datetime]:
        """Return since when the oldest message of each channel waits."""
        return self._watched.pages.oldest_queued

    def channels(self) -> Iterable[str]:
        """Return the channels that are configured."""
        return self._watched.dispatcher.carriers

    async def test(self, channel: str) -> None:
        """Prove that a channel would work, as far as that is possible without sending.

        Raises:
            Undelivered: it would not, or is not configured any more.
        """
        carrier = self._watched.dispatcher.carriers.get(channel)
        if carrier is None:
            raise Undelivered(f"channel {channel} is not configured any more", permanent=True)
        await carrier.sender.check()

    # What the self-test looks at --------------------------------------------------------------------------------

    async def _probes(self) -> str:
        rows = await self._watched.live.find_stale(self._watched.clock.now())
        stale = dict.fromkeys(row.plan.name for row in rows)
        named = ", ".join(list(stale)[:NAMED_MAX])
        return f"not run in time: {named}" if stale else ""

    async def _store(self) -> str:
        await self._watched.write(self._watched.store.touch, self._watched.clock.now())
        return ""

    async def _outbox(self) -> str:
        due = await self._watched.read(self._watched.store.next_due)
        assert due is None or isinstance(due, datetime), "the store says when a row is due"
        return overdue(due, self._watched.clock.now())

    async def _loops(self) -> str:
        return ", ".join(self.stuck())


async def _ping(policy: TargetPolicy, url: str) -> None:
    caller = Caller(policy)
    try:
        answer = await caller.call(Request("GET", url))
    finally:
        await caller.close()
    if not answer.ok:
        raise refusal(answer)
