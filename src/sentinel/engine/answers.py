"""Answers to requests that name a key: a request that is repeated is not done twice, over restarts too."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Final, Literal, TypeVar

import structlog

from sentinel.engine.clock import Clock
from sentinel.store.base import Store, StoreUnavailable

log = structlog.get_logger(__name__)

KEPT_FOR: Final = timedelta(hours=24)
ANSWERS_MAX: Final = 100_000

T = TypeVar("T")
# `new`: go on, `done`: here is the answer, `other`: the key was for something else, `busy`: it is being done now,
# `unknown`: the process died while it was being done, `full`: no more keys are taken.
Standing = Literal["new", "done", "other", "busy", "unknown", "full"]


class Answers:
    """Keeps what was answered under a key, for ``KEPT_FOR``. What was not done is not kept."""

    def __init__(self, store: tuple[Store, Executor], clock: Clock) -> None:
        self._store, self._writer = store
        self._clock = clock
        self._under_way: set[str] = set()
        self._count = 0

    async def take(self, key: str, fingerprint: str) -> tuple[Standing, bytes]:
        """Take a key, on disk before anything is done; say how it stands, with its answer if there is one.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        if key in self._under_way:
            return "busy", b""
        if self._count >= ANSWERS_MAX:
            return "full", b""
        self._under_way.add(key)
        new = False
        try:
            free, whose, body = await self._run(self._store.take_key, key, fingerprint, self._clock.now())
            new = bool(free)
        finally:
            if not new:
                self._under_way.discard(key)
        if new:
            self._count += 1
            return "new", b""
        if whose != fingerprint:
            return "other", b""
        return ("unknown", b"") if body is None else ("done", body)

    async def keep(self, key: str, body: bytes) -> None:
        """Keep what was answered. What was done is done: a database that cannot take the answer changes nothing."""
        await self._settle(key, self._store.keep_answer, key, body)

    async def let_go(self, key: str) -> None:
        """Let a key go: nothing was done, and asking again may help."""
        self._count = max(0, self._count - 1)
        await self._settle(key, self._store.drop_key, key)

    async def tidy(self) -> None:
        """Forget what was answered long ago.

        Raises:
            StoreUnavailable: the database cannot be used.
        """
        await self._run(self._store.forget_answers, self._clock.now() - KEPT_FOR)
        self._count = await self._run(self._store.count_answers)

    async def _settle(self, key: str, call: Callable[..., None], *arguments: Any) -> None:
        try:
            await self._run(call, *arguments)
        except StoreUnavailable as error:
            log.warning("what came of a key is not on disk", why=str(error))
        finally:
            self._under_way.discard(key)

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
