"""What several back-ends have in common: who we are over HTTP, what may be mapped, and what their webhooks hold."""

from __future__ import annotations

import base64
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, Literal, Protocol, runtime_checkable

import msgspec

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, refusal
from sentinel.tickets.base import Ticket
from sentinel.tickets.marks import missing, solution_mark, solution_of
from sentinel.tickets.talk import credentials_of, one_line

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


def refused(product: str, said: Callable[[dict[str, Any]], str], answer: Answer) -> Undelivered:
    """Return what a refusal means, in the words of the back-end: ``said`` finds them in the object that it answers."""
    if answer.status == HTTPStatus.UNAUTHORIZED:
        return credentials_of(answer, product)
    failure = refusal(answer)
    try:
        told = said(object_of(answer.body))
    except ValueError:
        return failure
    why = f"{product} answered {answer.status}: {one_line(told)}" if told else failure.why
    return Undelivered(why, permanent=failure.permanent, after_s=failure.after_s)


def unsaid(ticket: Ticket, there: str) -> list[str]:
    """Return the notes that are not there yet; the last one is the solution, where no field holds it."""
    notes = missing(ticket, there)
    solution = solution_of(ticket)
    if ticket.state in OVER and solution and solution_mark(ticket) not in there:
        notes.append(solution)
    return notes
