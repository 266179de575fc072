"""Looks at Sentinel itself, and has one incident raised for each thing that does not work: it ends by itself.

Who hears of it is whoever watches the watcher (``watchdog.self_alert``), and no customer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.core.model import Level, Plan, Priority, Severity, Signal, Verdict
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.isolation import watchers_only
from sentinel.engine.looking import woken
from sentinel.metrics import Sample
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

KEY = "sentinel:"  # Signals about Sentinel itself begin so.
RULE = "self-alert"
LOOK_EVERY_S = 10.0
TEST_EVERY_S = 60.0  # A carrier that failed last and has nothing to carry is asked so often whether it works again.
TEST_LIMIT_S = 15.0
NAMED_MAX = 5

CYCLE, CHANNEL, QUEUE, TICKETS, CREDIT = "cycle", "channel", "queue", "tickets", "credit"
CANARY, PEER, PEER_ILL, PEER_DEAF = "canary", "peer", "peer_ill", "peer_deaf"
PEERS = frozenset({PEER, PEER_ILL, PEER_DEAF})  # However it shows, it is one peer's trouble, and told once.


class SelfLimits(msgspec.Struct, frozen=True, kw_only=True):
    """For how long each may be wrong before it is told; without one it is not looked at."""

    no_cycle_for: timedelta | None = None
    channel_down: timedelta | None = None
    queue_older_than: timedelta | None = None
    ticket_within: timedelta | None = None


class Observed(Protocol):
    """What others know of how Sentinel is."""

    def last_cycle(self) -> datetime:
        """Return when every probe had last been run within its interval; the start, before that."""

    def queued(self) -> Mapping[str, datetime]:
        """Return since when the oldest message of each channel waits."""

    def channels(self) -> Iterable[str]:
        """Return the channels that are configured."""

    async def test(self, channel: str) -> None:
        """Prove that a channel would work, as far as that is possible without sending.

        Raises:
            Undelivered: it would not.
        """


class Words(Protocol):
    """What is said, in the language of the site."""

    def wrong(self, what: str, detail: str, since: datetime) -> tuple[str, str]:
        """Return the title of the incident, and what it means."""

    def over(self, what: str) -> str:
        """Return that it is over."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has been wrong for too long: what, which, and since when."""

    what: str
    detail: str = ""
    since: datetime

    @property
    def key(self) -> str:
        """Return the key of its signal."""
        if self.what in PEERS:
            return f"{KEY}{PEER}/{self.detail}"
        return f"{KEY}{self.what}/{self.detail}" if self.what in {CHANNEL, CREDIT} else f"{KEY}{self.what}"


