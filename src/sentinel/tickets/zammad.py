"""Tickets in Zammad: found again by the incident's number in their title.

Its search finds words, and some seconds later than they were written: what it finds is looked at, and what was opened a
moment ago is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import State, object_of, refused, unsaid
from sentinel.tickets.markers import served_at
from sentinel.tickets.marks import (
    COMMENT_MAX_CHARS,
    COMMENTS_MAX,
    body_of,
    comment_of,
    is_ours,
    key_mark,
    plain,
    title_of,
)
from sentinel.tickets.opening import Openings, certain
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of

CANDIDATES_MAX: Final = 100
REMIND_AFTER: Final = timedelta(days=1)
MERGED: Final = "merged"
STATES: Final[dict[str, str]] = {
    "open": "new",
    "acknowledged": "open",
    "in_progress": "open",
    "pending": "pending reminder",
    "resolved": "closed",
    "closed": "closed",
    "merged": "closed",
}
READ: Final[dict[str, TicketState]] = {
    "new": "open",
    "open": "acknowledged",
    "pending reminder": "pending",
    "pending close": "pending",
    "closed": "resolved",
    MERGED: "closed",
}
PRIORITIES: Final[dict[Priority, str]] = {"P1": "3 high", "P2": "3 high", "P3": "2 normal", "P4": "1 low"}
Short = Annotated[str, Field(min_length=1, max_length=160)]


class ZammadOptions(TicketOptions):
    """Which group tickets go to, and for which customer; ``statuses`` and ``priorities`` where they differ there."""

    backend: Literal["zammad"]
    token: Secret
    group: Short
    customer: Annotated[str, Field(pattern=r"^[^@\s]{1,64}@[^@\s]{1,190}$")]
    statuses: dict[State, Short] = {}
    priorities: dict[Priority, Short] = {}


class ZammadTickets:
    """Keeps a ticket in line with each incident; notes are internal articles."""

    def __init__(self, options: ZammadOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._url = options.url.rstrip("/")
        self._options = options
        self._states = {**STATES, **{str(state): name for state, name in options.statuses.items()}}
        self._priorities = {**PRIORITIES, **options.priorities}
        headers = {"Authorization": f"Token token={options.token.reveal()}"}
        self._refused = partial(refused, "Zammad", _said)
        self._talk = Talk("Zammad", f"{self._url}/api/v1", headers, caller_of(policy, options.timeout), self._refused)
        self._openings = Openings()

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the ticket of this key be as given, opening it if there is none.

        Raises:
            Undelivered: Zammad did not take all of it; what it took is not sent again.
        """
        opening = partial(self._open, ticket)
        found: dict[str, Any] = await self._find(ticket) or await self._openings.shown(
            ticket.key, opening, self._ticket, "Zammad"
        )
        number = str(found["id"])
        if found["state"] != MERGED:  # People have put it into another one, which is not ours.
            await self._note(number, ticket)
            await self._align(number, found, ticket)
            await self._assign(number, found, ticket)
        return TicketReference(number, f"{self._url}/#ticket/zoom/{number}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the tickets that are not as known."""
        changed = []
        for number, marker in known.items():
            found = await self._ticket(number) if number.isdecimal() else None
            if found is not None and str(found.get("updated_at")) != marker:
                changed.append(await self._change(number, found))
        return changed

    async def check(self) -> None:
        """Sign in, and find the group.

        Raises:
            Undelivered: tickets could not be kept.
        """
        await self._talk.get("/users/me", dict[str, Any])
        answer = await self._talk.ask("GET", "/groups?expand=true")
        if answer.status == 403:  # Which groups there are is not for every agent to know.
            return
        groups = self._talk.read(answer, list[dict[str, Any]])
        if self._options.group not in [group.get("name") for group in groups]:
            raise Undelivered(f"Zammad has no group {self._options.group}", permanent=True)

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the ticket that a webhook of Zammad is about.

        Raises:
            ValueError: it is about none.
        """
        ticket = object_of(body).get("ticket")
        number = ticket.get("id") if isinstance(ticket, dict) else None
        if not str(number).isdecimal():
            raise ValueError("there is no ticket with an `id` in it")
        return TicketNews(look_at=(str(number),))

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    async def _find(self, ticket: Ticket) -> dict[str, Any] | None:
        number, mark = ticket.reference or self._openings.reference(ticket.key), key_mark(ticket)
        found = await self._ticket(number) if number.isdecimal() else None
        if found is not None and found["title"].startswith(mark):
            return found
        asked = {"query": ticket.key, "limit": str(CANDIDATES_MAX), "sort_by": "created_at", "order_by": "desc"}
        candidates = await self._talk.get("/tickets/search", list[dict[str, Any]], {**asked, "expand": "true"})
        ours = [one for one in candidates if str(one.get("title")).startswith(mark) and isinstance(one.get("id"), int)]
        oldest = min(ours, key=lambda one: int(one["id"]), default=None)
        return None if oldest is None else await self._ticket(str(oldest["id"]))

    async def _ticket(self, number: str) -> dict[str, Any] | None:
        answer = await self._talk.ask("GET", f"/tickets/{number}?expand=true")
        return None if answer.status == 404 else self._whole(answer)

    def _whole(self, answer: Answer) -> dict[str, Any]:
        found = self._talk.read(answer, dict[str, Any])
        kinds = {"id": int, "title": str, "state": str}
        if not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
            raise self._talk.strange(answer, "no ticket")
        return found

    async def _open(self, ticket: Ticket) -> str:
        content = {
            **self._wanted(ticket),
            "group": self._options.group,
            "customer_id": f"guess:{self._options.customer}",  # Zammad makes the customer if there is none yet.
            "tags": "sentinel",
            "article": self._article(title_of(ticket), body_of(ticket)),
        }
        return str(self._whole(certain(await self._talk.ask("POST", "/tickets?expand=true", content)))["id"])

    def _wanted(self, ticket: Ticket) -> dict[str, Any]:
        return {"title": title_of(ticket), "priority": self._priorities[ticket.priority]}

    @staticmethod
    def _article(subject: str, body: str) -> dict[str, Any]:
        return {"subject": subject, "body": body, "content_type": "text/plain", "type": "note", "internal": True}

    async def _note(self, number: str, ticket: Ticket) -> None:
        there = "\n".join(_text(one) for one in await self._articles(number))
        for note in unsaid(ticket, there):
            content = {"ticket_id": int(number), **self._article(ticket.key, note)}
            self._talk.accept(await self._talk.ask("POST", "/ticket_articles", content))

    async def _articles(self, number: str) -> list[dict[str, Any]]:
        return await self._talk.get(f"/ticket_articles/by_ticket/{number}?expand=true", list[dict[str, Any]])

    async def _align(self, number: str, found: dict[str, Any], ticket: Ticket) -> None:
        wanted = {**self._wanted(ticket), "state": self._states[ticket.state]}
        differs = {name: value for name, value in wanted.items() if found.get(name) != value}
        if str(differs.get("state", "")).startswith("pending"):
            differs["pending_time"] = await self._soon(number)
        if differs:
            self._whole(await self._talk.ask("PUT", f"/tickets/{number}?expand=true", differs))

    async def _soon(self, number: str) -> str:
        """Return when Zammad should remind of what waits: in a day, by its own clock."""
        answer = await self._talk.ask("GET", f"/tickets/{number}?expand=true")
        at = served_at(answer)
        if at is None:
            raise self._talk.strange(answer, "no date")
        return (at + REMIND_AFTER).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _assign(self, number: str, found: dict[str, Any], ticket: Ticket) -> None:
        """Give the ticket to who works on it.

        Raises:
            Undelivered: Zammad does not know them; all else is in line by then.
        """
        if not ticket.assignee or found.get("owner") == ticket.assignee:
            return
        answer = await self._talk.ask("PUT", f"/tickets/{number}?expand=true", {"owner": ticket.assignee})
        if answer.status == 422:
            why = f"Zammad gives ticket {number} to nobody called {ticket.assignee}: {self._refused(answer).why}"
            raise Undelivered(why, permanent=True)
        self._whole(answer)

    async def _change(self, number: str, found: dict[str, Any]) -> TicketChange:
        articles = sorted(await self._articles(number), key=_id)[1:]  # The first is the description.
        owner = str(found.get("owner") or "")
        comments = [
            TicketComment(
                id=str(_id(one)),
                text=_text(one)[:COMMENT_MAX_CHARS],
                by=str(one.get("created_by") or one.get("from") or ""),
            )
            for one in articles
            if not is_ours(_text(one))
        ]
        return TicketChange(
            reference=number,
            state=self._state(found["state"]),
            marker=str(found.get("updated_at")),
            by=str(found.get("updated_by") or ""),
            assignee="" if owner == "-" else owner,
            comments=tuple(comments)[-COMMENTS_MAX:],
        )

    def _state(self, name: str) -> TicketState:
        own: dict[str, TicketState] = {"pending": "pending", "resolved": "resolved", "closed": "closed"}
        named = next((state for state in own if self._states[state] == name and name not in READ), None)
        return own[named] if named else READ.get(name, "acknowledged")


def _said(told: dict[str, Any]) -> str:
    """Return what Zammad says of why not."""
    return str(told.get("error_human") or told.get("error") or "")


def _text(article: dict[str, Any]) -> str:
    body = str(article.get("body") or "")
    return plain(body) if article.get("content_type") == "text/html" else comment_of(body)


def _id(article: dict[str, Any]) -> int:
    number = article.get("id")
    return number if isinstance(number, int) else 0


def _build(options: Any, policy: TargetPolicy) -> ZammadTickets:
    return ZammadTickets(options, policy)


KIND = TicketKind("zammad", ZammadOptions, _build)
