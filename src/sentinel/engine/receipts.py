"""Writes down what came of tries, however long the store takes: nobody else knows, and nothing must be sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.engine.desk import Desk
from sentinel.engine.sending import Together
from sentinel.store.base import OutboxRow, Settlement, StoreUnavailable

log = structlog.get_logger(__name__)

WRITE_FIRST_S: Final = 1.0  # It is written again so soon when the store does not take it,
WRITE_MAX_S: Final = 15.0  # and then less often.


class Receipts:
    """Hands receipts to the desk; where much is sent, those of a moment together, so that one commit holds them."""

    def __init__(self, desk: Desk, together: Together, bug: Callable[[str], None]) -> None:
        self._desk = desk
        self._bug = bug
        self._together = together

    async def write_down(self, row: OutboxRow, command: c.Command | None, settlement: Settlement) -> None:
        """Write what came of a try, until it is on disk."""
        pause_s = WRITE_FIRST_S
        await self._together.wait()
        while True:
            try:
                if command is None or not row.incident:  # A notice of a hand-over belongs to no incident.
                    await self._desk.settle(settlement)
                else:
                    await self._order(row, command, settlement)
            except StoreUnavailable as error:
                log.warning("not settled; written again soon", message=row.id, in_s=pause_s, why=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(WRITE_MAX_S, pause_s * 2)
            else:
                return

    async def _order(self, row: OutboxRow, command: c.Command, settlement: Settlement) -> None:
        try:
            await self._desk.order(row.incident, command, settlement)
        except Refused as refusal:  # The incident is gone; the row must still come to rest.
            log.warning("receipt refused", message=row.id, why=str(refusal))
            await self._desk.settle(settlement)
        except StoreUnavailable:
            raise
        except Exception:  # The task's edge: a bug in what a receipt means must not leave the row as being sent.
            log.exception("bug in a receipt", message=row.id)
            self._bug("receipt")
            await self._desk.settle(settlement)
