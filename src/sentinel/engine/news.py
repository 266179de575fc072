"""What has just changed, for whoever has a page open: names of what changed, never what it is now.

Whoever looks is told soon, and looks for themselves: nothing is queued for a slow reader but a set of names, so that
a thousand changes between two looks are one (invariant I15). How soon depends on how many look, and at what: what they
look at has to be made, once for all who look at the same, and sent to each, and all of that together gets a share of a
core, in a storm too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

READERS_MAX: Final = 1_000
TOPICS_MAX: Final = 200  # Of one reader at once; beyond that it is told that anything may have changed.
ANYTHING: Final = "anything"
LOOK_S: Final = 0.02  # What it takes to make a page again: the first one, of 10,000 probes and 100 open incidents.
SEND_S: Final = 0.001  # What it takes to send one more reader a page that is made.
SHARE: Final = 0.4  # Of a core, that looking again may take.
GAP_MIN_S: Final = 0.15  # What happens together is told together.
APART: Final = 0.618034  # The golden section: readers one after another are spread evenly, however many there are.


Views = Counter[Hashable]  # How many look at each of some pages.


class TooMany(Exception):  # noqa: N818  normal business on a busy day
    """There are ``READERS_MAX`` readers already."""


class Reader:
    """One who has a page open, and is told of the topics that it shows; without any, of all.

    ``phase`` is between 0 and 1: when in a gap this one looks. Readers of the same ``view`` look at the same page.
    """

    def __init__(self, shown: frozenset[str] = frozenset(), phase: float = 0.0, view: Hashable = None) -> None:
        self.shown = shown
        self.view = self if view is None else view
        self._phase = phase
        self._topics: set[str] = set()
        self._told = asyncio.Event()
        self._ended = asyncio.Event()
        self._looked_s = float("-inf")
        self._due_s: float | None = None

    @property
    def over(self) -> bool:
        """Tell whether the reader is to go."""
        return self._ended.is_set()

    @property
    def topics(self) -> frozenset[str]:
        """Return what changed since the last time."""
        return frozenset(self._topics)

    def tell(self, topic: str) -> None:
        """Note that something changed."""
        if self.shown and topic not in self.shown and topic != ANYTHING:
            return
        if len(self._topics) >= TOPICS_MAX:
            self._topics = {ANYTHING}
        self._topics.add(topic)
        self._told.set()

    def end(self) -> None:
        """Have the reader go: the daemon stops, or they may not look any more."""
        self._ended.set()
        self._told.set()

    async def wait(self) -> None:
        """Return when there is something, or when it is over."""
        await self._told.wait()

    async def turn(self, gap_s: float, within_s: float) -> bool:
        """Wait for this reader's turn, ``within_s`` at most, and return whether it has come.

        Who was told a moment ago waits until the gap is over; who was not, for their place in it.
        """
        now_s = asyncio.get_running_loop().time()
        if self._due_s is None:
            over_s = self._looked_s + gap_s
            place_s = now_s + self._phase * gap_s if over_s <= now_s else over_s
            self._due_s = max(place_s, now_s + GAP_MIN_S)
        wait_s = self._due_s - now_s
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait_s, within_s)):
                await self._ended.wait()
        if wait_s > within_s and not self.over:
            return False
        self._looked_s, self._due_s = self._due_s, None
        return True

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
        self._views: dict[str, Views] = {}
        self._all: Views = Counter()
        self._came = 0
        self.told = 0  # How often something was told.

    def __len__(self) -> int:
        """Return how many look."""
        return len(self._readers)

    def say(self, *topics: str) -> None:
        """Tell everybody that these have changed."""
        self.told += 1
        for reader in self._readers:
            for topic in topics:
                reader.tell(topic)

    def gap_s(self, reader: Reader) -> float:
        """Return how long a reader waits between two looks, given how many others look at what has changed."""
        topics = reader.topics
        if ANYTHING in topics:
            cost_s = _cost_s(self._all)
        else:
            of_all = _cost_s(self._views.get(ANYTHING))
            cost_s = of_all + max((_cost_s(self._views.get(one)) for one in topics), default=0.0)
        return max(GAP_MIN_S, cost_s / SHARE)

    @contextmanager
    def reading(self, shown: frozenset[str] = frozenset(), view: Hashable = None) -> Iterator[Reader]:
        """Be told of some topics from now on; of all when none is named. Without a ``view`` nobody looks at the same.

        Raises:
            TooMany: there are ``READERS_MAX`` readers.
        """
        if len(self._readers) >= READERS_MAX:
            raise TooMany(f"{READERS_MAX} pages are open already")
        self._came += 1
        reader = Reader(shown, self._came * APART % 1, view)
        self._readers.add(reader)
        self._all[reader.view] += 1
        for topic in shown or {ANYTHING}:
            self._views.setdefault(topic, Counter())[reader.view] += 1
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            _forget(self._all, reader.view)
            for topic in shown or {ANYTHING}:
                _forget(self._views[topic], reader.view)
                if not self._views[topic]:  # What nobody looks at any more is forgotten.
                    del self._views[topic]

    def close(self) -> None:
        """Have all readers go."""
        for reader in self._readers:
            reader.end()


def _cost_s(views: Views | None) -> float:
    """Return what it takes when all of these look again."""
    return len(views) * LOOK_S + views.total() * SEND_S if views else 0.0


def _forget(views: Views, view: Hashable) -> None:
    views[view] -= 1
    if not views[view]:
        del views[view]
