"""What the jobs that call have said: on disk before they are answered."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from concurrent.futures import Executor
from datetime import timedelta

from sentinel.core.pings import NOTHING, Heard, Said, hear
from sentinel.engine.clock import Clock
from sentinel.store.base import Store


class Heartbeats:
    """Keeps what is known of each job, by the name of its probe."""

    def __init__(self, kept: tuple[Store, Executor], clock: Clock) -> None:
        self._store, self._writer = kept
        self._clock = clock
        self._known: dict[str, Heard] = {}
        self._taking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def load(self) -> None:
        """Read what was said before the daemon started.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        self._known = await asyncio.get_running_loop().run_in_executor(self._writer, self._store.heartbeats)

    def of(self, name: str) -> Heard:
        """Return what is known of a job."""
        return self._known.get(name, NOTHING)

    async def take(self, name: str, said: Said, limit: timedelta) -> None:
        """Take what a job says whose runs may take so long; return when it is on disk.

        Raises:
            StoreUnavailable: it is not.
        """
        async with self._taking[name]:  # Two calls at once would each build on what was known before the other.
            now = self._clock.now()
            heard = hear(self.of(name), said, now, limit)
            put = self._store.put_heartbeat
            await asyncio.get_running_loop().run_in_executor(self._writer, put, name, now, heard)
            self._known[name] = heard
