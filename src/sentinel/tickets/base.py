"""What every ticket back-end shares: the ticket it keeps, what people changed there, and the failure it raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, runtime_checkable

import msgspec

from sentinel.core.model import Priority

# What the statuses of a back-end come down to. Somebody has taken what is ``acknowledged``.
TicketState = Literal["open", "acknowledged", "pending", "resolved", "closed"]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to work on an incident, as it is now; a back-end makes its own ticket look like it (rule DSP-2).

    ``key`` is the incident's number, by which a back-end finds its ticket again before it makes one.
    ``notes`` holds the timeline so far, each with its sequence, so that a note is never written twice.
    ``assignee`` is who works on it, as the back-end calls them; empty when it does not know them, and then it is left
    to the people there. ``reference`` is how the back-end called the ticket last time, if there was one: a search may
    lag behind, so that is looked at first; what it names may be gone.
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
    assignee: str = ""
    reference: str = ""


class TicketReference(msgspec.Struct, frozen=True):
    """How the back-end names its ticket; the engine, which reads the rest after a put, adds state and assignee."""

    reference: str
    url: str = ""
    state: TicketState | Literal[""] = ""
    assignee: str = ""


class TicketComment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wrote in the back-end; never a note of ours. ``id`` is unique within the ticket, and stays."""

    id: str
    text: str
    by: str = ""


class TicketChange(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket as people have left it in the back-end.

    ``marker`` differs whenever anything about the ticket does. ``by`` is who changed its state last, ``assignee`` who
    works on it, both as the back-end calls people: a login, an address or a name; empty when it does not say.
    ``text`` is the solution, where the back-end keeps one. ``comments`` are the last ones, oldest first.
    """

    reference: str
    state: TicketState
    marker: str
    by: str = ""
    assignee: str = ""
    text: str = ""
    comments: tuple[TicketComment, ...] = ()


class TicketNews(msgspec.Struct, frozen=True, kw_only=True):
    """What a webhook of the back-end says: tickets to look at, or the changes themselves where nothing can be asked."""

    look_at: tuple[str, ...] = ()
    changes: tuple[TicketChange, ...] = ()


class TicketBackend(Protocol):
    """Keeps tickets in step with incidents, and tells what people changed there. Does once; the engine retries.

    Every call but ``close`` raises ``channels.base.Undelivered`` when it cannot be done, as a channel does.
    """

    name: str

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the ticket of this key be as given, opening it if there is none; doing it twice changes nothing."""
        ...

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the tickets that are not as known: references, each with the last marker or nothing.

        A ticket that is gone is left out. What this returns for a ticket just put is that ticket's state, and none of
        the notes put there.
        """
        ...

    async def check(self) -> None:
        """Prove that tickets could be kept, without making any: sign in, and find where they go."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@runtime_checkable
class TicketHearing(Protocol):
    """A back-end whose webhooks are understood. Whoever calls has shown the secret before."""

    def heard(self, headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return what a webhook says; header names are in lower case.

        Raises:
            ValueError: it cannot be read; the reason is a sentence fragment for whoever sent it.
        """
        ...
