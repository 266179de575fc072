"""The outbox as the dispatcher reads it: in a thread, so that a slow disk does not hold the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from sentinel.core.model import Page
from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow, Passed, Store

T = TypeVar("T")

PAGE_MAX = 200
GATHERED_MAX = 500  # Rows of a digest that are read at a time.

Lane = tuple[str, str]  # person, channel


@dataclass(frozen=True, slots=True)
class Outbox:
    """Reads what is owed, a page at a time."""

    store: Store
    reader: Executor

    async def due(self, now: datetime, busy: list[str], full: list[str], held: Sequence[Lane] = ()) -> list[OutboxRow]:
        """Return a page of what is due."""
        left = (busy, full, held) if held else (busy, full)
        return await self._read(self.store.due, now, PAGE_MAX, *left)

    async def gathered(self, lane: Lane, now: datetime, read: Callable[[OutboxRow], T]) -> list[T]:
        """Return what is gathered for one digest, each as ``read`` makes it: all of it together may be large."""
        found: list[T] = []
        after = ""
        while True:
            page, last = await self._read(self._page, (*lane, now, after), read)
            found += page
            if not last:
                return found
            after = last

    def _page(self, asked: tuple[str, str, datetime, str], read: Callable[[OutboxRow], T]) -> tuple[list[T], str]:
        """Read a page, and say after which row the next one begins; nothing when it was the last."""
        person, channel, now, after = asked
        rows = self.store.gathered(person, channel, now, limit=GATHERED_MAX, after=after)
        return [read(row) for row in rows], rows[-1].id if len(rows) == GATHERED_MAX else ""

    async def sent_since(self, since: datetime) -> list[Passed]:
        """Return what left lately."""
        return await self._read(self.store.sent_since, since)

    async def slots(self) -> list[tuple[Lane, datetime]]:
        """Return when digests are to leave."""
        return [((person, channel), at) for person, channel, at in await self._read(self.store.slots)]

    async def next_due(self) -> datetime | None:
        """Return when the next row is due."""
        return await self._read(self.store.next_due)

    async def incident(self, number: str) -> Incident | None:
        """Return an incident as it is on disk."""
        return await self._read(self.store.incident, number)

    async def apart(self, call: Callable[..., T], *arguments: object) -> T:
        """Make a call that takes long in a thread, so that the loop has its turns meanwhile."""
        return await self._read(call, *arguments)

    async def _read(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.reader, call, *arguments)


def apart_row(
    message: str, page: Page, body: bytes, now: datetime, *, give_up_after: timedelta, urgency: int = 1
) -> OutboxRow:
    """Return the row of a message of no incident; with its low urgency it never goes before a page."""
    return OutboxRow(
        id=message,
        kind="message",
        incident="",
        sequence=0,
        person=page.person,
        channel=page.channel,
        urgency=urgency,
        body=body,
        created_at=now,
        due_at=now,
        give_up_at=now + give_up_after,
    )
