"""Delivery receipts: they move a message forward, and never acknowledge anything (rule DSP-6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Literal

import structlog

from sentinel.core import bounces
from sentinel.core.model import Refused
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.store.base import MessageState, OutboxRow, Settlement, Sought, Store

log = structlog.get_logger(__name__)

KNOWN_FOR: Final = timedelta(days=7)
ROWS_MAX: Final = 200  # the messages of one digest
LOOKS: Final = 3  # A gateway may be quicker with its receipt than we are with writing that it took the message.
LOOK_AGAIN_S: Final = 1.0
WHY_MAX_CHARS: Final = 200

Read = Callable[..., Awaitable[Any]]


class Receipts:
    """Takes what carriers say of messages that they took. ``counted`` is told of each: its channel, what came of it."""

    def __init__(self, desk: Desk, store: Store, read: Read, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._read = read
        self._clock = clock
        self.counted: Callable[[str, Literal["delivered", "failed"]], None] = lambda *_: None

    async def take(self, channel: str, reference: str, state: Literal["delivered", "failed"], why: str = "") -> int:
        """Write down what became of a message; return of how many it was one: the messages of a digest travel together.

        One that did not arrive goes the next way at once.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOK_AGAIN_S)
            rows: list[OutboxRow] = await self._read(
                self._store.taken,
                Sought(channel=channel, reference=reference),
                self._clock.now() - KNOWN_FOR,
                limit=ROWS_MAX,
            )
            if rows:
                break
        else:
            log.info("receipt of no message", channel=channel)
            return 0
        for row in rows:
            if row.state == "done":  # What has arrived stays so, whatever else is said.
                await self._move(row, state, why[:WHY_MAX_CHARS])
        return len(rows)

    async def lost(self, row: OutboxRow, why: str) -> None:
        """Write down that a message did not arrive.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        if row.state == "done":
            await self._move(row, "failed", why[:WHY_MAX_CHARS])

    async def _move(self, row: OutboxRow, state: Literal["delivered", "failed"], why: str) -> None:
        if state == "delivered":
            await self._desk.settle(_settlement(row, "delivered"))
        else:
            await self._bounce(row, why)
        log.info("receipt", message=row.id, channel=row.channel, what=state)
        self.counted(row.channel, state)

    async def _bounce(self, row: OutboxRow, why: str) -> None:
        settlement = _settlement(row, "dead", why)
        if row.incident:
            state = await self._desk.look_at(row.incident)
            timeline = await self._read(self._store.timeline, row.incident)
            command = bounces.recalled(state, [recorded.event for recorded in timeline], row.id, why)
            if command is not None:
                try:
                    await self._desk.order(row.incident, command, settlement)
                except Refused as refusal:
                    log.warning("receipt refused", message=row.id, why=str(refusal))
                else:
                    return
        await self._desk.settle(settlement)


def _settlement(row: OutboxRow, state: MessageState, why: str = "") -> Settlement:
    """Return the settlement: when it was handed over stays as it was."""
    return Settlement(
        id=row.id,
        sequence=row.sequence,
        state=state,
        tries=row.tries,
        due_at=row.due_at,
        at=row.settled_at or row.due_at,
        reference=row.reference,
        error=why,
    )
