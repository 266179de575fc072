"""Other Sentinels: each is looked at, and heard when it calls. Neither is a target of the other's, nor any customer's.

Two that watch each other over one link both say that the other is silent when that link is cut: once each, and once
more only when it was whole for a while in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from sentinel.channels.base import Undelivered
from sentinel.engine.clock import Clock
from sentinel.engine.self_watch import PEER, PEER_DEAF, PEER_ILL, Fault
from sentinel.metrics import Sample

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
IDLE_S: Final = 15.0  # So often a new configuration is looked for while there is no peer.
ASK_LIMIT_S: Final = 10.0
FAILED_LOOKS_MIN: Final = 2  # After we stood still ourselves, the past says nothing of the other.
PASSED_WITHIN: Final = timedelta(minutes=3)  # A self-test is made three times a minute.
GOOD_FOR_S: Final = 60.0  # It must be well for so long; twice as long each time that it fell silent of late.
GOOD_FOR_MAX_S: Final = 900.0
OF_LATE_S: Final = 3600.0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer says of itself: whether it is ready, when its self-test last passed, by its own clock, what fails.

    ``at`` is that clock. One that does not say is taken by its word that it is ready.
    """

    ready: bool
    at: datetime | None = None
    passed_at: datetime | None = None
    failing: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether it would page."""
        if not self.ready:
            return False
        return self.at is None or (self.passed_at is not None and self.at - self.passed_at <= PASSED_WITHIN)


class PeerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a peer is asked, how often, and for how long it may be silent.

    ``ask`` raises ``Undelivered`` when there is no answer.
    """

    ask: Callable[[], Awaitable[Seen]]
    every_s: float
    silent_for_s: float


class _Known(msgspec.Struct, kw_only=True):
    """What is known of a peer, in seconds that only grow."""

    well_at: float
    answered_at: float = float("-inf")
    called_at: float = float("-inf")
    asked_at: float = float("-inf")
    good_since: float | None = None
    failed_looks: int = 0
    fault: Fault | None = None
    fell_at: list[float] = []
    last_seen: datetime | None = None
    decided: bool = False
    why: str = ""


class Peers:
    """Looks at all of them. ``holds`` says that the host itself is cut off, ``changed`` that there is news."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.holds: Callable[[], bool] = lambda: False
        self.changed: Callable[[], None] = lambda: None
        self.progressed_at = clock.monotonic()
        self._plans: Mapping[str, PeerPlan] = {}
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def configure(self, plans: Mapping[str, PeerPlan]) -> None:
        """Watch these; what is known of those that stay, stays."""
        self._plans = dict(plans)
        now_s = self._clock.monotonic()
        self._known = {name: self._known.get(name) or _Known(well_at=now_s) for name in plans}

    def heard(self, name: str) -> None:
        """Take a call of a peer: it lives, whether or not it can be reached."""
        known = self._known.get(name)
        if known is not None:
            known.called_at, known.last_seen = self._clock.monotonic(), self._clock.now()

    async def run(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                now_s = self.progressed_at = self._clock.monotonic()
                for name, plan in self._plans.items():
                    if name not in self._asking and now_s - self._known[name].asked_at >= plan.every_s:
                        self._known[name].asked_at = now_s
                        self._ask(name, plan)
                for name, plan in self._plans.items():
                    self._judge(name, plan)
                await asyncio.sleep(LOOK_EVERY_S if self._plans else IDLE_S)
        finally:
            for task in self._asking.values():
                task.cancel()

    def _ask(self, name: str, plan: PeerPlan) -> None:
        task = asyncio.get_running_loop().create_task(self._look(name, plan))
        self._asking[name] = task
        task.add_done_callback(lambda _: self._asking.pop(name, None))

    async def _look(self, name: str, plan: PeerPlan) -> None:
        why = ""
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                seen = await plan.ask()
        except (Undelivered, TimeoutError) as error:
            seen, why = None, str(error) or f"no answer within {ASK_LIMIT_S:g} s"
        known = self._known.get(name)
        if known is None:
            return
        now_s = self._clock.monotonic()
        if seen is not None:
            known.answered_at, known.last_seen = now_s, self._clock.now()
            why = "" if seen.well else ", ".join(seen.failing) or "it is not ready"
        if not why:
            known.well_at, known.failed_looks, known.decided = now_s, 0, True
            known.good_since = now_s if known.good_since is None else known.good_since
        else:
            known.failed_looks += 1
            known.good_since = None
        if why != known.why:
            log.warning("peer", peer=name, trouble=why or "none any more")
            known.why = why

    # What is made of it ------------------------------------------------------------------------------------------

    def _judge(self, name: str, plan: PeerPlan) -> None:
        known, now_s = self._known[name], self._clock.monotonic()
        if known.fault is None:
            silent = now_s - known.well_at > plan.silent_for_s and known.failed_looks >= FAILED_LOOKS_MIN
            if silent and not self.holds():  # Whoever is cut off knows nothing of others.
                since = self._clock.now() - timedelta(seconds=now_s - known.well_at)
                known.decided = True
                known.fault = Fault(what=self._what(known, plan, now_s), detail=name, since=since)
                known.fell_at = [*(at for at in known.fell_at if now_s - at < OF_LATE_S), now_s]
                self.changed()
        elif known.good_since is not None and now_s - known.good_since >= self._must_be_good_s(known):
            known.fault = None
            self.changed()

    def _what(self, known: _Known, plan: PeerPlan, now_s: float) -> str:
        if now_s - known.answered_at <= plan.silent_for_s:
            return PEER_ILL
        return PEER_DEAF if now_s - known.called_at <= plan.silent_for_s else PEER

    def _must_be_good_s(self, known: _Known) -> float:
        return float(min(GOOD_FOR_MAX_S, GOOD_FOR_S * 2 ** max(0, len(known.fell_at) - 1)))

    # What can be asked -------------------------------------------------------------------------------------------

    def faults(self) -> list[Fault]:
        """Return which of them are silent."""
        return [known.fault for known in self._known.values() if known.fault is not None]

    def undecided(self, key: str) -> bool:
        """Tell whether a signal is about a peer of which nothing is known yet since the start."""
        return any(
            not one.decided and key == Fault(what=PEER, detail=name, since=self._clock.now()).key
            for name, one in self._known.items()
        )

    def states(self) -> dict[str, Callable[[], list[Sample]]]:
        """Return the metrics of the peers."""
        return {
            "sentinel_peer_up": lambda: [((name,), float(one.fault is None)) for name, one in self._known.items()],
            "sentinel_peer_last_seen_timestamp_seconds": lambda: [
                ((name,), one.last_seen.timestamp()) for name, one in self._known.items() if one.last_seen is not None
            ],
        }
