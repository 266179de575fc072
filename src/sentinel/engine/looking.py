"""Loops that look at something now and then, whatever the database says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from sentinel.engine.clock import Clock
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)


class Looks(Protocol):
    """Something that is looked at; ``progressed_at`` shows the watchdog that its loop goes on."""

    progressed_at: float

    async def look(self) -> None:
        """Look once.

        Raises:
            StoreUnavailable: not all of it is on disk; the next look goes on with it.
        """


async def keep_looking(what: Looks, clock: Clock, every_s: float, trouble: str) -> None:
    """Look until cancelled, with so long in between; ``trouble`` is what the log says when the database fails."""
    while True:
        what.progressed_at = clock.monotonic()
        try:
            await what.look()
        except StoreUnavailable as error:
            log.warning(trouble, why=str(error))
        await asyncio.sleep(every_s)


async def woken(wake: asyncio.Event, within_s: float) -> None:
    """Wait until somebody says that there is news, for so long at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await wake.wait()
