"""What has just changed, for whoever has a page open: names of what changed, never what it is now.

Whoever looks is told at once, and looks for themselves: nothing is queued for a slow reader but a set of names, so that
a thousand changes between two looks are one (invariant I15).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

READERS_MAX: Final = 1_000
TOPICS_MAX: Final = 200  # Of one reader at once; beyond that it is told that anything may have changed.
ANYTHING: Final = "anything"


class TooMany(Exception):  # noqa: N818  normal business on a busy day
    """There are ``READERS_MAX`` readers already."""


class Reader:
    """One who has a page open."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._told = asyncio.Event()
        self.over = False

    def tell(self, topic: str) -> None:
        """Note that something changed."""
        if len(self._topics) >= TOPICS_MAX:
            self._topics = {ANYTHING}
        self._topics.add(topic)
        self._told.set()

    def end(self) -> None:
        """Have the reader go: the daemon stops, or they may not look any more."""
        self.over = True
        self._told.set()

    async def wait(self) -> None:
        """Return when there is something, or when it is over."""
        await self._told.wait()

    def take(self) -> list[str]:
        """Return what changed since the last time, in order, and forget it."""
        topics, self._topics = sorted(self._topics), set()
        if not self.over:
            self._told.clear()
        return topics


class News:
    """Tells all readers of a change."""

    def __init__(self) -> None:
        self._readers: set[Reader] = set()

    def __len__(self) -> int:
        """Return how many look."""
        return len(self._readers)

    def say(self, *topics: str) -> None:
        """Tell everybody that these have changed."""
        for reader in self._readers:
            for topic in topics:
                reader.tell(topic)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Be told from now on.

        Raises:
            TooMany: there are ``READERS_MAX`` readers.
        """
        if len(self._readers) >= READERS_MAX:
            raise TooMany(f"{READERS_MAX} pages are open already")
        reader = Reader()
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def close(self) -> None:
        """Have all readers go."""
        for reader in self._readers:
            reader.end()
