"""Runs a probe against one target: the time limit, the confirmation, and the edge where our own bugs end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from sentinel.core.model import Result
from sentinel.engine.clock import Clock
from sentinel.probes import kind as kind_of
from sentinel.probes.base import Failed, Limit, Sight
from sentinel.probes.net import Resolver, TargetPolicy
from sentinel.probes.plan import ProbePlan

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run is handed.

    ``heard`` tells when a passive probe was last called, and the failure it reported; ``since`` from when on it was
    listened for. ``lagging`` tells whether the loop was late during the last so many seconds.
    """

    clock: Clock
    resolver: Resolver
    policy: TargetPolicy
    since: Callable[[str], datetime]
    heard: Callable[[str], tuple[datetime | None, str]]
    lagging: Callable[[float], bool]
    bug: Callable[[str], None]


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
        around = self._around
        began_at, began = around.clock.now(), around.clock.monotonic()
        outcome = await self._attempt(plan, target, began_at, 1)
        if outcome.result.ok or not confirm or not plan.confirm.attempts:
            return outcome
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

    async def _attempt(self, plan: ProbePlan, target: str, at: datetime, attempt: int) -> Outcome:
        around, begin = self._around, time.perf_counter()
        now = around.clock.now()
        sight = Sight(target, plan.timeout_s, around.resolver, around.policy, now=now, since=around.since(plan.name))
        kind = kind_of(plan.type)
        if kind.passive:
            sight.heard_at, sight.heard_fail = around.heard(plan.name)
        verdict, reason, detail, bug = "success", "", "", False
        try:
            with Limit(plan.timeout_s):
                await kind.run(plan.options, sight)
        except Failed as failure:
            verdict, reason, detail = "failure", failure.reason, failure.detail
            if reason == "timeout":
                verdict = "timeout"
        except TimeoutError:
            verdict, reason, detail = "timeout", "timeout", f"no end within {plan.timeout_s:g} s"
        except Exception as error:  # The task's edge: a bug in one kind must not stop the others
            log.exception("bug in probe", probe=plan.name, type=plan.type)
            around.bug("probe")
            verdict, reason, detail, bug = "error", "error", f"Sentinel itself failed: {type(error).__name__}", True
        duration_s = time.perf_counter() - begin
        result = Result(
            probe=plan.name,
            target=target,
            at=at,
            duration_s=duration_s,
            ok=verdict == "success",
            reason=reason,
            detail=detail and detail.encode("utf-8", "replace").decode(),  # No page or row may break on it.
            attempts=attempt,
            suspect=bug or around.lagging(duration_s),
            value=sight.value,
        )
        return Outcome(result, sight, verdict)
