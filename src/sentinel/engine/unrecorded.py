"""Critical pages that could not be written: sent all the same, once for each fault and person.

Better unrecorded than unsent. They are sent again, recorded, when the store is back: what may come twice is said by
its text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from sentinel.channels.base import Undelivered
from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow

log = structlog.get_logger(__name__)

LEVEL_CRITICAL = 3
KNOWN_MAX = 10_000
AT_ONCE_MAX = 16

Key = tuple[str, str, str]


class Unrecorded:
    """Sends through the function it is given, which raises ``Undelivered``, and remembers what it has sent."""

    def __init__(self, carry: Callable[[OutboxRow], Awaitable[str]]) -> None:
        self._carry = carry
        self._known: dict[Key, asyncio.Task[None]] = {}
        self._of_fault: dict[str, set[Key]] = {}  # Each event of any incident asks for those of one fault.
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)

    def send(self, owed: Sequence[tuple[Incident, OutboxRow]]) -> None:
        """Send what is critical and was not sent for the same fault to the same person before."""
        for state, row in owed:
            key = (state.dedup, row.person, row.channel)
            if row.kind != "message" or row.urgency < LEVEL_CRITICAL or key in self._known:
                continue
            while len(self._known) >= KNOWN_MAX:
                self._drop(next(iter(self._known)))
            task = asyncio.get_running_loop().create_task(self._send(key, row))
            self._known[key] = task
            self._of_fault.setdefault(state.dedup, set()).add(key)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, key: Key, row: OutboxRow) -> None:
        try:
            async with self._turn:
                await self._carry(row)
        except Undelivered as failure:
            log.error("page neither recorded nor sent", message=row.id, why=failure.why)
            if self._known.get(key) is asyncio.current_task():
                self._drop(key)  # The next report of the same fault tries again.
        else:
            log.warning("page sent unrecorded", message=row.id, channel=row.channel)

    def forget(self, dedup: str) -> None:
        """Forget what was sent of a fault: from now on the outbox knows."""
        for key in self._of_fault.pop(dedup, ()):
            del self._known[key]

    def _drop(self, key: Key) -> None:
        del self._known[key]
        same = self._of_fault[key[0]]
        same.discard(key)
        if not same:
            del self._of_fault[key[0]]

    def under_way(self) -> list[asyncio.Task[None]]:
        """Return what is being sent."""
        return list(self._tasks)
