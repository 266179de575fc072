"""Brings incidents the news that time has passed. It stores nothing: the next moment is a function of their states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0  # The wall clock may be set: no wait is longer than this.
BATCH_MAX = 200


class Timers:
    """Wakes incidents when they asked to be woken; overdue ones at once after a start."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self.progressed_at = clock.monotonic()
        self.bug: Callable[[str], None] = lambda _where: None

    async def run(self) -> None:
        """Wake until cancelled; those that are due together are woken together."""
        while True:
            self.progressed_at = self._clock.monotonic()
            due = self._desk.due(self._clock.now(), BATCH_MAX)
            await asyncio.gather(*map(self._wake, due))
            still = set(self._desk.due(self._clock.now(), BATCH_MAX))
            if still.issuperset(due):  # Nothing was due, or nothing could be done about it: no need to hurry.
                await asyncio.sleep(self._wait_s())

    def soon(self, within: timedelta = timedelta(days=1)) -> bool:
        """Tell whether an incident is to be woken before long."""
        waking = self._desk.waking()
        return waking is not None and waking[0] - self._clock.now() < within

    def _wait_s(self) -> float:
        waking = self._desk.waking()
        wait_s = (waking[0] - self._clock.now()).total_seconds() if waking else LOOK_EVERY_S
        return min(LOOK_EVERY_S, wait_s) if wait_s > 0 else LOOK_EVERY_S

    async def _wake(self, number: str) -> None:
        try:
            await self._desk.order(number, c.Tick())
        except StoreUnavailable as error:
            log.warning("not woken; again soon", incident=number, why=str(error))
        except Refused as refusal:
            log.warning("not woken", incident=number, why=str(refusal))
        except Exception:  # The task's edge: one incident with a bug must not keep the others asleep.
            log.exception("bug in waking", incident=number)
            self.bug("timers")
