"""Says at a place elsewhere that Sentinel is alive, and only when it is: a dead man's switch hears the silence.

A self-test comes first. The probes run, the store takes a write, what is owed leaves, and no loop stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from sentinel.channels.base import Undelivered
from sentinel.engine.clock import Clock
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

OVERDUE_MAX = timedelta(minutes=1)  # The dispatcher takes what is due within seconds.
TEST_LIMIT_S = 15.0
PING_LIMIT_S = 15.0
IDLE_S = 5.0  # So often a new configuration is looked for while there is no place to tell.

Check = Callable[[], Awaitable[str]]


class Alive:
    """Tests, then pings. ``ping`` does the latter and is replaced by a reload; without it nothing is done.

    ``checks`` say what is wrong, in a few words, or nothing. ``counted`` hears of each cycle: sent, failed or held.
    """

    def __init__(self, clock: Clock, checks: dict[str, Check]) -> None:
        self._clock = clock
        self._checks = checks
        self.ping: Callable[[], Awaitable[None]] | None = None
        self.every_s = 60.0
        self.counted: Callable[[str], None] = lambda _result: None
        self.progressed_at = clock.monotonic()

    async def run(self) -> None:
        """Test and ping until cancelled."""
        while True:
            self.progressed_at = self._clock.monotonic()
            if self.ping is None:
                await asyncio.sleep(IDLE_S)
                continue
            await self.cycle()
            left_s = self.every_s
            while left_s > 0:  # Standing still and waiting look different from outside.
                self.progressed_at = self._clock.monotonic()
                await asyncio.sleep(min(IDLE_S, left_s))
                left_s -= IDLE_S

    async def cycle(self) -> str:
        """Test once, ping when all is well, and return how it went: ``sent``, ``failed`` or ``held``."""
        wrong = await self.wrong()
        result = "held" if wrong else await self._pinged()
        if wrong:
            log.error("not alive enough to say so", wrong=wrong)
        self.counted(result)
        return result

    async def wrong(self) -> list[str]:
        """Return what is wrong; nothing when all is well."""
        found = []
        for name, check in self._checks.items():
            self.progressed_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(TEST_LIMIT_S):
                    said = await check()
            except (StoreUnavailable, TimeoutError) as error:
                said = str(error) or f"no answer within {TEST_LIMIT_S:g} s"
            if said:
                found.append(f"{name}: {said}")
        return found

    async def _pinged(self) -> str:
        if self.ping is None:
            return "held"
        self.progressed_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(PING_LIMIT_S):
                await self.ping()
        except (Undelivered, TimeoutError) as error:
            # The address is a secret, and what is wrong with it may quote it: only the sort of trouble is logged.
            log.warning("alive, and nobody there to hear it", why=type(error).__name__)
            return "failed"
        return "sent"


def overdue(next_due: datetime | None, now: datetime) -> str:
    """Return that what is owed does not leave, if it does not."""
    if next_due is None or now - next_due <= OVERDUE_MAX:
        return ""
    return f"messages are due since {next_due:%Y-%m-%d %H:%M:%S} UTC"
