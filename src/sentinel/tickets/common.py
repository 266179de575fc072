"""What several back-ends have in common: who we are over HTTP, what may be mapped, and what their webhooks hold."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final, Literal, Protocol, runtime_checkable

import msgspec

from sentinel.tickets.base import Ticket
from sentinel.tickets.marks import missing, solution_mark, solution_of

OVER: Final = frozenset({"resolved", "closed", "merged"})


State = Literal["open", "acknowledged", "in_progress", "pending", "resolved", "closed", "merged"]


@runtime_checkable
class TellsTime(Protocol):
    """A back-end whose signatures hold the time; it is told ``now``, in unixtime, by whoever wires it."""

    now: Callable[[], float]


def basic(user: str | None, secret: str) -> dict[str, str]:
    """Return the header that shows who we are: a name and its secret; the secret alone is a token."""
    if not user:
        return {"Authorization": f"Bearer {secret}"}
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"}


def object_of(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body is.

    Raises:
        ValueError: it is none.
    """
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it is no JSON object: {error}") from error


def unsaid(ticket: Ticket, there: str) -> list[str]:
    """Return the notes that are not there yet; the last one is the solution, where no field holds it."""
    notes = missing(ticket, there)
    solution = solution_of(ticket)
    if ticket.state in OVER and solution and solution_mark(ticket) not in there:
        notes.append(solution)
    return notes