class SelfWatch:
    """Looks every ten seconds; ``attempted`` is to be told of each try to hand a message over.

    ``others`` say what else has been wrong for too long, ``undecided`` of which signal it is too soon to say anything.
    """

    def __init__(self, desk: Desk, clock: Clock, observed: Observed, words: Words) -> None:
        self._desk = desk
        self._clock = clock
        self._observed = observed
        self.words = words
        self.limits = SelfLimits()
        self.progressed_at = clock.monotonic()
        self._down: dict[str, datetime] = {}
        self._tested_at: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._begun = False
        self._wake = asyncio.Event()
        self.others: tuple[Callable[[], list[Fault]], ...] = ()
        self.undecided: Callable[[str], bool] = lambda _key: False

    def attempted(self, channel: str, outcome: str) -> None:
        """Take what came of a try; a refused address says nothing about the channel."""
        if outcome == "ok":
            self._down.pop(channel, None)
        elif outcome != "refused":
            self._down.setdefault(channel, self._clock.now())

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.progressed_at = self._clock.monotonic()
            try:
                await self._test_idle()
                await self.look()
            except StoreUnavailable as error:
                log.warning("self-alert not written; again soon", why=str(error))
            self._wake.clear()
            await woken(self._wake, LOOK_EVERY_S)

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    def down_since(self) -> dict[str, datetime]:
        """Return since when each channel carries nothing, of those that are configured."""
        return {name: since for name, since in self._down.items() if name in set(self._observed.channels())}

    async def look(self) -> None:
        """Raise what is wrong now and was not, and end what was wrong and no longer is.

        Raises:
            StoreUnavailable: it is not on disk; the next look says it again.
        """
        if not self._begun:  # What was told before a restart must end too.
            self._told = {key: key.removeprefix(KEY).partition("/")[0] for key in self._desk.standing(KEY)}
            self._begun = True
        wrong = {fault.key: fault for fault in self.faults(self._clock.now())}
        for key in [key for key in self._told if key not in wrong and not self.undecided(key)]:
            await self._desk.recover(key, self.words.over(self._told[key]))
            del self._told[key]
        for key, fault in wrong.items():
            if key not in self._told or not self._desk.stands(key):
                await self._raise(fault)
                self._told[key] = fault.what

    def faults(self, now: datetime) -> list[Fault]:
        """Return what has been wrong for too long."""
        limits = self.limits
        found: list[Fault] = []
        if (since := _over(limits.no_cycle_for, self._observed.last_cycle(), now)) is not None:
            found.append(Fault(what=CYCLE, since=since))
        found += [
            Fault(what=CHANNEL, detail=channel, since=since)
            for channel in sorted(self._down.keys() & set(self._observed.channels()))
            if (since := _over(limits.channel_down, self._down[channel], now)) is not None
        ]
        # What waits for a carrier that is down is told once, as that.
        told = self._down if limits.channel_down is not None else {}
        queued = sorted((at, channel) for channel, at in self._observed.queued().items() if channel not in told)
        if queued and (since := _over(limits.queue_older_than, queued[0][0], now)) is not None:
            found.append(Fault(what=QUEUE, detail=queued[0][1], since=since))
        late = self.late_tickets(now)
        if late:
            numbers = ", ".join(dict.fromkeys(number for _, number, _ in late[:NAMED_MAX]))
            found.append(Fault(what=TICKETS, detail=numbers, since=late[0][0]))
        return [*found, *(fault for others in self.others for fault in others())]

    def late_tickets(self, now: datetime) -> list[tuple[datetime, str, str]]:
        """Return which tickets should be open and are not: since when, of which incident, in which back-end."""
        within = self.limits.ticket_within
        if within is None:
            return []
        return sorted(
            (owed_at + within, state.number, backend)
            for state in self._desk.open()
            if (owed_at := _owed_at(state)) + within <= now
            for backend in _missing(state)
        )

    def late_by_backend(self, backends: Iterable[str]) -> list[Sample]:
        """Return how many tickets are late in each back-end."""
        counts = dict.fromkeys(backends, 0)
        for _, _, backend in self.late_tickets(self._clock.now()):
            counts[backend] = counts.get(backend, 0) + 1
        return [((backend,), float(number)) for backend, number in counts.items()]

    async def _raise(self, fault: Fault) -> None:
        now = self._clock.now()
        title, detail = self.words.wrong(fault.what, fault.detail, fault.since)
        signal = Signal(key=fault.key, source="alert", title=title, at=now, since=fault.since, detail=detail)
        level, severity, priority = GRADES[fault.what]
        verdict = Verdict(rule=RULE, level=level, severity=severity, priority=priority, title=title, dedup=fault.key)
        plan = watchers_plan(self._desk.policy.plan_for("", verdict))
        state = await self._desk.report(signal, verdict, plan=plan)
        log.error("self-alert raised", incident=state.number, what=fault.what, which=fault.detail)

    async def _test_idle(self) -> None:
        """Ask carriers that failed last and carry nothing now; what waits for one shows by itself whether it works."""
        waiting = self._observed.queued()
        for channel in [name for name in self._down if name not in waiting]:
            if self._clock.monotonic() - self._tested_at.get(channel, float("-inf")) < TEST_EVERY_S:
                continue
            self._tested_at[channel] = self.progressed_at = self._clock.monotonic()
            if await self._works(self._observed.test(channel)):
                self.attempted(channel, "ok")

    async def _works(self, test: Awaitable[None]) -> bool:
        try:
            async with asyncio.timeout(TEST_LIMIT_S):
                await test
        except (Undelivered, TimeoutError):
            return False
        return True


# How bad each is: nobody would hear of an outage, or something has come to a stop that people can do by hand.
GRADES: dict[str, tuple[Level, Severity, Priority]] = {
    CYCLE: (3, "blocking", "P1"),
    CHANNEL: (3, "blocking", "P1"),
    QUEUE: (3, "blocking", "P1"),
    CREDIT: (2, "major", "P2"),
    TICKETS: (2, "major", "P2"),
    CANARY: (3, "blocking", "P1"),
    PEER: (3, "blocking", "P1"),
    PEER_ILL: (3, "blocking", "P1"),
    PEER_DEAF: (2, "major", "P2"),
}


def watchers_plan(plan: Plan) -> Plan:
    """Return the plan of an incident of Sentinel's own: told at any level, without a ticket that may be late."""
    plan = watchers_only(plan)
    ladder = tuple(replace(step, min_level=1) for step in plan.ladder)
    return replace(plan, ladder=ladder, ticket="", mirrors=(), cascade_ticket="", required=(), crisis=None)


def _over(limit: timedelta | None, since: datetime, now: datetime) -> datetime | None:
    """Return since when something is wrong that has been so for longer than its limit."""
    return since if limit is not None and now - since > limit else None


def _owed_at(state: Incident) -> datetime:
    return max(state.opened_at, state.level_at or state.opened_at)


def _missing(state: Incident) -> list[str]:
    if not state.plan.ticket or not state.active:
        return []
    missing = [] if state.ticket else [state.plan.ticket]
    return [*missing, *(backend for backend in state.plan.mirrors if backend not in state.mirrored)]
