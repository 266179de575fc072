"""What every ticket back-end shares: the ticket it keeps and the failure it raises."""

from __future__ import annotations

from typing import Protocol

import msgspec

from sentinel.core.model import Priority


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to work on an incident, as it is now; a back-end makes its own ticket look like it (rule DSP-2).

    ``key`` is the incident's number, by which a back-end finds its ticket again before it makes one.
    ``notes`` holds the timeline so far, each with its sequence, so that a note is never written twice.
    """

    key: str
    title: str
    state: str
    priority: Priority
    level: int
    severity: str
    service: str
    description: str
    opened_at: str
    notes: tuple[tuple[int, str], ...] = ()
    links: tuple[str, ...] = ()
    resolution: str = ""


class TicketReference(msgspec.Struct, frozen=True):
    """How the back-end names its ticket."""

    reference: str
    url: str = ""


class TicketBackend(Protocol):
    """Keeps tickets in step with incidents. Carries out once; ``dispatch.py`` retries.

    A back-end raises ``channels.base.Undelivered`` as a channel does.
    """

    name: str

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the ticket of this key be as given, opening it if there is none; doing it twice changes nothing."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
