"""Keeps the steady clock to the host's, but follows no jump while something is timed that it would make late or early.

A jump may be a mistake or the end of one. As long as an incident waits for its next step the time goes on as it did;
then, or after a day, the host is believed. A clock that was never set is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from sentinel.engine.clock import SteadyClock

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
JUMP_S = 60.0  # Less is what keeping a clock right takes, and is followed at once.
HELD_MAX_S = 86_400.0


class ClockWatch:
    """Looks every second. ``timed`` tells whether an incident waits for something to come due soon."""

    def __init__(self, clock: SteadyClock, timed: Callable[[], bool]) -> None:
        self._clock = clock
        self._timed = timed
        self._held_since: float | None = None
        self.unset = False

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Follow the host's clock, unless it has jumped and something is timed."""
        if self._clock.unset() is not self.unset:
            self.unset = not self.unset
            by_s = round(self._clock.jumped_s(), 1)
            if self.unset:
                log.error("the clock of the host was never set; time goes on from what was last written", by_s=by_s)
            else:
                log.warning("the clock of the host has been set", by_s=by_s)
        if self.unset:
            return
        jumped_s, now = self._clock.jumped_s(), self._clock.monotonic()
        if abs(jumped_s) <= JUMP_S:
            if self._held_since is not None:
                log.warning("the clock of the host is back where it was")
            self._follow()
            return
        if self._held_since is None:
            log.error("the clock of the host has jumped", by_s=round(jumped_s, 1), followed=not self._timed())
            self._held_since = now
        if not self._timed() or now - self._held_since > HELD_MAX_S:
            log.warning("the clock of the host is followed", by_s=round(jumped_s, 1))
            self._follow()

    def held_s(self) -> float:
        """Return by how much the host's clock has jumped without being followed."""
        return self._clock.jumped_s() if self.unset or self._held_since is not None else 0.0

    def _follow(self) -> None:
        self._clock.follow()
        self._held_since = None
