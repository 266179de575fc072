"""Tickets in GLPI, by its REST interface (``apirest.php``): found again by the incident's number in their title.

Each time a session is opened and closed. What is there already is never made twice: the ticket is looked for before
it is opened, and each note and the solution bear a mark of their own.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final, Literal
from urllib.parse import urlencode

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, Caller, Request, refusal
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import OVER, object_of
from sentinel.tickets.marks import (
    COMMENT_MAX_CHARS,
    COMMENTS_MAX,
    body_of,
    is_ours,
    key_mark,
    missing,
    plain,
    solution_mark,
    solution_of,
    title_of,
)
from sentinel.tickets.opening import certain
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import caller_of

API: Final = "apirest.php"
PAGE: Final = 100
PAGES_MAX: Final = 20
MARKER_CHARS: Final = 16
INCIDENT: Final = 1
ASSIGNED: Final = 2  # What a user is to a ticket: its requester, who it is assigned to, or an observer.
NEW, PROCESSING, PLANNED, PENDING, SOLVED, CLOSED = 1, 2, 3, 4, 5, 6

STATUS_OF: Final[dict[str, int]] = {
    "open": NEW,
    "acknowledged": PROCESSING,
    "in_progress": PROCESSING,
    "pending": PENDING,
    "resolved": SOLVED,
    "closed": CLOSED,
    "merged": CLOSED,
}
READ: Final[dict[int, TicketState]] = {
    NEW: "open",
    PROCESSING: "acknowledged",
    PLANNED: "acknowledged",
    PENDING: "pending",
    SOLVED: "resolved",
    CLOSED: "closed",
}
# GLPI counts from 1, very low, to 5, very high; its priority follows from urgency and impact unless it is set.
PRIORITY_OF: Final[dict[Priority, int]] = {"P1": 5, "P2": 4, "P3": 3, "P4": 2}
_RANGE: Final = re.compile(r"\d+-\d+/(\d+)")

Item = dict[str, Any]


class GlpiOptions(TicketOptions):
    """In whose name: ``token`` is the user's remote access key, ``app_token`` the application's where there is one."""

    backend: Literal["glpi"]
    token: Secret
    app_token: Secret | None = None


class Tokens:
    """The token of the user who opens the tickets, and the application's where GLPI asks for one."""

    __slots__ = ("_app", "_user")

    def __init__(self, user: str, app: str = "") -> None:
        self._user = user
        self._app = app

    def to_begin(self) -> dict[str, str]:
        """Return the headers that open a session."""
        return {"Authorization": f"user_token {self._user}", **self.beside()}

    def beside(self) -> dict[str, str]:
        """Return the headers that go with every request."""
        return {"App-Token": self._app} if self._app else {}


