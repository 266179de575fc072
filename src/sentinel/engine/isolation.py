"""Judges the host before the target: when its own canaries fail, it is cut off and knows nothing (rule SRC-9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Protocol

import structlog
from msgspec.structs import replace

from sentinel.core.model import Plan, Signal, Step, Verdict
from sentinel.engine import doubt
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.prober import Prober
from sentinel.probes.plan import ProbePlan
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

KEY = "isolation"
RULE = "monitoring isolated"
LOOK_EVERY_S = 10.0
CANARY_WITHIN_S = 5.0
# For so long a look that found the world is believed: a burst of failures asks once.
FRESH_S = 2.0


class Words(Protocol):
    """What is said, in the language of the site."""

    def isolated(self, canaries: Sequence[str]) -> tuple[str, str]:
        """Return the title of the incident, and what it means."""

    def connected(self) -> str:
        """Return that it is over."""


class Isolation:
    """Asks the canaries before a failure is believed, and keeps asking until they answer again.

    ``canaries`` gives the probes to ask, ``need`` how many of them must fail for the host to be cut off; without any
    it never is. ``freed`` is called when the host is connected again: what could not be judged is to be run anew.
    """

    def __init__(self, clock: Clock, desk: Desk, prober: Callable[[], Prober], words: Words) -> None:
        self._clock = clock
        self._desk = desk
        self._prober = prober
        self.words = words
        self.canaries: tuple[ProbePlan, ...] = ()
        self.need = 0
        self.freed: Callable[[], None] = lambda: None
        self.cut_off = False
        self.progressed_at = clock.monotonic()
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self._noticed = asyncio.Event()

    async def excuses(self) -> bool:
        """Tell whether a failure just seen says nothing of its target, because the host itself is cut off."""
        if not self.canaries or self.cut_off:
            return self.cut_off
        async with self._looking:
            await self._look_if_stale()
        return self.cut_off

    async def run(self) -> None:
        """While the host is cut off, look again until it is not; say so once, and when it is over."""
        while True:
            self.progressed_at = self._clock.monotonic()
            try:
                await self._say()
            except StoreUnavailable as error:
                log.warning("isolation not said; again soon", why=str(error))
            self._noticed.clear()
            if not self.cut_off:
                await self._wait()
                continue
            await asyncio.sleep(LOOK_EVERY_S)
            async with self._looking:
                await self._look()
            if not self.cut_off:
                log.warning("connected again")
                self.freed()

    async def _look_if_stale(self) -> None:
        """Look, unless somebody else just did while this one waited."""
        if not self.cut_off and self._clock.monotonic() - self._looked_at > FRESH_S:
            await self._look()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._noticed.wait()
        except TimeoutError:
            return

    async def _look(self) -> None:
        """Ask all canaries at once, each once."""
        good = await asyncio.gather(*(self._answers(plan) for plan in self.canaries))
        self._looked_at = self._clock.monotonic()
        failing = good.count(False)
        self.cut_off = bool(self.canaries) and failing >= (self.need or len(good))
        if self.cut_off:
            log.error("cut off: the canaries fail, so nothing is known of the targets", failing=failing)
            self._noticed.set()

    async def _answers(self, plan: ProbePlan) -> bool:
        """Tell whether one target of a canary answers; more would only cost time."""
        try:
            async with asyncio.timeout(CANARY_WITHIN_S):
                outcome = await self._prober().run(plan, plan.targets[0], confirm=False)
        except TimeoutError:
            return False
        # What the host's own want of means or time did says nothing of the way out.
        return outcome.result.ok or outcome.result.doubt in doubt.NOT_THE_NETWORK

    async def _say(self) -> None:
        standing = self._desk.stands(KEY)
        if self.cut_off and not standing:
            await self._report()
        elif standing and not self.cut_off:
            await self._desk.recover(KEY, self.words.connected())

    async def _report(self) -> None:
        now = self._clock.now()
        title, detail = self.words.isolated([plan.name for plan in self.canaries])
        signal = Signal(key=KEY, source="alert", title=title, at=now, since=now, detail=detail)
        verdict = Verdict(rule=RULE, level=3, severity="blocking", priority="P1", title=title, dedup=KEY)
        state = await self._desk.report(signal, verdict, plan=watchers_only(self._desk.policy.plan_for("", verdict)))
        log.error("isolation reported", incident=state.number)


def watchers_only(plan: Plan) -> Plan:
    """Return the plan that tells only who watches the watcher: it is no customer's affair (rule SRC-9)."""
    ladder = plan.ladder
    if plan.last_resort:
        ladder = (Step(after=timedelta(0), to=plan.last_resort, by=plan.last_resort_by),)
    return replace(plan, ladder=ladder, listeners=(), operations=(), cascade_after=None, crisis=None, review=None)
