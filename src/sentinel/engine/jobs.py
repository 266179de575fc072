"""What waits for the desk, in two lines, so that a storm of reports holds up nothing that is under way already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, Final, TypeVar

from sentinel.engine.draft import Draft

BATCH_MAX: Final = 256  # Jobs that are written in one transaction.
QUEUE_MAX: Final = 10_000  # Jobs that wait in one line; who has another waits until there is room.
SLICE_MAX_S: Final = 0.05  # So long is decided at a time: then it is written, and the loop has its turn.

T = TypeVar("T")
Job = tuple[Callable[[Draft], Any], "asyncio.Future[Any]"]


class Jobs:
    """Two lines. What is new (reports, recoveries) keeps its order; so does the rest: orders, receipts, marks.

    Where both wait they take turns: with ten thousand reports waiting the first page is marked as being sent all the
    same, and a person's acknowledgement counts at once; and thousands of receipts hold up no report.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._new: asyncio.Queue[Job] = asyncio.Queue(QUEUE_MAX)
        self._known: asyncio.Queue[Job] = asyncio.Queue(QUEUE_MAX)
        self._there = asyncio.Event()
        self._taken_from: list[asyncio.Queue[Job]] = []

    async def hand_in(self, job: Callable[[Draft], T], *, new: bool) -> asyncio.Future[T]:
        """Have a job done, as soon as there is room for it; return where its answer will be."""
        answer = asyncio.get_running_loop().create_future()
        await (self._new if new else self._known).put((job, answer))
        self._there.set()
        return answer

    async def wait(self) -> None:
        """Return when there is one."""
        while self._new.empty() and self._known.empty():
            self._there.clear()
            await self._there.wait()

    def some(self, taken: list[Job]) -> Iterator[Job]:
        """Yield what is to be done together, and put it into ``taken``: bounded in number, and in the time it takes."""
        until = self._monotonic() + SLICE_MAX_S
        for line in cycle((self._known, self._new)):
            if self._known.empty() and self._new.empty():
                return
            if line.empty():
                continue
            if taken and (len(taken) >= BATCH_MAX or self._monotonic() >= until):
                return
            taken.append(line.get_nowait())
            self._taken_from.append(line)
            yield taken[-1]

    def done(self) -> None:
        """Take note that all that was taken is done."""
        while self._taken_from:
            self._taken_from.pop().task_done()

    async def join(self) -> None:
        """Return when all that was handed in so far is done."""
        await self._known.join()
        await self._new.join()
        await self._known.join()
