"""The engine's own desk and judge on a clock that is told the time: they answer on the spot, and nothing is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar, cast

from sentinel.core.state import Incident
from sentinel.engine.desk import Desk
from sentinel.engine.draft import Draft, Policy
from sentinel.engine.judge import Judge
from sentinel.engine.live import Row
from sentinel.store.base import OutboxRow

T = TypeVar("T")


class VirtualClock:
    """A clock that somebody sets."""

    def __init__(self, start: datetime) -> None:
        self._start = self.at = start

    def now(self) -> datetime:
        """Return the moment that was set last."""
        return self.at

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return (self.at - self._start).total_seconds()


class VirtualDesk(Desk):
    """A desk without a store: what it decides holds at once. ``owed`` is what a dispatcher would carry out."""

    def __init__(self, clock: VirtualClock, policy: Policy) -> None:
        nowhere = cast(
            Any, None
        )  # Neither a store nor its thread: everything that would ask for them is answered here.
        super().__init__(nowhere, nowhere, clock, policy, _no_envelope)
        self.owed: list[OutboxRow] = []

    def state(self, number: str) -> Incident | None:
        """Return an incident, also one that is over."""
        return self._index.get(number) or self._over.get(number)

    async def _ask(self, job: Callable[[Draft], T], *, new: bool = False) -> T:  # noqa: ARG002  there is one line only
        draft = Draft(self._last_number, self.policy, self.envelope)
        answer = job(draft)
        self._take_in(draft)
        self.owed += (row for _, row in draft.rows())
        return answer

    async def _fetch(self, _number: str) -> None:
        """Everything is in memory."""


class VirtualJudge(Judge):
    """A judge that says at once what it has to say."""

    def _say(self, _row: Row, what: Callable[[], Awaitable[None]], *, failing: bool) -> None:  # noqa: ARG002  as there
        finish(what())


def finish(work: Awaitable[T]) -> T:
    """Return what a coroutine that has nothing to wait for comes to."""
    try:
        next(iter(work.__await__()))
    except StopIteration as end:
        return cast(T, end.value)
    raise AssertionError("nothing waits in a simulation")


def _no_envelope(*_: object) -> bytes:
    return b""
