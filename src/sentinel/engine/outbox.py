"""The outbox as the dispatcher reads it: in a thread, so that a slow disk does not hold the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow, Store

T = TypeVar("T")

PAGE_MAX = 200


@dataclass(frozen=True, slots=True)
class Outbox:
    """Reads what is owed, a page at a time."""

    store: Store
    reader: Executor

    async def due(self, now: datetime, busy: list[str], full: list[str]) -> list[OutboxRow]:
        """Return a page of what is due."""
        return await self._read(self.store.due, now, PAGE_MAX, busy, full)

    async def next_due(self) -> datetime | None:
        """Return when the next row is due."""
        return await self._read(self.store.next_due)

    async def incident(self, number: str) -> Incident | None:
        """Return an incident as it is on disk."""
        return await self._read(self.store.incident, number)

    async def _read(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.reader, call, *arguments)
