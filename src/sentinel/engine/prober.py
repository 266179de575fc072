"""Runs a probe against one target: the time limit, the confirmation, and the edge where our own bugs end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from msgspec.structs import replace as changed

from sentinel.core.model import Result
from sentinel.core.pings import Heard
from sentinel.engine import doubt
from sentinel.engine.clock import Clock
from sentinel.engine.doubt import Host
from sentinel.probes import kind as kind_of
from sentinel.probes.base import Failed, Limit, Sight
from sentinel.probes.net import Resolver, TargetPolicy
from sentinel.probes.plan import ProbePlan

log = structlog.get_logger(__name__)

OVERRUN_S: Final = 0.2  # A time limit that ends an attempt so much too late says that this process stood still.


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run is handed.

    ``heard`` tells what is known of a passive probe by its calls; ``since`` from when on it was
    listened for. ``lagging`` tells whether the loop was late during the last so many seconds, ``host`` knows of
    other troubles of this machine. ``keep`` keeps a picture of a probe's failure, and returns its name.
    """

    clock: Clock
    resolver: Resolver
    policy: TargetPolicy
    since: Callable[[str], datetime]
    heard: Callable[[str], Heard]
    lagging: Callable[[float], bool]
    bug: Callable[[str], None]
    host: Host | None = None
    keep: Callable[[str, datetime, bytes], str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result and the sight of the attempt that decided it."""

    result: Result
    sight: Sight
    verdict: str


class Prober:
    """Carries out runs. Retries, limits and the handling of failures are here, once for all kinds."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._around = surroundings

    async def run(self, plan: ProbePlan, target: str, *, confirm: bool = True) -> Outcome:
        """Run once; a failure is confirmed at once, inside the same run (rule SRC-1)."""
        host, began_at = self._around.host, self._around.clock.now()
        first = await self._attempt(plan, target, began_at, 1)
        if first.result.ok:
            if host is not None:
                host.loss.good += 1
            return first
        if not confirm:
            return first
        outcome = await self._confirmed(plan, target, began_at, first) if plan.confirm.attempts else first
        if outcome.result.doubt in doubt.WORTH_ANOTHER_LOOK and not outcome.result.ok:
            outcome = await self._once_more(plan, target, began_at, outcome)
        if host is not None and outcome.result.ok and first.result.reason in doubt.LOST and not first.result.doubt:
            host.loss.wavered(target)
        return outcome

    async def _confirmed(self, plan: ProbePlan, target: str, began_at: datetime, outcome: Outcome) -> Outcome:
        around, began = self._around, self._around.clock.monotonic()
        try:
            async with asyncio.timeout(plan.confirm.within_s):
                return await self._confirm(plan, target, began_at, outcome)
        except TimeoutError:
            # What was seen until now stands: a target that hangs must not escape by using up the confirmation.
            return outcome
        finally:
            log.debug("confirmed", probe=plan.name, took_s=round(around.clock.monotonic() - began, 3))

    async def _confirm(self, plan: ProbePlan, target: str, began_at: datetime, outcome: Outcome) -> Outcome:
        failures, need = 0, min(plan.confirm.need, plan.confirm.attempts)
        for attempt in range(1, plan.confirm.attempts + 1):
            await asyncio.sleep(plan.confirm.every_s)
            again = await self._attempt(plan, target, began_at, attempt + 1)
            if not again.result.ok:
                failures += 1
                outcome = again
            if failures >= need:
                return outcome
            if failures + plan.confirm.attempts - attempt < need:
                return again if again.result.ok else outcome
        return outcome

    async def _once_more(self, plan: ProbePlan, target: str, began_at: datetime, outcome: Outcome) -> Outcome:
        """Look again when the host is well, or after a while all the same: what its trouble may be is not believed."""
        why = outcome.result.doubt
        await self._host_well(why)
        again = await self._attempt(plan, target, began_at, outcome.result.attempts + 1)
        if why == doubt.LOSS and not again.result.ok and plan.confirm.attempts:
            again = await self._confirmed(plan, target, began_at, again)
        still = "" if again.result.ok or again.result.doubt == doubt.LOSS else again.result.doubt
        return replace(again, result=changed(again.result, doubt=still or why, suspect=bool(still)))

    async def _host_well(self, why: str) -> None:
        if why == doubt.NETWORK:  # Only the next try shows whether it is back.
            return await asyncio.sleep(doubt.NETWORK_PAUSE_S)
        waited_s = 0.0
        while waited_s < doubt.PATIENCE_S and self._trouble(0.0) not in {"", doubt.LOSS}:
            await asyncio.sleep(doubt.LOOK_EVERY_S)
            waited_s += doubt.LOOK_EVERY_S
        return None

    def _trouble(self, over_s: float) -> str:
        """Return what ails the host now, or did during the last so many seconds; empty when it is well."""
        if self._around.lagging(over_s):
            return doubt.LAG
        return self._around.host.trouble() if self._around.host is not None else ""

    async def _attempt(self, plan: ProbePlan, target: str, at: datetime, attempt: int) -> Outcome:
        around, begin = self._around, time.perf_counter()
        now = around.clock.now()
        sight = Sight(target, plan.timeout_s, around.resolver, around.policy, now=now, since=around.since(plan.name))
        kind = kind_of(plan.type)
        if around.keep is not None:
            sight.keep = partial(around.keep, plan.name, now)
        if kind.passive:
            sight.heard = around.heard(plan.name)
        verdict, reason, detail, ours = "success", "", "", ""
        try:
            with Limit(plan.timeout_s):
                await kind.run(plan.options, sight)
        except Failed as failure:
            verdict, reason, detail, ours = "failure", failure.reason, failure.detail, doubt.of_error(failure)
            if reason == "timeout":
                verdict = "timeout"
        except TimeoutError:
            verdict, reason, detail = "timeout", "timeout", f"no end within {plan.timeout_s:g} s"
        except Exception as error:  # The task's edge: a bug in one kind must not stop the others
            ours = doubt.of_error(error)
            if not ours:
                ours = doubt.BUG
                log.exception("bug in probe", probe=plan.name, type=plan.type)
                around.bug("probe")
            verdict, reason, detail = "error", "error", f"Sentinel itself failed: {type(error).__name__}"
        duration_s = time.perf_counter() - begin
        if not ours and (verdict != "success" or around.lagging(duration_s)):
            late = verdict == "timeout" and duration_s > plan.timeout_s + OVERRUN_S
            ours = doubt.LAG if late else self._trouble(duration_s)
        result = Result(
            probe=plan.name,
            target=target,
            at=at,
            duration_s=duration_s,
            ok=verdict == "success",
            reason=reason,
            detail=detail and detail.encode("utf-8", "replace").decode(),  # No page or row may break on it.
            attempts=attempt,
            suspect=bool(ours),
            doubt=ours,
            value=sight.value,
        )
        return Outcome(result, sight, verdict)
