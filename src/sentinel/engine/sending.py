"""What lets much be sent fast: rows read ahead, a gate that the urgent pass first, receipts that are written together.

Nothing of it is durable and nothing needs to be: what is marked and not sent yet, or sent and not written down yet,
stands in the outbox as being sent, and is sent again after a crash (rule DSP-3).
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

from sentinel.engine.clock import Clock
from sentinel.engine.outbox import Lane
from sentinel.store.base import OutboxRow

KEPT_FOR_S: Final = 1.0  # Rows that were read and not started yet are read again after that.
CROWD: Final = 8  # With so many under way there is much to do, and things may wait for each other.
LOOK_AGAIN_S: Final = 0.02  # In a crowd the outbox is not looked at more often.
TOGETHER_S: Final = 0.05  # In a crowd receipts wait so long for each other.


class Ahead:
    """Rows of channels that could not take them when they were read: read again for each message, they cost most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, deque[OutboxRow]] = {}
        self._read_at: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return any(self._rows.values())

    def keep(self, rows: Sequence[OutboxRow], spared: Collection[str]) -> None:
        """Keep rows, in their order, in the place of all others but those of channels that were ``spared`` a look."""
        for channel in set(self._rows).difference(spared):
            del self._rows[channel]
        for row in rows:
            if row.channel not in self._rows:
                self._rows[row.channel], self._read_at[row.channel] = deque(), self._clock.monotonic()
            self._rows[row.channel].append(row)

    def take(self, has_room: Callable[[str], bool]) -> Iterator[OutboxRow]:
        """Yield what is kept of channels, for as long as they have room."""
        now = self._clock.monotonic()
        for channel in list(self._rows):
            if now - self._read_at[channel] >= KEPT_FOR_S:
                del self._rows[channel]
                continue
            while self._rows[channel] and has_room(channel):
                yield self._rows[channel].popleft()

    def drop(self, lane: Lane) -> None:
        """Forget what is kept of a person and channel: a digest takes it."""
        kept = self._rows.get(lane[1])
        if kept is not None:
            self._rows[lane[1]] = deque(row for row in kept if row.person != lane[0])


class Gate:
    """Lets so many messages of a channel be sent at once; of those that wait the most urgent goes first."""

    def __init__(self, most: Callable[[str], int]) -> None:
        self._most = most
        self._inside: Counter[str] = Counter()
        self._waiting: defaultdict[str, list[tuple[int, int, asyncio.Future[None]]]] = defaultdict(list)
        self._order = count()
        self._opened = False

    @asynccontextmanager
    async def through(self, row: OutboxRow) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        channel = row.channel
        if self._opened or (self._inside[channel] < self._most(channel) and not self._waiting[channel]):
            self._inside[channel] += 1
        else:
            await self._turn(row)
        try:
            yield
        finally:
            self._inside[channel] -= 1
            self._let_in(channel)

    def open(self) -> None:
        """Let in all who wait or come later: they see why and go home, instead of waiting for who never comes out."""
        self._opened = True
        for channel, waiting in self._waiting.items():
            while waiting:
                if not (turn := heapq.heappop(waiting)[2]).done():
                    self._inside[channel] += 1
                    turn.set_result(None)

    async def _turn(self, row: OutboxRow) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting[row.channel], (-row.urgency, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # The place was given to it, and is free again.
                self._inside[row.channel] -= 1
                self._let_in(row.channel)
            raise

    def _let_in(self, channel: str) -> None:
        waiting = self._waiting[channel]
        while waiting and self._inside[channel] < self._most(channel):
            turn = heapq.heappop(waiting)[2]
            if not turn.done():
                self._inside[channel] += 1
                turn.set_result(None)


class Together:
    """Lets what comes within a moment go on at once, so that it is written in one transaction."""

    def __init__(self, crowded: Callable[[], bool]) -> None:
        self._crowded = crowded
        self._tick: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Return at once where little is under way, and with the others otherwise."""
        if not self._crowded():
            return
        if self._tick is None:
            loop = asyncio.get_running_loop()
            self._tick = loop.create_future()
            loop.call_later(TOGETHER_S, self._go)
        await asyncio.shield(self._tick)

    def _go(self) -> None:
        tick, self._tick = self._tick, None
        if tick is not None and not tick.done():
            tick.set_result(None)
