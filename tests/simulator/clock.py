"""The wall clock of the simulated world: it follows the loop's time, and can be set."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class WorldClock:
    """A ``Clock`` whose time of day people and NTP can step; ``loop_at`` finds when it first showed a moment."""

    def __init__(self, start: datetime, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._steps: list[tuple[float, datetime]] = [(loop.time(), start)]

    def now(self) -> datetime:
        """Return what the wall clock shows."""
        began_s, shown = self._steps[-1]
        return shown + timedelta(seconds=self._loop.time() - began_s)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()

    def step(self, by: timedelta) -> None:
        """Set the clock forward, or back."""
        self._steps.append((self._loop.time(), self.now() + by))

    def loop_at(self, moment: datetime, after_s: float = 0.0) -> float:
        """Return the loop's time at which the clock first shows a moment or a later one, ``after_s`` at least."""
        ends = [began_s for began_s, _ in self._steps[1:]] + [float("inf")]
        for (began_s, shown), end_s in zip(self._steps, ends, strict=True):
            at_s = max(began_s + (moment - shown).total_seconds(), began_s, after_s)
            if at_s < end_s:
                return at_s
        raise AssertionError("the last stretch has no end")


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """Return an hour in UTC."""
    return datetime(year, month, day, hour, tzinfo=UTC)
