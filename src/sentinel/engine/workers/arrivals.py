"""Results as workers send them: each settled where the daemon's own are, those of one target in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from msgspec.structs import replace

from sentinel.core.model import Result
from sentinel.engine.doubt import BUG, DOUBTS
from sentinel.engine.live import Live, Row
from sentinel.engine.scheduler import Key
from sentinel.engine.workers.wire import Ran, Samples

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a run that ended. ``fingerprint`` is that of the plan it followed."""

    result: Result
    verdict: str
    samples: Samples
    phases: dict[str, float]
    fingerprint: str


class Arrivals:
    """Takes results. ``void`` says why a failure says nothing of its target, which may take a look elsewhere."""

    def __init__(
        self,
        live: Live,
        void: Callable[[Result], Awaitable[str]],
        digest: Callable[[Row, Seen, str], None],
        bug: Callable[[str], None],
    ) -> None:
        self._live = live
        self._void = void
        self._digest = digest
        self._bug = bug
        self._last: dict[Key, asyncio.Task[None]] = {}

    def take(self, ran: Ran) -> None:
        """Settle a result: at once when it is good and no other of its target is under way."""
        result = ran.result
        if result.doubt and result.doubt not in DOUBTS:  # It becomes a label.
            result = replace(result, doubt=BUG)
        row = self._live.row(result.probe, result.target)
        if row is None or row.plan.fingerprint != ran.fingerprint:  # A reload has changed what this run asked.
            return
        samples = {(metric, labels): value for metric, labels, value in ran.samples}
        seen = Seen(result, ran.verdict, samples, ran.phases, ran.fingerprint)
        key = (result.probe, result.target)
        before = self._last.get(key)
        if result.ok and before is None:
            self._settle(row, seen, "")
            return
        task = asyncio.get_running_loop().create_task(self._in_turn(row, seen, before))
        self._last[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))

    def under_way(self) -> list[asyncio.Task[None]]:
        """Return what is being settled."""
        return list(self._last.values())

    async def _in_turn(self, row: Row, seen: Seen, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        self._settle(row, seen, "" if seen.result.ok else await self._void(seen.result))

    def _settle(self, row: Row, seen: Seen, void: str) -> None:
        try:
            self._digest(row, seen, void)
        except Exception:  # The task's edge: one result that cannot be digested must not go unseen.
            log.exception("bug after a run", probe=row.plan.name, type=row.plan.type)
            self._bug("run")

    def _forget(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._last.get(key) is task:
            del self._last[key]
