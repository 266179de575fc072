"""Tickets in Roundup 2, by its REST interface: found again by the incident's number in their title.

Every write names the version it changes (``If-Match``), so that nothing somebody did meanwhile is lost. Its classic
tracker moves an issue to "chatting" when a message is added and no status is set with it: ours always set one.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

import msgspec
from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, refusal
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets import marks
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketReference, TicketState
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of, one_line

KNOWN_FOR_S: Final = 600.0
MESSAGES_MAX: Final = 5_000  # A message never changes: those read are kept.
NOW: Final = "."  # In Roundup's way of writing dates.
Name = Annotated[str, Field(min_length=1, max_length=100)]

USUAL: Final[dict[TicketState, str]] = {
    "open": "unread",
    "acknowledged": "in-progress",
    "pending": "need-eg",
    "resolved": "resolved",
    "closed": "resolved",
}
ALSO: Final[dict[str, TicketState]] = {
    "deferred": "pending",
    "testing": "acknowledged",
    "done-cbb": "resolved",
    "closed": "closed",
}
STATE_OF: Final[dict[str, TicketState]] = {"in_progress": "acknowledged", "merged": "closed"}
PRIORITIES: Final[tuple[Priority, ...]] = ("P1", "P2", "P3", "P4")


class RoundupOptions(TicketOptions):
    """As whom tickets are kept. ``url`` is the tracker's; ``status`` and ``priority`` are for other schemas."""

    backend: Literal["roundup"]
    user: Annotated[str, Field(pattern=r"^[^:\x00-\x20]{1,100}$")]
    password: Secret
    status: dict[TicketState, Name] = {}
    priority: dict[Priority, Name] = {}


class _Link(msgspec.Struct, frozen=True):
    id: str


class _Issue(msgspec.Struct, frozen=True):
    title: str
    status: _Link | None = None
    priority: _Link | None = None
    assignedto: _Link | None = None
    messages: list[_Link] = []
    actor: _Link | None = None


class _IssueItem(msgspec.Struct, frozen=True):
    id: str
    attributes: _Issue
    etag: str = msgspec.field(name="@etag")


class _IssueAnswer(msgspec.Struct, frozen=True):
    data: _IssueItem


class _Message(msgspec.Struct, frozen=True):
    content: str | None = ""
    author: _Link | None = None


class _MessageItem(msgspec.Struct, frozen=True):
    attributes: _Message


class _MessageAnswer(msgspec.Struct, frozen=True):
    data: _MessageItem


class _Row(msgspec.Struct, frozen=True):
    id: str
    name: str | None = ""
    title: str | None = ""
    username: str | None = ""


class _Rows(msgspec.Struct, frozen=True):
    collection: list[_Row]


class _Listed(msgspec.Struct, frozen=True):
    data: _Rows


class _Made(msgspec.Struct, frozen=True):
    data: _Link


class _Terms(msgspec.Struct, frozen=True):
    """What things are called there."""

    status_of: dict[TicketState, str]
    state_of: dict[str, TicketState]
    priority_of: dict[Priority, str]
    me: str


