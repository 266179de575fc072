"""Who watches the watcher: wires the self-test, the ping to a place elsewhere, and alerts about Sentinel itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from sentinel import assembly
from sentinel.channels.alive import AlivePlace
from sentinel.channels.base import Undelivered
from sentinel.channels.peer import PeerDoor
from sentinel.config.build import Setup
from sentinel.dispatch import Dispatcher
from sentinel.engine import loopback
from sentinel.engine.alive import Alive, Place, overdue
from sentinel.engine.canary import Canary, CanaryPlan
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.isolation import Isolation
from sentinel.engine.live import Live, Row, is_stale
from sentinel.engine.peers import PeerPlan, Peers, Seen
from sentinel.engine.pool import Pool
from sentinel.engine.prober import Prober
from sentinel.engine.self_watch import CANARY, CREDIT, Fault, SelfLimits, SelfWatch
from sentinel.engine.supervision import Lag
from sentinel.gasping import CHECKS, Gasping, folders_of
from sentinel.inbound import Inbound
from sentinel.lastgasp import LastGasp
from sentinel.messages.self_watch import SelfWords
from sentinel.metrics import Meters
from sentinel.pages import Pages
from sentinel.store.base import Store

NAMED_MAX = 5
CHANNEL_DOWN_MAX = timedelta(minutes=1)
LAG_MAX_S = 5.0
NEVER_RUN_SLACK_S = 60.0


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
    path: Path
    listening: dict[str, datetime]
    writer: Pool
    prober: Prober
    lag: Lag
    isolation: Isolation
    inbound: Inbound

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
            {
                "probes": self._probes,
                "store": self._store,
                "outbox": self._outbox,
                "channels": self._channels,
                "canary": self._canary,
                "loopback": partial(loopback.look, lambda: watched.prober),
                "lag": self._lag,
                "loops": self._loops,
            },
        )
        self.canary = Canary((watched.store, watched.writer), watched.clock, watched.inbound.proof)
        self.peers = Peers(watched.clock)
        self.gasping = Gasping(watched.clock, LastGasp(folders_of(watched.setup, watched.path)), assembly.hostname)
        self.stuck: Callable[[], list[str]] = list
        self._wire(watched.meters)
        self.configure()

    def _wire(self, meters: Meters) -> None:
        watched = self._watched
        meters.attempted = self.self_watch.attempted
        meters.states["sentinel_tickets_late"] = lambda: self.self_watch.late_by_backend(meters.expected.backends)
        meters.states.update(self.alive.states())
        meters.states.update(self.peers.states())
        meters.states["sentinel_canary_back_timestamp_seconds"] = lambda: (
            [((), back.timestamp())] if (back := self.canary.flight.back_at) else []
        )
        self.alive.counted = partial(meters.count, "sentinel_alive_pings_total")
        self.canary.counted = partial(meters.count, "sentinel_canaries_total")
        self.canary.took = partial(meters.observe, "sentinel_canary_seconds")
        self.canary.wrote = watched.dispatcher.wake
        self.canary.holds = self.peers.holds = lambda: watched.isolation.cut_off
        self.peers.changed = self.self_watch.wake
        self.self_watch.others = (self.peers.faults, self._lost_canaries, self._low_credit)
        self.self_watch.undecided = lambda key: self.peers.undecided(key) or watched.inbound.credits.undecided(key)
        self.gasping.failing = lambda: self.alive.failing_for(CHECKS)
        self.gasping.said = lambda check: self.alive.failing.get(check, "")
        self.gasping.deaf = self._deaf_since
        self.gasping.counted = partial(meters.count, "sentinel_last_gasps_total")
        watched.inbound.mail.canary = partial(self.canary.heard, by="mail")
        watched.inbound.receipts.arrived = self.canary.receipt

    def _low_credit(self) -> list[Fault]:
        low = self._watched.inbound.credits.low()
        return [Fault(what=CREDIT, detail=channel, since=since) for channel, since in sorted(low.items())]

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
        self.alive.every_s = watchdog.alive_every.total_seconds()
        self.alive.places = places_of(setup)
        self.canary.plan = canary_of(setup)
        self.peers.configure(peers_of(setup))
        self.gasping.configure(setup)

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
        now = self._watched.clock.now()
        rows = await self._watched.live.find_stale(now)
        # Looked at again: the first run may have come meanwhile.
        late = (row for row in rows if (self._had_its_time(row, now) if row.last is None else is_stale(row, now)))
        stale = dict.fromkeys(row.plan.name for row in late)
        named = ", ".join(list(stale)[:NAMED_MAX])
        return f"not run in time: {named}" if stale else ""

    def _had_its_time(self, row: Row, now: datetime) -> bool:
        """Tell whether a target that was never looked at should have been: after a start each has an interval."""
        since = self._watched.listening.get(row.plan.name, self._watched.started_at)
        return (now - since).total_seconds() > row.plan.worst_case_s() + NEVER_RUN_SLACK_S

    async def _store(self) -> str:
        now = self._watched.clock.now()
        await self._watched.write(self._watched.store.touch, now)
        found = await self._watched.read(self._watched.store.touched)
        return "" if isinstance(found, int) and found >= int(now.timestamp()) else "what is written is not read back"

    async def _outbox(self) -> str:
        due = await self._watched.read(self._watched.store.next_due)
        assert due is None or isinstance(due, datetime), "the store says when a row is due"
        return overdue(due, self._watched.clock.now())

    async def _channels(self) -> str:
        now, spared = self._watched.clock.now(), self._watched.setup.watchdog.alive_without
        dead = [
            f"{name} has carried nothing since {since:%Y-%m-%d %H:%M:%S} UTC"
            for name, since in sorted(self.self_watch.down_since().items())
            if name not in spared and now - since > CHANNEL_DOWN_MAX
        ]
        return "; ".join(dead)

    async def _canary(self) -> str:
        return self.canary.wrong()

    async def _lag(self) -> str:
        late_s = self._watched.lag.worst_s()
        return f"the event loop was {late_s:.1f} s late" if late_s > LAG_MAX_S else ""

    async def _loops(self) -> str:
        return ", ".join(self.stuck())

    # What else is told ------------------------------------------------------------------------------------------

    def _lost_canaries(self) -> list[Fault]:
        since, plan = self.canary.lost_since(), self.canary.plan
        return [Fault(what=CANARY, detail=plan.channel, since=since)] if since is not None and plan is not None else []

    def _deaf_since(self) -> datetime | None:
        """Return since when no channel at all carries anything; nothing while one does."""
        down, configured = self.self_watch.down_since(), set(self.channels())
        return max(down.values()) if configured and configured <= down.keys() else None


def places_of(setup: Setup) -> dict[str, Place]:
    """Return the places elsewhere that are told that we live. `alive_url` is one that is only ever asked for."""
    watchdog = setup.watchdog
    found: dict[str, Place] = {
        name: AlivePlace(
            entry.type,
            entry.url.reveal() if entry.url else "",
            setup.policy,
            name=entry.name or "",
            key=entry.key.reveal() if entry.key else "",
        )
        for name, entry in watchdog.alive.items()
    }
    if watchdog.alive_url is not None:
        found["alive_url"] = AlivePlace("plain", watchdog.alive_url.reveal(), setup.policy)
    return found


def canary_of(setup: Setup) -> CanaryPlan | None:
    """Return how the canary flies, if there is one."""
    entry = setup.watchdog.canary
    if entry is None:
        return None
    return CanaryPlan(every=entry.every, within=entry.within, channel=entry.by, back=entry.back)


def peers_of(setup: Setup) -> dict[str, PeerPlan]:
    """Return the other Sentinels."""
    return {
        name: PeerPlan(
            ask=partial(_ask, PeerDoor(entry.url, setup.policy, entry.token.reveal() if entry.token else "")),
            every_s=entry.every.total_seconds(),
            silent_for_s=entry.silent_for.total_seconds(),
        )
        for name, entry in setup.watchdog.peers.items()
    }


async def _ask(door: PeerDoor) -> Seen:
    said = await door.ask()
    return Seen(ready=said.ready, at=said.at, passed_at=said.self_test_passed_at, failing=said.self_test_failing)
