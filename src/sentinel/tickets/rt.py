"""Tickets in Request Tracker 5, by its REST interface 2: found again by the incident's number in their subject.

Request Tracker answers 200 to what it does not do, and says why in a text of the user's language. So what was asked for
is read back, and the text is quoted when it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets import marks
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketReference, TicketState
from sentinel.tickets.markers import Calm, marker_of, served_at
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of, one_line

API: Final = "/REST/2.0"
SUBJECT_MAX_BYTES: Final = 200
PAGE: Final = 100
PAGES_MAX: Final = 50
ASKED_MAX: Final = 50  # Tickets of one search: each is in the address.
NOBODY: Final = "Nobody"
ITSELF: Final = "RT_System"
SAID: Final = frozenset({"Correspond", "Comment"})
Status = Annotated[str, Field(pattern=r"^[^'\\\x00-\x1f]{1,64}$")]

STATUS_OF: Final[dict[TicketState, str]] = {
    "open": "new",
    "acknowledged": "open",
    "pending": "stalled",
    "resolved": "resolved",
    "closed": "resolved",
}
ALSO: Final[dict[str, TicketState]] = {"rejected": "closed", "deleted": "closed"}
STATE_OF: Final[dict[str, TicketState]] = {"in_progress": "acknowledged", "merged": "closed"}
PRIORITY_OF: Final[dict[Priority, int]] = {"P1": 100, "P2": 70, "P3": 40, "P4": 10}


class RtOptions(TicketOptions):
    """Where tickets go, and the authentication token of the user who keeps them. ``status`` is for other lifecycles."""

    backend: Literal["rt"]
    token: Secret
    queue: Annotated[str, Field(pattern=r"^[^'\\\x00-\x1f]{1,200}$")] = "General"
    status: dict[TicketState, Status] = {}
    priority: dict[Priority, Annotated[int, Field(ge=0, le=1_000_000)]] = {}


class _User(msgspec.Struct, frozen=True):
    id: str


class _Ticket(msgspec.Struct, frozen=True):
    id: int | str
    subject: str = msgspec.field(name="Subject")
    status: str = msgspec.field(name="Status")
    priority: int | str = msgspec.field(name="Priority")
    owner: _User = msgspec.field(name="Owner")
    updated: datetime = msgspec.field(name="LastUpdated")


class _Found(msgspec.Struct, frozen=True):
    items: list[_Ticket]


class _Made(msgspec.Struct, frozen=True):
    id: int | str
    type: Literal["ticket"]


class _Transaction(msgspec.Struct, frozen=True):
    id: int | str
    creator: _User = msgspec.field(name="Creator")
    type: str = msgspec.field(name="Type", default="")
    field: str | None = msgspec.field(name="Field", default="")


class _Transactions(msgspec.Struct, frozen=True):
    items: list[_Transaction]


class _Attachment(msgspec.Struct, frozen=True):
    id: int | str
    transaction: int | str = msgspec.field(name="TransactionId", default="")
    kind: str | None = msgspec.field(name="ContentType", default="")
    content: str | None = msgspec.field(name="Content", default="")


class _Attachments(msgspec.Struct, frozen=True):
    items: list[_Attachment]


class _Version(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="Version")


class RtTickets:
    """Keeps a ticket of Request Tracker in line with each incident."""

    def __init__(self, options: RtOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._queue = options.queue
        self._url = str(options.url).rstrip("/").removesuffix(API)
        headers = {"Authorization": f"token {options.token.reveal()}"}
        self._talk = Talk("Request Tracker", f"{self._url}{API}", headers, caller_of(policy, options.timeout))
        self._calm = Calm()
        self._status_of = {**STATUS_OF, **options.status}
        self._state_of: dict[str, TicketState] = {
            **ALSO,
            **{status: state for state, status in reversed(self._status_of.items())},
        }
        self._priority_of = {**PRIORITY_OF, **options.priority}

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the ticket of this key be as given, opening it if there is none.

        Raises:
            Undelivered: Request Tracker did not take all of it; what it took is not sent again.
        """
        there = await self._known(ticket)
        merged = there is not None and str(there.id) != ticket.reference
        there = there or await self._find(ticket) or await self._open(ticket)
        number = int(there.id)
        written = "\n".join(await self._texts(number))
        for text in marks.gathered(ticket, written):
            await self._comment(number, text)
        if (
            _state(ticket) in {"resolved", "closed"}
            and ticket.resolution
            and marks.solution_mark(ticket) not in written
        ):
            await self._comment(number, marks.solution_of(ticket))
        if not merged:  # Else somebody has made it part of another one, which is not ours.
            await self._align(there, ticket)
        return TicketReference(
            ticket.reference if merged else str(number), f"{self._url}/Ticket/Display.html?id={number}"
        )

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the tickets that are not as known.

        Raises:
            Undelivered: Request Tracker does not tell.
        """
        asked = [reference for reference in known if reference.isdecimal()]
        found: list[TicketChange] = []
        for first in range(0, len(asked), ASKED_MAX):
            query = " OR ".join(f"id = {number}" for number in asked[first : first + ASKED_MAX])
            tickets, answer = await self._search(query)
            for ticket in tickets:
                marker = known.get(str(ticket.id), "")
                if not self._calm.is_settled(str(ticket.id), marker, ticket.updated):
                    change = await self._told(ticket, answer)
                    same = self._calm.is_same(str(ticket.id), marker, change.marker, ticket.updated)
                    found += [] if same else [change]
        return found

    async def check(self) -> None:
        """Sign in, and find the queue.

        Raises:
            Undelivered: tickets could not be kept.
        """
        await self._talk.get("/rt", _Version)
        answer = await self._talk.ask("GET", f"/queue/{quote(self._queue, safe='')}")
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            why = f"Request Tracker has no queue `{self._queue}` for this token ({answer.status})"
            raise Undelivered(why, permanent=True)
        self._talk.read(answer, _Queue)

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    # --------------------------------------------------------------------------------------------------- what is there

    async def _known(self, ticket: Ticket) -> _Ticket | None:
        """Return the ticket of last time; another one where it was merged into that."""
        return await self._read(int(ticket.reference)) if ticket.reference.isdecimal() else None

    async def _find(self, ticket: Ticket) -> _Ticket | None:
        """Return the oldest ticket whose subject begins with the key."""
        mark = marks.key_mark(ticket)
        tickets, _ = await self._search(f"Queue = '{self._queue}' AND Subject LIKE '{mark}'")
        return next((one for one in tickets if one.subject.startswith(mark)), None)

    async def _search(self, query: str) -> tuple[list[_Ticket], Answer]:
        asked = {
            "query": query,
            "fields": "Subject,Status,Priority,Owner,LastUpdated",
            "per_page": str(PAGE),
            "orderby": "id",
            "order": "ASC",
        }
        path = "/tickets?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items())
        answer = await self._talk.ask("GET", path)
        return self._talk.read(answer, _Found).items, answer

    async def _read(self, number: int) -> _Ticket | None:
        answer = await self._talk.ask("GET", f"/ticket/{number}")
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return None
        return self._talk.read(answer, _Ticket)

    async def _texts(self, number: int) -> list[str]:
        return [one.content or "" for one in await self._attached(number)]

    async def _attached(self, number: int) -> list[_Attachment]:
        fields = "Content,ContentType,TransactionId"
        found: list[_Attachment] = []
        for page in range(1, PAGES_MAX + 1):
            query = {"fields": fields, "per_page": str(PAGE), "page": str(page)}
            items = (await self._talk.get(f"/ticket/{number}/attachments", _Attachments, query)).items
            found += items
            if len(items) < PAGE:
                break
        return found

    async def _history(self, number: int) -> list[_Transaction]:
        found: list[_Transaction] = []
        for page in range(1, PAGES_MAX + 1):
            query = {"fields": "Type,Creator,Field", "per_page": str(PAGE), "page": str(page)}
            items = (await self._talk.get(f"/ticket/{number}/history", _Transactions, query)).items
            found += items
            if len(items) < PAGE:
                break
        return found

    async def _told(self, ticket: _Ticket, answer: Answer) -> TicketChange:
        history = await self._history(int(ticket.id))
        texts: dict[str, str] = {}
        for one in await self._attached(int(ticket.id)):
            if one.content and (one.kind or "").startswith("text/"):
                told = marks.plain(one.content) if one.kind == "text/html" else marks.comment_of(one.content)
                texts.setdefault(str(one.transaction), told[: marks.COMMENT_MAX_CHARS])
        said = [
            TicketComment(id=str(one.id), text=texts[str(one.id)], by=one.creator.id)
            for one in history
            if one.type in SAID and str(one.id) in texts and not marks.is_ours(texts[str(one.id)])
        ]
        people = [one for one in history if one.creator.id != ITSELF]
        moved = [one.creator.id for one in people if one.type == "Status"]
        return TicketChange(
            reference=str(ticket.id),
            state=self._shown(ticket),
            marker=marker_of(ticket.updated, [ticket, [one.id for one in history]], served_at(answer)),
            by=moved[-1] if moved else "",
            assignee=_owner(ticket),
            comments=tuple(said[-marks.COMMENTS_MAX :]),
        )

    def _shown(self, ticket: _Ticket) -> TicketState:
        state = self._state_of.get(ticket.status, "open")
        return "acknowledged" if state == "open" and _owner(ticket) else state

    # ------------------------------------------------------------------------------------------------ what is written

    async def _open(self, ticket: Ticket) -> _Ticket:
        wanted = {
            "Queue": self._queue,
            "Subject": _subject(ticket),
            "Content": marks.body_of(ticket),
            "ContentType": "text/plain",
            "Priority": str(self._priority_of[ticket.priority]),
            "Status": self._status_of["open"],
        }
        made = await self._talk.send("POST", "/ticket", wanted, _Made)
        there = await self._read(int(made.id))
        if there is None:
            raise Undelivered(f"Request Tracker opened {made.id} and does not show it to this token", permanent=True)
        return there

    async def _comment(self, number: int, text: str) -> None:
        """Write below the ticket, for those who work on it: a reply would go to its requesters."""
        body = {"Content": text, "ContentType": "text/plain"}
        await self._talk.send("POST", f"/ticket/{number}/comment", body, list[str])

    async def _align(self, there: _Ticket, ticket: Ticket) -> None:
        """Set what differs, then who has it."""
        wanted: dict[str, Any] = {}
        if there.subject != _subject(ticket):
            wanted["Subject"] = _subject(ticket)
        if str(there.priority) != str(self._priority_of[ticket.priority]):
            wanted["Priority"] = str(self._priority_of[ticket.priority])
        if self._moves(there, _state(ticket)):
            wanted["Status"] = self._status_of[_state(ticket)]
        if wanted:
            await self._change(there, wanted)
        if ticket.assignee and _owner(there) != ticket.assignee:
            await self._change(there, {"Owner": ticket.assignee})

    def _moves(self, there: _Ticket, wanted: TicketState) -> bool:
        shown, state = self._shown(there), self._state_of.get(self._status_of[wanted], wanted)
        if wanted == "open" and self._state_of.get(there.status) == "open":
            return False  # Somebody has it and has left the status alone.
        return shown != state and not {shown, state} <= {"resolved", "closed"}

    async def _change(self, there: _Ticket, wanted: Mapping[str, str]) -> None:
        """Set fields, and see that they are set.

        Raises:
            Undelivered: they are not, with what Request Tracker says of it.
        """
        said = await self._talk.send("PUT", f"/ticket/{there.id}", wanted, list[str])
        now = await self._read(int(there.id))
        if now is None:
            return
        shown = {"Subject": now.subject, "Priority": str(now.priority), "Status": now.status, "Owner": now.owner.id}
        missed = {name: value for name, value in wanted.items() if shown[name] != value}
        if missed:
            asked = ", ".join(f"{name} {value}" for name, value in missed.items())
            raise Undelivered(
                f"Request Tracker did not set {one_line(asked)}: {one_line('; '.join(said))}", permanent=True
            )


class _Queue(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name")


def _subject(ticket: Ticket) -> str:
    """Return the subject, as long as Request Tracker keeps one: it cuts what is longer."""
    return marks.title_of(ticket).encode()[:SUBJECT_MAX_BYTES].decode("utf-8", "ignore").rstrip()


def _state(ticket: Ticket) -> TicketState:
    found: TicketState = STATE_OF.get(ticket.state, ticket.state)  # type: ignore[arg-type]
    return found


def _owner(ticket: _Ticket) -> str:
    return "" if ticket.owner.id == NOBODY else ticket.owner.id


def build(options: RtOptions, policy: TargetPolicy) -> RtTickets:
    """Build it, without connecting to anything."""
    return RtTickets(options, policy)


KIND = TicketKind("rt", RtOptions, build)
