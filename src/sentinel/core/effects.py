"""What is owed after a decision: imperative, written to the outbox in the same transaction as the events."""

from __future__ import annotations

import msgspec

from sentinel.core.events import Event
from sentinel.core.model import Page


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """Tell one person by one channel of one event; ``message`` is the stable id (rule DSP-3)."""

    message: str
    sequence: int
    page: Page
    event: Event


class Withdraw(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that have not left yet are not wanted any more: the incident has a name on it, or is over."""

    messages: tuple[str, ...]


class PutTicket(msgspec.Struct, frozen=True, kw_only=True):
    """Bring the ticket in line with the incident (rule DSP-2)."""

    backend: str
    sequence: int


Effect = Notify | Withdraw | PutTicket
