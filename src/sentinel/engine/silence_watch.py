"""Puts the silences of the configuration that come again where all silences are: the one in force, and the next.

Everything follows from the time and from what is on disk: a start or a reload adds nothing twice, and what a person
has ended or changed stays so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import structlog
from msgspec.structs import replace

from sentinel.core.matching import Silence
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.looking import woken
from sentinel.store.base import Store, StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 15.0  # A window begins at least five minutes after another: its silence is there long before.


class Recurring(Protocol):
    """A silence that comes again and again."""

    @property
    def origin(self) -> str:
        """What tells its silences from others; another one when it was changed."""

    def coming(self, now: datetime) -> list[Silence]:
        """Return the silence in force, if there is one, and the next."""


class SilenceWatch:
    """Keeps the silences of ``entries``, which a reload replaces as a whole, and of those that people ``said``."""

    def __init__(self, desk: Desk, store: Store, read: Callable[..., Awaitable[Any]], clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._read = read
        self._clock = clock
        self.entries: Sequence[Recurring] = ()
        self.said: Sequence[Recurring] = ()
        self.progressed_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._done: tuple[Sequence[Recurring], frozenset[str]] | None = None

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self.progressed_at = self._clock.monotonic()
            self._wake.clear()
            await self.begin()
            await woken(self._wake, LOOK_EVERY_S)

    async def begin(self) -> None:
        """Look once; what cannot be written is written at the next look."""
        try:
            await self.look()
        except StoreUnavailable as error:
            log.warning("silences not written; again soon", why=str(error))

    def take(self, entries: Sequence[Recurring]) -> None:
        """Take the entries of another configuration."""
        self.entries = entries
        self._wake.set()

    async def look(self) -> None:
        """Add the silences that come, and end those whose entry is gone.

        Raises:
            StoreUnavailable: the store takes nothing; what is missing is added at the next look.
        """
        now, entries = self._clock.now(), (*self.entries, *self.said)
        coming = {one.id: one for entry in entries for one in entry.coming(now)}
        if self._done == (entries, frozenset(coming)):
            return
        there: set[str] = await self._read(self._store.silences_known, list(coming))
        origins = {entry.origin for entry in entries}
        standing: list[Silence] = await self._read(self._store.silences, now)
        for one in standing:
            if one.origin and one.origin not in origins:
                over = replace(one, starts_at=min(one.starts_at, now), ends_at=now, updated_at=now)
                await self._desk.silence(over)
        for name in coming.keys() - there:
            await self._desk.silence(replace(coming[name], updated_at=now))
        self._done = entries, frozenset(coming)
