"""Brings incidents the news that time has passed. It stores nothing: the next moment is a function of their states."""

from __future__ import annotations

import asyncio

import structlog

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0  # The wall clock may be set: no wait is longer than this.


class Timers:
    """Wakes incidents when they asked to be woken; overdue ones at once after a start."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self.progressed_at = clock.monotonic()

    async def run(self) -> None:
        """Wake until cancelled."""
        while True:
            self.progressed_at = self._clock.monotonic()
            waking = self._desk.waking()
            wait_s = LOOK_EVERY_S
            if waking is not None:
                moment, number = waking
                wait_s = min(wait_s, (moment - self._clock.now()).total_seconds())
                if wait_s <= 0:
                    await self._wake(number)
                    continue
            await asyncio.sleep(wait_s)

    async def _wake(self, number: str) -> None:
        try:
            await self._desk.order(number, c.Tick())
        except StoreUnavailable as error:
            log.warning("not woken; again in a second", incident=number, why=str(error))
            await asyncio.sleep(LOOK_EVERY_S)
        except Refused as refusal:
            log.warning("not woken", incident=number, why=str(refusal))
            await asyncio.sleep(LOOK_EVERY_S)
