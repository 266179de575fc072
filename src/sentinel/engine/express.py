"""What has just been decided leaves at once: written as being sent with what caused it, carried when it is on disk.

The way through the outbox, a look at what is due and a mark in a transaction of its own, is for what has to wait. What
goes at once has passed the same limits, and a crash finds it in the state that it would have been in a moment later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from sentinel.engine.draft import Draft
from sentinel.engine.passage import Claim
from sentinel.store.base import Conflict, OutboxRow, Settlement, StoreUnavailable

AT_ONCE_MAX: Final = 8  # Of one transaction; with more there is a crowd, and the outbox keeps its order.
PUT_BACK_EVERY_S: Final = 5.0  # Where nothing else is written.

Settle = Callable[..., Awaitable[None]]


class Carrying(Protocol):
    """Who carries messages."""

    def claim(self, row: OutboxRow) -> Claim | None:
        """Give a message that is about to be written a place; nothing when it has to wait."""

    def carry(self, claim: Claim) -> None:
        """Carry a message that was written as being sent."""

    def give_up(self, claim: Claim) -> None:
        """Take the place back: it was not written."""

    def doubt(self, claim: Claim) -> None:
        """Take the place back of what may have been written all the same."""

    def wake(self) -> None:
        """Look at the outbox: something is owed."""


class Doubtful:
    """What a store may have marked as being sent although it said that it failed.

    It is put back in the next transaction that the store takes, or in one of its own.
    """

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self._kept: dict[str, Settlement] = {}
        self._trying: asyncio.Task[None] | None = None

    def add(self, unsent: Settlement) -> None:
        """Have a message put back as it was."""
        self._kept[unsent.id] = unsent
        if self._trying is None:
            self._trying = asyncio.get_running_loop().create_task(self._try())

    def join(self, draft: Draft) -> None:
        """Have a draft put back what it says nothing of itself."""
        if not self._kept:
            return
        said = {settlement.id for settlement in draft.settlements} | {row.id for row in draft.messages()}
        draft.settlements += [unsent for name, unsent in self._kept.items() if name not in said]

    def written(self, draft: Draft) -> None:
        """Take note of what is beyond doubt."""
        if not self._kept:
            return
        for name in [settlement.id for settlement in draft.settlements] + [row.id for row in draft.messages()]:
            self._kept.pop(name, None)

    def end(self) -> None:
        """Try no more: the next start finds it."""
        if self._trying is not None:
            self._trying.cancel()

    async def _try(self) -> None:
        try:
            while self._kept:
                await asyncio.sleep(PUT_BACK_EVERY_S)
                with suppress(StoreUnavailable):
                    await self._settle(*self._kept.values())
        finally:
            self._trying = None


class Express:
    """Goes around the writing of a draft, and says when it owes something else."""

    def __init__(self, carrying: Carrying, doubtful: Doubtful) -> None:
        self._carrying = carrying
        self._doubtful = doubtful

    @contextmanager
    def around(self, draft: Draft) -> Iterator[None]:
        """Mark what goes at once while the draft is written, and let it go after that."""
        claims = self._claims(draft)
        draft.mark(claim.row.id for claim in claims)
        self._doubtful.join(draft)
        ended = self._carrying.doubt
        try:
            yield
            ended = self._carrying.carry
            self._doubtful.written(draft)
            if draft.owes_more:
                self._carrying.wake()
        except Conflict:
            ended = self._carrying.give_up
            raise
        finally:
            for claim in claims:
                ended(claim)

    def _claims(self, draft: Draft) -> list[Claim]:
        fresh = sorted(draft.messages(), key=lambda row: -row.urgency)
        if len(fresh) > AT_ONCE_MAX:
            return []
        return [claim for row in fresh if (claim := self._carrying.claim(row)) is not None]