class GlpiTickets:
    """Keeps a GLPI ticket in line with each incident."""

    def __init__(self, name: str, url: str, tokens: Tokens, policy: TargetPolicy, timeout: timedelta) -> None:
        self.name = name
        self._url = url.rstrip("/").removesuffix(f"/{API}")
        self._tokens = tokens
        self._caller = caller_of(policy, timeout)

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the ticket of this key be as given, opening it if there is none.

        Raises:
            Undelivered: GLPI did not take all of it; what it took is not sent again.
        """
        async with self._session() as session:
            found = await session.find(ticket) or await session.open(ticket)
            number, status = int(found["id"]), int(found.get("status", NEW))
            if status != CLOSED:  # GLPI takes nothing for a ticket that is closed, until somebody opens it there.
                await session.note(number, ticket)
                await session.solve(number, ticket)
            await session.align(number, found, ticket)
            await session.assign(number, ticket)
        return TicketReference(str(number), f"{self._url}/front/ticket.form.php?id={number}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the tickets that are not as known. GLPI counts in seconds, so each is read whole."""
        if not known:
            return []
        async with self._session() as session:
            found = [await session.change(int(number)) for number in known if number.isdecimal()]
        return [change for change in found if change is not None and change.marker != known[change.reference]]

    async def check(self) -> None:
        """Sign in, and look for a ticket.

        Raises:
            Undelivered: tickets could not be kept.
        """
        async with self._session() as session:
            await session.titled("[sentinel-check]")

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the ticket that a webhook of GLPI is about.

        Raises:
            ValueError: it is about none.
        """
        told = object_of(body)
        item = told.get("item")
        number = item.get("id") if isinstance(item, dict) else told.get("id")
        if not str(number).isdecimal():
            raise ValueError("there is no `item` with an `id` in it")
        return TicketNews(look_at=(str(number),))

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[_Session]:
        base = f"{self._url}/{API}"
        begun = await self._caller.call(Request("GET", f"{base}/initSession", self._tokens.to_begin()))
        headers = {"Session-Token": str(_object(begun)["session_token"]), **self._tokens.beside()}
        try:
            yield _Session(base, headers, self._caller)
        except Undelivered:
            await self._end(base, headers)
            raise
        await self._end(base, headers)

    async def _end(self, base: str, headers: dict[str, str]) -> None:
        """Close the session; one that is left open ends by itself after a while."""
        with suppress(Undelivered):
            await self._caller.call(Request("GET", f"{base}/killSession", headers))


class _Session:
    """What is asked of GLPI within one session."""

    def __init__(self, base: str, headers: dict[str, str], caller: Caller) -> None:
        self._base = base
        self._headers = {"Content-Type": "application/json", **headers}
        self._caller = caller

    async def find(self, ticket: Ticket) -> Item | None:
        """Return the ticket whose title begins with the key; the oldest, if there should be several."""
        mark = key_mark(ticket)
        found = await self.one("Ticket", int(ticket.reference)) if ticket.reference.isdecimal() else None
        if found is not None and _title(found).startswith(mark):
            return found
        return next((one for one in await self.titled(mark) if _title(one).startswith(mark)), None)

    async def titled(self, text: str) -> list[Item]:
        """Return the tickets that have a text in their title."""
        return await self._list("Ticket", {"searchText[name]": text, "sort": "id", "order": "ASC"})

    async def one(self, kind: str, number: int) -> Item | None:
        """Return an item; nothing if there is none of that number."""
        answer = await self._caller.call(Request("GET", f"{self._base}/{kind}/{number}", self._headers))
        if answer.status == 404 and "ERROR_ITEM_NOT_FOUND" in answer.text():
            return None
        found = _read(answer)
        if not isinstance(found, dict) or "id" not in found:
            raise _strange(answer)
        return found

    async def open(self, ticket: Ticket) -> Item:
        """Open the ticket, and return it."""
        wanted = {**_wanted(ticket), "type": INCIDENT, "content": _html(body_of(ticket))}
        made = await self._send("POST", "Ticket", {**wanted, "status": NEW})
        return {**wanted, "id": made["id"], "status": NEW}

    async def note(self, number: int, ticket: Ticket) -> None:
        """Add the lines of the timeline that are not there yet."""
        path = f"Ticket/{number}/ITILFollowup"
        there = "\n".join(str(one.get("content", "")) for one in await self._list(path))
        for note in missing(ticket, there):
            await self._send("POST", path, _about(number, note))

    async def solve(self, number: int, ticket: Ticket) -> None:
        """Add the solution of what is over, unless it is there."""
        if ticket.state not in OVER or not ticket.resolution:
            return
        path = f"Ticket/{number}/ITILSolution"
        mark = solution_mark(ticket)  # GLPI rewrites texts as it keeps them; a mark stays as it is.
        if not any(mark in str(one.get("content", "")) for one in await self._list(path)):
            await self._send("POST", path, _about(number, solution_of(ticket)))

    async def align(self, number: int, found: Item, ticket: Ticket) -> None:
        """Set the status, the title and the priority, where they differ."""
        wanted = {**_wanted(ticket), "status": STATUS_OF[ticket.state]}
        kept = {**found, "name": _title(found)}
        if any(str(kept.get(name, "")) != str(value) for name, value in wanted.items()):
            await self._send("PUT", f"Ticket/{number}", {"id": number, **wanted})

    async def assign(self, number: int, ticket: Ticket) -> None:
        """Give the ticket to who works on it as well; nobody is taken off it.

        Raises:
            Undelivered: GLPI does not know them; all else is in line by then.
        """
        if not ticket.assignee:
            return
        people = await self._list("User", {"searchText[name]": ticket.assignee})
        person = next((one for one in people if str(one.get("name")) == ticket.assignee), None)
        if person is None:
            raise Undelivered(f"GLPI knows nobody to give ticket {number} to as {ticket.assignee}", permanent=True)
        if person["id"] not in await self._assigned(number):
            link = {"tickets_id": number, "users_id": person["id"], "type": ASSIGNED}
            await self._send("POST", "Ticket_User", link)

    async def change(self, number: int) -> TicketChange | None:
        """Return a ticket as people have left it; nothing if it is gone."""
        ticket = await self.one("Ticket", number)
        if ticket is None:
            return None
        followups = await self._list(f"Ticket/{number}/ITILFollowup")
        solutions = await self._list(f"Ticket/{number}/ITILSolution")
        assigned = await self._assigned(number)
        content = json.dumps([ticket, followups, solutions, assigned], sort_keys=True)
        said = [_text(one) for one in solutions if not is_ours(_text(one))]
        return TicketChange(
            reference=str(number),
            state=READ.get(int(ticket.get("status") or NEW), "open"),
            marker=hashlib.sha256(content.encode()).hexdigest()[:MARKER_CHARS],
            by=await self._login(ticket.get("users_id_lastupdater")),
            assignee=await self._login(assigned[-1] if assigned else 0),
            text=said[-1][:COMMENT_MAX_CHARS] if said else "",
            comments=tuple([await self._comment(one) for one in followups if not is_ours(_text(one))][-COMMENTS_MAX:]),
        )

    async def _comment(self, one: Item) -> TicketComment:
        by = await self._login(one.get("users_id"))
        return TicketComment(id=str(one.get("id")), text=_text(one)[:COMMENT_MAX_CHARS], by=by)

    async def _assigned(self, number: int) -> list[int]:
        """Return whom a ticket is assigned to, the latest last."""
        users = await self._list(f"Ticket/{number}/Ticket_User")
        return [int(one["users_id"]) for one in users if str(one.get("type")) == str(ASSIGNED) and one.get("users_id")]

    async def _login(self, number: Any) -> str:
        if not str(number).isdecimal() or not int(number):
            return ""
        person = await self.one("User", int(number))
        return str((person or {}).get("name") or "")

    async def _list(self, path: str, asked: dict[str, str] | None = None) -> list[Item]:
        """Return all entries, a page at a time."""
        entries: list[Item] = []
        for page in range(PAGES_MAX):
            query = urlencode({**(asked or {}), "range": f"{page * PAGE}-{(page + 1) * PAGE - 1}"})
            answer = await self._caller.call(Request("GET", f"{self._base}/{path}?{query}", self._headers))
            if answer.status == 400 and "ERROR_RANGE_EXCEED_TOTAL" in answer.text():
                return entries
            found = _read(answer)
            if not isinstance(found, list) or not all(isinstance(one, dict) and "id" in one for one in found):
                raise _strange(answer)
            entries += found
            total = _RANGE.fullmatch(answer.headers.get("content-range", ""))
            if total is None or int(total[1]) <= len(entries):
                return entries
        return entries

    async def _send(self, method: str, path: str, content: Item) -> Item:
        body = json.dumps({"input": content}).encode()
        answer = certain(await self._caller.call(Request(method, f"{self._base}/{path}", self._headers, body)))
        made = _read(answer)
        if method == "POST" and not (isinstance(made, dict) and str(made.get("id")).isdecimal()):
            raise _strange(answer)
        return made if isinstance(made, dict) else {}


def _title(found: Item) -> str:
    """Return the title as people read it; GLPI 10 keeps some characters encoded."""
    return html.unescape(str(found.get("name") or ""))


def _text(found: Item) -> str:
    """Return a text as people read it: GLPI 10 hands out its HTML encoded, GLPI 11 as it is."""
    content = str(found.get("content") or "")
    return plain(content if "<" in content else html.unescape(content))


def _wanted(ticket: Ticket) -> Item:
    grade = PRIORITY_OF[ticket.priority]
    return {"name": title_of(ticket), "priority": grade, "urgency": grade, "impact": grade}


def _about(number: int, text: str) -> Item:
    return {"itemtype": "Ticket", "items_id": number, "content": _html(text)}


def _html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


def _object(answer: Answer) -> Item:
    found = _read(answer)
    if not isinstance(found, dict) or not isinstance(found.get("session_token"), str):
        raise Undelivered("GLPI opened no session")
    return found


def _read(answer: Answer) -> Any:
    """Return what an answer holds.

    Raises:
        Undelivered: GLPI refused, or it is not GLPI that answers.
    """
    if not answer.ok:
        raise refusal(answer)
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise _strange(answer) from error


def _strange(answer: Answer) -> Undelivered:
    return Undelivered(f"this is not GLPI's REST interface: {answer.quote()}")


def _build(options: Any, policy: TargetPolicy) -> GlpiTickets:
    app = options.app_token.reveal() if options.app_token else ""
    tokens = Tokens(options.token.reveal(), app)
    return GlpiTickets(options.called, options.url, tokens, policy, options.timeout)


KIND = TicketKind("glpi", GlpiOptions, _build)
