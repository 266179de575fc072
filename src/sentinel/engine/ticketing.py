"""Brings tickets in line with their incidents. A back-end that is down delays the ticket, never a page (rule DSP-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.core import commands as c
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.outbox import Outbox
from sentinel.engine.tries import TRY_LIMIT_S, Receipt, Telemetry, pause_after, settlement
from sentinel.store.base import OutboxRow, StoreUnavailable
from sentinel.tickets.base import TicketReference

log = structlog.get_logger(__name__)

TicketWriter = Callable[[Incident], Awaitable[TicketReference]]


class Ticketing:
    """Tries tickets, one row at a time. ``writers`` are replaced as a whole by a reload."""

    def __init__(self, outbox: Outbox, clock: Clock, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._clock = clock
        self._telemetry = telemetry
        self.writers: dict[str, TicketWriter] = {}

    async def tried(self, row: OutboxRow) -> Receipt:
        """Bring a ticket in line; return what came of it."""
        write = self.writers.get(row.channel)
        if write is None:
            return self._dead(row, "no such back-end any more")
        try:
            state = await self._outbox.incident(row.incident)
            if state is None:
                return self._dead(row, f"{row.incident} is gone")
            reference = await _put(write, state)
        except Undelivered as failure:
            return self._delayed(row, failure)
        except StoreUnavailable as error:
            return self._delayed(row, Undelivered(str(error)))
        except Exception as error:  # The task's edge: a bug in one back-end must not stop the others.
            log.exception("bug in ticket back-end", ticket=row.id, backend=row.channel)
            self._telemetry.bug("dispatch")
            return self._delayed(row, Undelivered(f"Sentinel itself failed: {type(error).__name__}"))
        self._telemetry.ticket(row.channel, "ok")
        link = c.LinkTicket(
            backend=row.channel,
            reference=reference.reference,
            url=reference.url,
            state=reference.state,
            assignee=reference.assignee,
        )
        now = self._clock.now()
        return link, settlement(row, "done", row.tries + 1, now, reference=reference.reference)

    def _dead(self, row: OutboxRow, why: str) -> Receipt:
        return None, settlement(row, "dead", row.tries + 1, self._clock.now(), error=why)

    def _delayed(self, row: OutboxRow, failure: Undelivered) -> Receipt:
        """Try again later, for ever: a ticket that nobody brings in line would be wrong for ever."""
        self._telemetry.ticket(row.channel, failure.outcome)
        log.warning("ticket not in line", ticket=row.id, backend=row.channel, why=failure.why)
        now = self._clock.now()
        settled = settlement(row, "pending", row.tries + 1, now, error=failure.why)
        return None, replace(settled, due_at=now + pause_after(row.tries))


async def _put(write: TicketWriter, state: Incident) -> TicketReference:
    try:
        async with asyncio.timeout(TRY_LIMIT_S):
            return await write(state)
    except TimeoutError:
        raise Undelivered(f"no answer within {TRY_LIMIT_S:g} s", outcome="timeout") from None
