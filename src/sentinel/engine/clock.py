"""The only reader of time. Everything else is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Protocol


class Clock(Protocol):
    """Tells the time of day, and a time that never jumps."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever grow."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some moment in the past."""
        return time.monotonic()


def since_start() -> float:
    """Return the seconds since the machine was started; those that it slept count, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# A machine that shows an earlier year was started without a clock that keeps the time, and has not been told it yet.
EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC)


class SteadyClock:
    """The machine's clock without its jumps: what is timed must be told neither early nor late (invariants I4, I13).

    It runs as the clock that never jumps does, and is kept by ``follow`` to what the machine shows. ``wall`` and
    ``steady`` give seconds, of the day's time since 1970 and of the time since the machine was started. As long as the
    machine's clock was never set the time goes on from ``resume_at``, when something was last written down.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = since_start,
        monotonic: Callable[[], float] = time.monotonic,
        resume_at: datetime | None = None,
    ) -> None:
        self._wall, self._steady = wall, steady
        self.monotonic = monotonic
        begin_s = max(EARLIEST, resume_at or EARLIEST).timestamp() if self.unset() else self._wall()
        self._ahead_s = begin_s - self._steady()

    def now(self) -> datetime:
        """Return the present moment, as far as the machine's clock is followed."""
        return datetime.fromtimestamp(self._ahead_s + self._steady(), UTC)

    def unset(self) -> bool:
        """Tell whether the machine's clock shows a time that cannot be: nobody has set it since the start."""
        return self._wall() < EARLIEST.timestamp()

    def jumped_s(self) -> float:
        """Return by how many seconds the machine's clock is ahead of this one; below zero when it is behind."""
        return self._wall() - self._steady() - self._ahead_s

    def follow(self) -> None:
        """Show what the machine's clock shows, from now on."""
        self._ahead_s = self._wall() - self._steady()


class LoopClock:
    """A clock that follows the event loop's time from a given start: virtual time for tests and simulations."""

    def __init__(self, start: datetime, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_event_loop()
        self._start = start.timestamp() - self._loop.time()

    def now(self) -> datetime:
        """Return the start plus the loop's time since."""
        return datetime.fromtimestamp(self._start + self._loop.time(), UTC)

    def monotonic(self) -> float:
        """Return the loop's time."""
        return self._loop.time()
