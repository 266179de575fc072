"""Sees that this process has its database to itself: whoever was silent for too long may have been replaced.

A file is locked for as long as the process lives. A server lets the lock go with the connection: after a restart of the
server, or when this machine stood still for so long that the server gave it up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from sentinel.store.base import StoreUnavailable
from sentinel.store.failures import AlreadyRunning
from sentinel.store.locks import Lock

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0  # So long may two be at work.


class Alone:
    """Keeps the lock. ``replaced`` is called when another Sentinel has it: this one must not send anything more.

    While the server does not answer nobody can have taken it, and pages leave as ever.
    """

    def __init__(self, lock: Lock, replaced: Callable[[AlreadyRunning], None]) -> None:
        self._lock = lock
        self._replaced = replaced
        self._doubted = False

    async def run(self) -> None:
        """Look until replaced or cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self._lock.keep)
            except AlreadyRunning as error:
                self._replaced(error)
                return
            except StoreUnavailable as error:
                self._say(str(error))
            else:
                self._say("")

    def _say(self, why: str) -> None:
        """Say once that nobody can tell, and once that it holds again."""
        if why and not self._doubted:
            log.warning("whether another Sentinel works on the database cannot be told", why=why)
        elif self._doubted and not why:
            log.info("the database is ours again")
        self._doubted = bool(why)
