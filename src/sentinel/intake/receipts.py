"""Delivery receipts: they move a message forward, and never acknowledge anything (rule DSP-6)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

import structlog

from sentinel.core import bounces, carried
from sentinel.core.model import Page, Refused
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.store.base import MessageState, OutboxRow, Settlement, Sought, Store

log = structlog.get_logger(__name__)

KNOWN_FOR: Final = timedelta(days=7)
ROWS_MAX: Final = 200  # the messages of one digest
LOOKS: Final = 3  # A gateway may be quicker with its receipt than we are with writing that it took the message.
LOOK_AGAIN_S: Final = 1.0
WHY_MAX_CHARS: Final = 200
TOGETHER_MAX: Final = 50  # Messages of a digest that came back that are written in one go.

Read = Callable[..., Awaitable[Any]]


class Receipts:
    """Takes what carriers say of messages that they took. ``counted`` is told of each: its channel, what came of it.

    ``reported`` is told the channel, the provider that carried it, and what came of it, once for a digest.
    ``stands_in_for`` says of which channels one's carrier is a provider, and ``arrived`` is told of the id of each that
    reached somebody.
    """

    def __init__(self, desk: Desk, store: Store, read: Read, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._read = read
        self._clock = clock
        self.counted: Callable[[str, Literal["delivered", "failed"]], None] = lambda *_: None
        self.reported: Callable[[str, str, str], None] = lambda *_: None
        self.bounced: Callable[[Page, str, str], Awaitable[None]] | None = None
        self.stands_in_for: Callable[[str], Sequence[str]] = lambda _channel: ()
        self.arrived: Callable[[str], Awaitable[None]] | None = None

    async def take(self, channel: str, reference: str, state: Literal["delivered", "failed"], why: str = "") -> int:
        """Write down what became of a message; return of how many it was one: the messages of a digest travel together.

        One that did not arrive goes the next way at once.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(LOOK_AGAIN_S)
            rows = await self._rows(channel, reference)
            if rows:
                break
        else:
            log.info("receipt of no message", channel=channel)
            return 0
        if any(row.state == "done" for row in rows):
            self.reported(rows[0].channel, carried.provider_of(rows[0].reference), state)
        for row in rows:
            if row.state == "done":  # What has arrived stays so, whatever else is said.
                await self._move(row, state, why[:WHY_MAX_CHARS])
        return len(rows)

    async def _rows(self, channel: str, reference: str) -> list[OutboxRow]:
        """Return the messages that a channel's carrier took as that, for itself or in the place of another's."""
        since = self._clock.now() - KNOWN_FOR
        places = [(channel, reference)]
        places += [(one, carried.via(channel, reference)) for one in self.stands_in_for(channel)]
        for name, known_as in places:
            sought = Sought(channel=name, reference=known_as)
            rows: list[OutboxRow] = await self._read(self._store.taken, sought, since, limit=ROWS_MAX)
            if rows:
                return rows
        return []

    async def lost(self, row: OutboxRow, why: str) -> None:
        """Write down that a message did not arrive, and hold it against its address before the next way is chosen.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        if row.state == "done":
            await self._lower(Page(row.person, row.channel), row.id, why)
            await self._move(row, "failed", why[:WHY_MAX_CHARS])

    async def lost_digest(self, page: Page, digest: str, rows: Sequence[OutboxRow], why: str) -> None:
        """Write down that a digest did not arrive: its address is lowered, each message in it goes the next way.

        ``rows`` are the messages that it held, as far as they are still there.

        Raises:
            StoreUnavailable: not all of it is on disk; said again, it goes on.
        """
        await self._lower(page, digest, why)
        lost = [row for row in rows if row.state == "done"]
        for place in range(0, len(lost), TOGETHER_MAX):
            moved = (self._move(row, "failed", why[:WHY_MAX_CHARS]) for row in lost[place : place + TOGETHER_MAX])
            await asyncio.gather(*moved)

    async def _lower(self, page: Page, message: str, why: str) -> None:
        if self.bounced is not None:
            await self.bounced(page, message, why[:WHY_MAX_CHARS])

    async def _move(self, row: OutboxRow, state: Literal["delivered", "failed"], why: str) -> None:
        if state == "delivered":
            await self._desk.settle(_settlement(row, "delivered"))
            if self.arrived is not None:
                await self.arrived(row.id)
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
