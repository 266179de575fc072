"""Tickets in iTop, by its REST/JSON services: found again by the incident's number in their title.

Every answer is 200; whether it worked stands in ``code``. A ticket moves by stimuli, from each state only some, and by
way of a team and an agent: what is asked for on the way is given from the configuration. Reading is done by GET, which
changes nothing even if something in between repeats it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import msgspec
from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, Request
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import OVER, basic, object_of, unsaid
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
from sentinel.tickets.talk import Talk, caller_of, credentials_of, one_line

PATH: Final = "/webservices/rest.php"
VERSION: Final = "1.3"
UNAUTHORIZED, MISSING_USER, MISSING_PASSWORD = 1, 5, 6
STRANGER: Final = frozenset({UNAUTHORIZED, MISSING_USER, MISSING_PASSWORD})
TITLE_MAX_CHARS: Final = 240
SOLUTION_MAX_CHARS: Final = 4000
FOUND_MAX: Final = 20
HOPS_MAX: Final = 4
IMPACT: Final = "2"  # A service: with it the priority is the urgency.
URGENCY: Final[dict[Priority, str]] = {"P1": "1", "P2": "2", "P3": "3", "P4": "4"}
FIELDS: Final = "id,ref,title,status,urgency,agent_name,last_update,solution,private_log,public_log"
TARGET: Final[dict[str, str]] = {
    "open": "new",
    "acknowledged": "assigned",
    "in_progress": "assigned",
    "pending": "pending",
    "resolved": "resolved",
    "closed": "closed",
    "merged": "closed",
}
READ: Final[dict[str, TicketState]] = {
    "new": "open",
    "escalated_tto": "open",
    "assigned": "acknowledged",
    "escalated_ttr": "acknowledged",
    "pending": "pending",
    "resolved": "resolved",
    "closed": "closed",
}
# The next stimulus on the way from a state to another. What has been assigned is never new again.
ASSIGN, PEND, RESOLVE, CLOSE, REOPEN = "ev_assign", "ev_pending", "ev_resolve", "ev_close", "ev_reopen"
WAY: Final[dict[str, dict[str, str]]] = {
    "new": dict.fromkeys(("assigned", "pending", "resolved", "closed"), ASSIGN),
    "assigned": {"pending": PEND, "resolved": RESOLVE, "closed": RESOLVE},
    "pending": dict.fromkeys(("new", "assigned", "resolved", "closed"), ASSIGN),
    "resolved": {"new": REOPEN, "assigned": REOPEN, "pending": REOPEN, "closed": CLOSE},
}
LIKE: Final = {"escalated_tto": "new", "escalated_ttr": "assigned"}
Named = Annotated[str, Field(min_length=1, max_length=120)]


class ItopOptions(TicketOptions):
    """Which class of tickets, for which organization, and through whom: iTop wants a team, an agent and a service."""

    backend: Literal["itop"]
    user: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^:]+$")]
    token: Secret
    kind: Literal["Incident", "UserRequest"] = "Incident"
    organization: Named
    team: Named
    agent: Named
    service: Named
    resolution_code: Named = "other"


Fields = dict[str, Any]


class ItopTickets:
    """Keeps a ticket in line with each incident; notes go into the private log."""

    def __init__(self, options: ItopOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._url = options.url.rstrip("/").removesuffix(PATH)
        self._options = options
        self._headers = basic(options.user, options.token.reveal())
        self._caller = caller_of(policy, options.timeout)
        self._talk = Talk("iTop", self._url, self._headers, self._caller)
        self._openings = Openings()

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the ticket of this key be as given, opening it if there is none.

        Raises:
            Undelivered: iTop did not take all of it; what it took is not sent again.
        """
        opening = partial(self._open, ticket)
        found: Fields = await self._find(ticket) or await self._openings.shown(
            ticket.key, opening, self._ticket, "iTop"
        )
        number = str(found["id"])
        if found["status"] != "closed":  # What is closed there takes nothing any more.
            await self._note(number, found, ticket)
            await self._align(number, found, ticket)
            await self._move(number, str(found["status"]), ticket)
            await self._assign(number, found, ticket)
        seen = urlencode({"operation": "details", "class": self._options.kind, "id": number})
        return TicketReference(number, f"{self._url}/pages/UI.php?{seen}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the tickets that are not as known."""
        changed = []
        for number, marker in known.items():
            found = await self._ticket(number)
            if found is not None and _marker(found) != marker:
                changed.append(_change(number, found))
        return changed

    async def check(self) -> None:
        """Sign in, and find all that tickets refer to.

        Raises:
            Undelivered: tickets could not be kept.
        """
        options = self._options
        named = (("Organization", options.organization), ("Team", options.team), ("Service", options.service))
        for kind, name in named:
            if not await self._get(kind, f"SELECT {kind} WHERE name = {_text(name)}", "id"):
                raise Undelivered(f"iTop has no {kind} {name}", permanent=True)
        if not await self._get("Person", self._person(options.agent), "id"):
            raise Undelivered(f"iTop has no Person {options.agent}", permanent=True)

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the ticket that a webhook of iTop is about: a JSON object with its ``id``.

        Raises:
            ValueError: it names none.
        """
        number = str(object_of(body).get("id") or "")
        if not number.isdecimal():
            raise ValueError("there is no `id` of a ticket in it")
        return TicketNews(look_at=(number,))

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    async def _find(self, ticket: Ticket) -> Fields | None:
        number, mark = ticket.reference or self._openings.reference(ticket.key), key_mark(ticket)
        found = await self._ticket(number)
        if found is not None and str(found["title"]).startswith(mark):
            return found
        query = f"SELECT {self._options.kind} WHERE title LIKE {_text(f'{mark}%')}"
        found_too = await self._get(self._options.kind, query, FIELDS)
        return next((one for one in found_too if str(one.get("title")).startswith(mark)), None)

    async def _ticket(self, number: str) -> Fields | None:
        """Return a ticket, if there is one of that number; to ask for it by its number would be an error then."""
        if not number.isdecimal():
            return None
        query = f"SELECT {self._options.kind} WHERE id = {int(number)}"
        return next(iter(await self._get(self._options.kind, query, FIELDS)), None)

    async def _get(self, kind: str, query: str, fields: str) -> list[Fields]:
        asked = {"operation": "core/get", "class": kind, "key": query, "output_fields": fields}
        data = msgspec.json.encode({**asked, "limit": FOUND_MAX, "page": 1}).decode()
        answer = await self._talk.ask("GET", f"{PATH}?{urlencode({'version': VERSION, 'json_data': data})}")
        found = self._objects(answer)
        needed = {"id", "title", "status"} if "title" in fields else {"id"}
        if any(not needed <= one.keys() for one in found):
            raise self._talk.strange(answer, "no tickets")
        return found

    async def _do(self, operation: str, **more: Any) -> list[Fields]:
        """Do something.

        Raises:
            Undelivered: iTop says that it was not done; 200 alone does not say that it was.
        """
        asked = {"operation": operation, "class": self._options.kind, "output_fields": "id,status", **more}
        form = {"version": VERSION, "json_data": msgspec.json.encode({"comment": "Sentinel", **asked}).decode()}
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._caller.call(Request("POST", f"{self._url}{PATH}", headers, urlencode(form).encode()))
        return self._objects(certain(answer) if operation == "core/create" else answer)

    def _objects(self, answer: Answer) -> list[Fields]:
        told = self._talk.read(answer, dict[str, Any])
        code, message, objects = told.get("code"), one_line(told.get("message") or ""), told.get("objects") or {}
        if not isinstance(code, int) or not isinstance(objects, dict):
            raise self._talk.strange(answer, "no code")
        if code in STRANGER:
            raise credentials_of(answer, "iTop")
        if code:
            raise Undelivered(f"iTop answered code {code}: {message}", permanent=True)
        fields = [one.get("fields") if isinstance(one, dict) else None for one in objects.values()]
        if not all(isinstance(one, dict) for one in fields):
            raise self._talk.strange(answer, "no objects")
        return [one for one in fields if one is not None]

    async def _open(self, ticket: Ticket) -> str:
        options = self._options
        fields = {
            **self._wanted(ticket),
            "org_id": f"SELECT Organization WHERE name = {_text(options.organization)}",
            "service_id": f"SELECT Service WHERE name = {_text(options.service)}",
            "description": body_of(ticket),
            "impact": IMPACT,
            "origin": "monitoring",
        }
        made = await self._do("core/create", fields=fields)
        if not made or not str(made[0].get("id")).isdecimal():
            raise Undelivered("iTop does not say which ticket it opened", outcome="timeout")
        return str(made[0]["id"])

    @staticmethod
    def _wanted(ticket: Ticket) -> Fields:
        return {"title": title_of(ticket, TITLE_MAX_CHARS), "urgency": URGENCY[ticket.priority]}

    async def _note(self, number: str, found: Fields, ticket: Ticket) -> None:
        there = "\n".join(_said(one) for one in _entries(found, "private_log"))
        for note in unsaid(ticket, there):
            item = {"add_item": {"message": note, "format": "text"}}
            await self._do("core/update", key=int(number), fields={"private_log": item})

    async def _align(self, number: str, found: Fields, ticket: Ticket) -> None:
        wanted = self._wanted(ticket)
        if any(str(found.get(name)) != value for name, value in wanted.items()):
            await self._do("core/update", key=int(number), fields=wanted)

    async def _move(self, number: str, status: str, ticket: Ticket) -> None:
        """Lead a ticket to its state, over those in between."""
        for _ in range(HOPS_MAX):
            status = LIKE.get(status, status)
            target = TARGET[ticket.state]
            stimulus = WAY.get(status, {}).get(target, "")
            if status == target or not stimulus:  # Also an open one that was assigned before: it stays with its team.
                return
            kept = await self._do(
                "core/apply_stimulus", key=int(number), stimulus=stimulus, fields=self._asked(stimulus, ticket)
            )
            status = str(kept[0].get("status")) if kept else ""

    def _asked(self, stimulus: str, ticket: Ticket) -> Fields:
        """Return what a stimulus asks for."""
        options = self._options
        if stimulus == ASSIGN:
            return {
                "team_id": f"SELECT Team WHERE name = {_text(options.team)}",
                "agent_id": self._person(options.agent),
            }
        if stimulus == RESOLVE:
            solution = ticket.resolution if ticket.state in OVER else ""
            solution = (solution or f"{ticket.state}, says Sentinel")[:SOLUTION_MAX_CHARS]
            service = f"SELECT Service WHERE name = {_text(options.service)}"
            return {"solution": solution, "resolution_code": options.resolution_code, "service_id": service}
        return {"pending_reason": "Sentinel: waiting"} if stimulus == PEND else {}

    @staticmethod
    def _person(name: str) -> str:
        column = "email" if "@" in name else "friendlyname"
        return f"SELECT Person WHERE {column} = {_text(name)}"

    async def _assign(self, number: str, found: Fields, ticket: Ticket) -> None:
        """Give the ticket to who works on it.

        Raises:
            Undelivered: iTop does not know them; all else is in line by then.
        """
        if not ticket.assignee or found.get("agent_name") == ticket.assignee or TARGET[ticket.state] != "assigned":
            return
        now = await self._ticket(number)
        if now is None or now.get("agent_name") == ticket.assignee:
            return
        if not await self._get("Person", self._person(ticket.assignee), "id"):
            raise Undelivered(f"iTop knows nobody to give it to as {ticket.assignee}", permanent=True)
        fields = {"agent_id": self._person(ticket.assignee)}
        await self._do("core/apply_stimulus", key=int(number), stimulus="ev_reassign", fields=fields)


def _text(value: str) -> str:
    """Return a text as the query language writes it."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _entries(found: Fields, log: str) -> list[dict[str, Any]]:
    kept = found.get(log)
    entries = kept.get("entries") if isinstance(kept, dict) else None
    return [one for one in entries or () if isinstance(one, dict)] if isinstance(entries, list) else []


def _said(entry: dict[str, Any]) -> str:
    """Return what an entry says: its text where there is one, else what its HTML shows."""
    text = entry.get("message")
    return comment_of(str(text)) if text else plain(str(entry.get("message_html") or ""))


def _marker(found: Fields) -> str:
    """Return what differs when a ticket does: its time of change is to the second, and says too little."""
    return hashlib.sha256(msgspec.json.encode(found, order="sorted")).hexdigest()[:16]


def _change(number: str, found: Fields) -> TicketChange:
    entries = [one for log in ("public_log", "private_log") for one in _entries(found, log)]
    comments = [_comment(one) for one in sorted(entries, key=lambda one: str(one.get("date")))]
    return TicketChange(
        reference=number,
        state=READ.get(str(found["status"]), "open"),
        marker=_marker(found),
        assignee=str(found.get("agent_name") or ""),
        text=plain(str(found.get("solution") or ""))[:COMMENT_MAX_CHARS],
        comments=tuple(one for one in comments if not is_ours(one.text))[-COMMENTS_MAX:],
    )


def _comment(entry: dict[str, Any]) -> TicketComment:
    text, by = _said(entry)[:COMMENT_MAX_CHARS], str(entry.get("user_login") or "")
    number = hashlib.sha256(f"{entry.get('date')}\n{by}\n{text}".encode()).hexdigest()[:16]
    return TicketComment(id=number, text=text, by=by)


def _build(options: Any, policy: TargetPolicy) -> ItopTickets:
    return ItopTickets(options, policy)


KIND = TicketKind("itop", ItopOptions, _build)