class RoundupTickets:
    """Keeps an issue of a Roundup tracker in line with each incident."""

    def __init__(self, options: RoundupOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._options = options
        self._url = str(options.url).rstrip("/")
        place = urlsplit(self._url)
        shown = b64encode(f"{options.user}:{options.password.reveal()}".encode()).decode()
        headers = {
            "Authorization": f"Basic {shown}",
            "X-Requested-With": "rest",
            "Origin": f"{place.scheme}://{place.netloc}",
            "Referer": f"{self._url}/",
        }
        caller = caller_of(policy, options.timeout)
        self._talk = Talk("Roundup", f"{self._url}/rest/data", headers, caller, _refused)
        self._terms: tuple[float, _Terms] | None = None
        self._messages: dict[str, _Message] = {}
        self._people: dict[str, str] = {}

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the issue of this key be as given, opening it if there is none.

        Raises:
            Undelivered: Roundup did not take all of it; what it took is not sent again.
        """
        terms = await self._known_terms()
        there = await self._find(ticket) or await self._open(ticket, terms)
        there = await self._align(there, ticket, terms)
        await self._assign(there, ticket)
        return TicketReference(there.id, f"{self._url}/issue{there.id}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the issues that are not as known.

        Raises:
            Undelivered: Roundup does not tell.
        """
        terms = await self._known_terms() if known else None
        found: list[TicketChange] = []
        for reference, marker in known.items():
            there = await self._read(reference) if reference.isdecimal() else None
            if terms is not None and there is not None and there.etag != marker:
                found.append(await self._told(there, terms))
        return found

    async def check(self) -> None:
        """Sign in, and find the statuses, the priorities and ourselves.

        Raises:
            Undelivered: tickets could not be kept.
        """
        self._terms = None
        await self._known_terms()

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    # --------------------------------------------------------------------------------------------------- what is there

    async def _known_terms(self) -> _Terms:
        now = asyncio.get_running_loop().time()
        if self._terms is None or now - self._terms[0] > KNOWN_FOR_S:
            self._terms = (now, await self._ask_terms())
        return self._terms[1]

    async def _ask_terms(self) -> _Terms:
        statuses = {row.name or "": row.id for row in await self._list("status", "name")}
        levels = await self._list("priority", "name")
        if not statuses or not levels:
            raise Undelivered("Roundup shows no statuses or no priorities to this user", permanent=True)
        wanted = {**USUAL, **self._options.status}
        status_of = {state: self._named("status", name, statuses) for state, name in wanted.items()}
        chosen = {priority: levels[min(place, len(levels) - 1)].id for place, priority in enumerate(PRIORITIES)}
        by_name = {row.name or "": row.id for row in levels}
        named = {one: self._named("priority", name, by_name) for one, name in self._options.priority.items()}
        states = {statuses[name]: state for name, state in ALSO.items() if name in statuses}
        return _Terms(
            status_of=status_of,
            state_of={**states, **{number: state for state, number in reversed(status_of.items())}},
            priority_of={**chosen, **named},
            me=await self._user(self._options.user),
        )

    @staticmethod
    def _named(what: str, name: str, there: Mapping[str, str]) -> str:
        if name not in there:
            raise Undelivered(f"Roundup has no {what} `{name}`; there are {one_line(', '.join(there))}", permanent=True)
        return there[name]

    async def _list(self, kind: str, field: str, asked: str = "") -> list[_Row]:
        path = f"/{kind}?@fields={field}&@verbose=2{asked}"
        return (await self._talk.get(path, _Listed)).data.collection

    async def _user(self, name: str) -> str:
        """Return the id of a user; Roundup's search finds parts of names too."""
        rows = await self._list("user", "username", f"&username={quote(name, safe='')}")
        found = next((row.id for row in rows if row.username == name), None)
        if found is None:
            raise Undelivered(f"Roundup has no user `{name}`, or does not show it", permanent=True)
        return found

    async def _called(self, user: _Link | None) -> str:
        """Return the login of a user; the number when it is not shown."""
        if user is None:
            return ""
        if user.id not in self._people:
            answer = await self._talk.ask("GET", f"/user/{quote(user.id, safe='')}/username")
            name = self._talk.read(answer, _Username).data.data if answer.ok else user.id
            self._people[user.id] = name or user.id
        return self._people[user.id]

    async def _find(self, ticket: Ticket) -> _IssueItem | None:
        """Return the issue: the one of last time, or the oldest whose title begins with the key."""
        if ticket.reference.isdecimal():
            there = await self._read(ticket.reference)
            if there is not None:
                return there
        mark = marks.key_mark(ticket)
        rows = await self._list("issue", "title", f"&title={quote(mark, safe='')}")
        found = sorted(int(row.id) for row in rows if (row.title or "").startswith(mark) and row.id.isdecimal())
        return await self._read(str(found[0])) if found else None

    async def _read(self, number: str) -> _IssueItem | None:
        answer = await self._talk.ask("GET", f"/issue/{number}?@verbose=1&@protected=true")
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return None
        return self._talk.read(answer, _IssueAnswer).data

    async def _said(self, there: _IssueItem) -> list[tuple[str, _Message]]:
        """Return what was written below an issue."""
        found = []
        for link in there.attributes.messages:
            if link.id not in self._messages:
                path = f"/msg/{quote(link.id, safe='')}?@verbose=3"
                self._messages[link.id] = (await self._talk.get(path, _MessageAnswer)).data.attributes
            found.append((link.id, self._messages[link.id]))
        while len(self._messages) > MESSAGES_MAX:
            del self._messages[next(iter(self._messages))]
        return found

    async def _told(self, there: _IssueItem, terms: _Terms) -> TicketChange:
        said = [
            TicketComment(id=number, text=marks.comment_of(one.content or ""), by=await self._called(one.author))
            for number, one in (await self._said(there))[1:]  # The first one is the description.
            if not marks.is_ours(one.content or "")
        ]
        actor = there.attributes.actor
        return TicketChange(
            reference=there.id,
            state=_shown(there, terms),
            marker=there.etag,
            by="" if actor is None or actor.id == terms.me else await self._called(actor),
            assignee=await self._called(there.attributes.assignedto),
            comments=tuple(said[-marks.COMMENTS_MAX :]),
        )

    # ------------------------------------------------------------------------------------------------ what is written

    async def _open(self, ticket: Ticket, terms: _Terms) -> _IssueItem:
        wanted = {
            "title": marks.title_of(ticket),
            "status": terms.status_of["open"],
            "priority": terms.priority_of[ticket.priority],
            "messages": [await self._message(marks.body_of(ticket), terms)],
        }
        made = await self._talk.send("POST", "/issue", wanted, _Made)
        there = await self._read(made.data.id)
        if there is None:
            raise Undelivered(f"Roundup opened {made.data.id} and does not show it", permanent=True)
        return there

    async def _message(self, text: str, terms: _Terms) -> str:
        """Make a message, which belongs to nothing yet; Roundup wants to be told whose it is, and when."""
        body = {"content": text, "author": terms.me, "date": NOW}
        return (await self._talk.send("POST", "/msg", body, _Made)).data.id

    async def _align(self, there: _IssueItem, ticket: Ticket, terms: _Terms) -> _IssueItem:
        """Set what differs, with what was not said there yet."""
        issue = there.attributes
        written = "\n".join(one.content or "" for _, one in await self._said(there))
        texts = marks.gathered(ticket, written)
        if (
            _state(ticket) in {"resolved", "closed"}
            and ticket.resolution
            and marks.solution_mark(ticket) not in written
        ):
            texts.append(marks.solution_of(ticket))
        wanted: dict[str, Any] = {}
        if issue.title != marks.title_of(ticket):
            wanted["title"] = marks.title_of(ticket)
        if issue.priority is None or issue.priority.id != terms.priority_of[ticket.priority]:
            wanted["priority"] = terms.priority_of[ticket.priority]
        if _moves(there, _state(ticket), terms):
            wanted["status"] = terms.status_of[_state(ticket)]
        if texts:
            made = [await self._message(text, terms) for text in texts]
            wanted["messages"] = [*(link.id for link in issue.messages), *made]
            wanted.setdefault("status", issue.status.id if issue.status else terms.status_of["open"])
        return await self._change(there, wanted) if wanted else there

    async def _assign(self, there: _IssueItem, ticket: Ticket) -> None:
        if ticket.assignee and await self._called(there.attributes.assignedto) != ticket.assignee:
            await self._change(there, {"assignedto": await self._user(ticket.assignee)})

    async def _change(self, there: _IssueItem, wanted: Mapping[str, Any]) -> _IssueItem:
        answer = await self._talk.ask("PUT", f"/issue/{there.id}", wanted, {"If-Match": there.etag})
        self._talk.read(answer, _Made)
        return await self._read(there.id) or there


class _Text(msgspec.Struct, frozen=True):
    data: str | None


class _Username(msgspec.Struct, frozen=True):
    data: _Text


def _state(ticket: Ticket) -> TicketState:
    found: TicketState = STATE_OF.get(ticket.state, ticket.state)  # type: ignore[arg-type]
    return found


def _plain_state(there: _IssueItem, terms: _Terms) -> TicketState:
    return terms.state_of.get(there.attributes.status.id, "open") if there.attributes.status else "open"


def _shown(there: _IssueItem, terms: _Terms) -> TicketState:
    state = _plain_state(there, terms)
    return "acknowledged" if state == "open" and there.attributes.assignedto is not None else state


def _moves(there: _IssueItem, wanted: TicketState, terms: _Terms) -> bool:
    if wanted == "open" and _plain_state(there, terms) == "open":
        return False  # Somebody has it and has left the status alone.
    shown, state = _shown(there, terms), terms.state_of[terms.status_of[wanted]]
    return shown != state and not {shown, state} <= {"resolved", "closed"}


def _refused(answer: Answer) -> Undelivered:
    """Return what a refusal means: somebody else was faster with 412, which the next try takes into account."""
    if answer.status == HTTPStatus.PRECONDITION_FAILED:
        return Undelivered("somebody changed the issue in Roundup at the same moment")
    return refusal(answer)


def build(options: RoundupOptions, policy: TargetPolicy) -> RoundupTickets:
    """Build it, without connecting to anything."""
    return RoundupTickets(options, policy)


KIND = TicketKind("roundup", RoundupOptions, build)
