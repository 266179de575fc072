"""Tickets in GLPI, by its REST interface (``apirest.php``): found again by the incident's number in their title.

Each time a session is opened and closed. What is there already is never made twice: the ticket is looked for before
it is opened, and each note and the solution bear a mark of their own.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, Caller, Request, refusal
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketReference

API: Final = "apirest.php"
PAGE: Final = 20  # Entries asked for at once: an answer is read up to 64 KiB.
PAGES_MAX: Final = 50
NOTE_MAX_CHARS: Final = 1500
TITLE_MAX_CHARS: Final = 250
MARK_CHARS: Final = 12
INCIDENT: Final = 1
NEW, PROCESSING, PENDING, SOLVED, CLOSED = 1, 2, 4, 5, 6

STATUS_OF: Final[dict[str, int]] = {
    "open": NEW,
    "acknowledged": PROCESSING,
    "in_progress": PROCESSING,
    "pending": PENDING,
    "resolved": SOLVED,
    "closed": CLOSED,
    "merged": CLOSED,
}
# GLPI counts from 1, very low, to 5, very high; its priority follows from urgency and impact unless it is set.
PRIORITY_OF: Final[dict[Priority, int]] = {"P1": 5, "P2": 4, "P3": 3, "P4": 2}
_RANGE: Final = re.compile(r"\d+-\d+/(\d+)")


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
        self._caller = Caller(policy, timeout)

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
        return TicketReference(str(number), f"{self._url}/front/ticket.form.php?id={number}")

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

    async def find(self, ticket: Ticket) -> dict[str, Any] | None:
        """Return the ticket whose title begins with the key; the oldest, if there should be several."""
        asked = {"searchText[name]": _mark(ticket), "sort": "id", "order": "ASC"}
        found = await self._list("Ticket", asked)
        return next((one for one in found if str(one.get("name", "")).startswith(_mark(ticket))), None)

    async def open(self, ticket: Ticket) -> dict[str, Any]:
        """Open the ticket, and return it."""
        links = "".join(f"\n{link}" for link in ticket.links)
        content = f"{ticket.description}\n\nService: {ticket.service}{links}"
        wanted = {**_wanted(ticket), "type": INCIDENT, "content": _html(content)}
        made = await self._send("POST", "Ticket", {**wanted, "status": NEW})
        return {**wanted, "id": made["id"], "status": NEW}

    async def note(self, number: int, ticket: Ticket) -> None:
        """Add the lines of the timeline that are not there yet."""
        path = f"Ticket/{number}/ITILFollowup"
        there = "\n".join(str(one.get("content", "")) for one in await self._list(path))
        for sequence, text in ticket.notes:
            mark = f"[{ticket.key}/{sequence}]"
            if mark not in there:
                await self._send("POST", path, _about(number, f"{text[:NOTE_MAX_CHARS]} {mark}"))

    async def solve(self, number: int, ticket: Ticket) -> None:
        """Add the solution of what is over, unless it is there."""
        if STATUS_OF[ticket.state] not in {SOLVED, CLOSED} or not ticket.resolution:
            return
        path = f"Ticket/{number}/ITILSolution"
        digest = hashlib.sha256(ticket.resolution.encode()).hexdigest()[:MARK_CHARS]
        mark = f"[{ticket.key}/{digest}]"  # GLPI rewrites texts as it keeps them; a mark stays as it is.
        if not any(mark in str(one.get("content", "")) for one in await self._list(path)):
            await self._send("POST", path, _about(number, f"{ticket.resolution[:NOTE_MAX_CHARS]} {mark}"))

    async def align(self, number: int, found: dict[str, Any], ticket: Ticket) -> None:
        """Set the status, the title and the priority, where they differ."""
        wanted = {**_wanted(ticket), "status": STATUS_OF[ticket.state]}
        if any(str(found.get(name, "")) != str(value) for name, value in wanted.items()):
            await self._send("PUT", f"Ticket/{number}", {"id": number, **wanted})

    async def _list(self, path: str, asked: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """Return all entries, a page at a time."""
        entries: list[dict[str, Any]] = []
        for page in range(PAGES_MAX):
            query = urlencode({**(asked or {}), "range": f"{page * PAGE}-{(page + 1) * PAGE - 1}"})
            answer = await self._caller.call(Request("GET", f"{self._base}/{path}?{query}", self._headers))
            if answer.status == 400 and "ERROR_RANGE_EXCEED_TOTAL" in answer.text():
                return entries
            found = _read(answer)
            entries += found if isinstance(found, list) else []
            total = _RANGE.fullmatch(answer.headers.get("content-range", ""))
            if total is None or int(total[1]) <= len(entries):
                return entries
        return entries

    async def _send(self, method: str, path: str, content: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps({"input": content}).encode()
        answer = await self._caller.call(Request(method, f"{self._base}/{path}", self._headers, body))
        made = _read(answer)
        return made if isinstance(made, dict) else {}


def _mark(ticket: Ticket) -> str:
    return f"[{ticket.key}]"


def _wanted(ticket: Ticket) -> dict[str, Any]:
    title = f"{_mark(ticket)} {ticket.title}"[:TITLE_MAX_CHARS]
    grade = PRIORITY_OF[ticket.priority]
    return {"name": title, "priority": grade, "urgency": grade, "impact": grade}


def _about(number: int, text: str) -> dict[str, Any]:
    return {"itemtype": "Ticket", "items_id": number, "content": _html(text)}


def _html(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


def _object(answer: Answer) -> dict[str, Any]:
    found = _read(answer)
    if not isinstance(found, dict) or "session_token" not in found:
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
    except ValueError as error:
        raise Undelivered(f"this is not GLPI's REST interface: {answer.quote()}") from error
