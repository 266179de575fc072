"""The only reader of time. Everything else is told."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


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
