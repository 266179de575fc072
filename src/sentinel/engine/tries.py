"""What tickets and messages share when something is tried: how long, how often, and what is written down of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

from sentinel.channels.base import Message
from sentinel.core import commands as c
from sentinel.store.base import MessageState, OutboxRow, Settlement

TRY_LIMIT_S: Final = 40.0  # One try; channels set tighter limits of their own.
BACKOFF: Final = tuple(timedelta(seconds=s) for s in (15, 30, 60, 120, 300, 600))

Receipt = tuple[c.Command | None, Settlement]


class Telemetry(Protocol):
    """What is counted of tries."""

    def attempt(self, channel: str, outcome: str) -> None:
        """Count one try to hand a message over."""

    def ended(self, channel: str, result: str, waited_s: float) -> None:
        """Count a message that is accepted or given up, or that found the budget of its channel used up."""

    def ticket(self, backend: str, result: str, operation: str = "put") -> None:
        """Count one try at a ticket, or at asking for what was changed in the back-end."""

    def bug(self, where: str) -> None:
        """Count an error of our own."""


class Composer(Protocol):
    """Writes a row out as a message in the reader's language, to their address of now."""

    def __call__(self, row: OutboxRow) -> Message:
        """Return the message.

        Raises:
            Undelivered: there is no address for this person and channel any more.
        """
        ...


async def hear_nothing(_row: OutboxRow) -> None:
    """Let pass that a carrier knows nobody at the address of a message."""


def pause_after(tries: int) -> timedelta:
    """Return how long to wait after so many tries before the next."""
    return BACKOFF[min(tries, len(BACKOFF) - 1)]


def settlement(row: OutboxRow, state: MessageState, tries: int, now: datetime, **more: str) -> Settlement:
    """Return what came of a try; ``more`` is the carrier's reference, or the error."""
    return Settlement(id=row.id, sequence=row.sequence, state=state, tries=tries, due_at=now, at=now, **more)
