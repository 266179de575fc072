"""Watches the queue: switches overload on and off, keeps who did and why, and knows it again after a start (SLA-11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

import structlog

from sentinel.core import overload
from sentinel.core.overload import Fact, Limits, Overload, Switched
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.ledger import Ledger
from sentinel.engine.looking import keep_looking
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

SUBJECT: Final = "site"
STREAM: Final = "overload"
LOOK_EVERY_S: Final = 5.0

_Decide = Callable[[Overload], list[Fact]]


class OverloadWatch:
    """Looks at the queue now and then; ``limits`` are those of the configuration, none when only people switch.

    ``changed`` is told of each switch once it is on disk.
    """

    def __init__(self, desk: Desk, store: tuple[Store, Executor], clock: Clock, limits: Limits | None = None) -> None:
        self._desk = desk
        self._clock = clock
        self._ledger: Ledger[Fact] = Ledger(SUBJECT, Fact, store, clock)
        self.limits = limits
        self.progressed_at = clock.monotonic()
        self.changed: Callable[[Overload], None] = lambda _: None

    @property
    def now(self) -> Overload:
        """Return whether the team is overloaded."""
        return overload.overload_of(self.history())

    @property
    def waiting(self) -> int:
        """Return how many incidents and requests nobody has taken."""
        return overload.waiting(self._desk.open())

    def history(self) -> list[Fact]:
        """Return every switch so far, in order."""
        return self._ledger.streams.get(STREAM, [])

    async def load(self) -> None:
        """Read what was switched so far.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()

    async def run(self) -> None:
        """Watch until cancelled."""
        await keep_looking(self, self._clock, LOOK_EVERY_S, "overload not switched; again soon")

    async def look(self) -> None:
        """Switch, if the length of the queue says so.

        Raises:
            StoreUnavailable: it is not on disk; it will be switched later.
        """
        at = self._clock.now()
        if overload.look(self.now, self.waiting, self.limits, at):
            await self._add(lambda now: overload.look(now, self.waiting, self.limits, at))

    async def switch(self, by: str, why: str, *, on: bool) -> Overload:
        """Switch by hand.

        Raises:
            Refused: it is so already, or no reason is given.
            StoreUnavailable: it is not on disk.
        """
        said = Switched(at=self._clock.now(), on=on, by=by, why=why, waiting=self.waiting)
        return await self._add(lambda now: overload.switch(now, said))

    async def _add(self, decide: _Decide) -> Overload:
        def added(streams: dict[str, list[Fact]]) -> tuple[str, Sequence[Fact], Sequence[OutboxRow]]:
            return STREAM, decide(overload.overload_of(streams.get(STREAM, ()))), ()

        await self._ledger.add(added)
        self.changed(self.now)
        return self.now
