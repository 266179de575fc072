"""Tickets in ServiceNow, by its Table API: found again by ``correlation_id``, which holds the incident's number.

Two of its habits are watched for: a query with a column that an instance does not have finds everything, and a column
that an access rule protects is left as it is with 200. What comes back is therefore looked at, never taken on trust.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import State, basic, object_of, refused
from sentinel.tickets.marks import COMMENTS_MAX, body_of, comment_of, is_ours, key_mark, missing, title_of
from sentinel.tickets.opening import Openings, certain
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of, one_line

TITLE_MAX_CHARS: Final = 160
NOTES_MAX_CHARS: Final = 4000
PAGE: Final = 50
CANDIDATES_MAX: Final = 20
NEW, IN_PROGRESS, ON_HOLD, RESOLVED, CLOSED, CANCELED = "1", "2", "3", "6", "7", "8"
OVER: Final = frozenset({RESOLVED, CLOSED})
STATES: Final[dict[str, str]] = {
    "open": NEW,
    "acknowledged": IN_PROGRESS,
    "in_progress": IN_PROGRESS,
    "pending": ON_HOLD,
    "resolved": RESOLVED,
    "closed": CLOSED,
    "merged": CLOSED,
}
READ: Final[dict[str, TicketState]] = {
    NEW: "open",
    IN_PROGRESS: "acknowledged",
    ON_HOLD: "pending",
    RESOLVED: "resolved",
    CLOSED: "closed",
    CANCELED: "closed",
}
# The priority follows from both by the rules that every instance begins with: 1 to 4.
GRADES: Final[dict[Priority, tuple[str, str]]] = {
    "P1": ("1", "1"),
    "P2": ("1", "2"),
    "P3": ("2", "2"),
    "P4": ("2", "3"),
}
FIELDS: Final = (
    "sys_id,number,correlation_id,short_description,state,impact,urgency,assigned_to,assigned_to.user_name,close_notes,"
    "sys_updated_on,sys_updated_by,sys_mod_count,work_notes,comments"
)
_NUMBER: Final = re.compile(r"[A-Z]{0,10}[0-9]{1,12}")
# A journal is shown as one text: each entry under a line with its time, as our account writes it, and its author.
_ENTRY: Final = re.compile(r"^(\S+ \S+(?: [AP]M)?) - (.{1,100}) \(([^()\n]{1,60})\)$", re.MULTILINE)


class ServiceNowOptions(TicketOptions):
    """Which table, and in whose name; without ``user`` ``token`` is an OAuth token, else its password.

    ``close_code`` must be one of the instance's resolution codes. ``group`` is the ``sys_id`` of whom it is given to.
    """

    backend: Literal["servicenow"]
    token: Secret
    user: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^:]+$")] | None = None
    table: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,79}$")] = "incident"
    group: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    caller: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    close_code: Annotated[str, Field(min_length=1, max_length=100)] = "Solution provided"
    hold_reason: Annotated[str, Field(max_length=20)] = "1"
    statuses: dict[State, Annotated[str, Field(pattern=r"^-?[0-9]{1,4}$")]] = {}


Record = dict[str, dict[str, Any]]


class ServiceNowTickets:
    """Keeps a record in line with each incident."""

    def __init__(self, options: ServiceNowOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._url = options.url.rstrip("/")
        self._options = options
        self._states = {**STATES, **{str(state): number for state, number in options.statuses.items()}}
        headers, caller = basic(options.user, options.token.reveal()), caller_of(policy, options.timeout)
        self._talk = Talk(
            "ServiceNow", f"{self._url}/api/now/table", headers, caller, partial(refused, "ServiceNow", _said)
        )
        self._openings = Openings()

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the record of this key be as given, opening it if there is none.

        Raises:
            Undelivered: ServiceNow did not take all of it; what it took is not sent again.
        """
        opening, shows = partial(self._open, ticket), self._by_number
        record: Record = await self._find(ticket) or await self._openings.shown(
            ticket.key, opening, shows, "ServiceNow"
        )
        number, sys_id = _value(record, "number"), _value(record, "sys_id")
        if _value(record, "state") != CLOSED:  # What is closed there takes nothing any more.
            await self._note(record, ticket)
            await self._align(record, ticket)
            await self._assign(record, ticket)
        seen = quote(f"{self._options.table}.do?sys_id={sys_id}", safe="")
        return TicketReference(number, f"{self._url}/nav_to.do?uri={seen}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the records that are not as known."""
        numbers = [number for number in known if _NUMBER.fullmatch(number)]
        changed = []
        for first in range(0, len(numbers), PAGE):
            part = numbers[first : first + PAGE]
            for record in await self._query(f"numberIN{','.join(part)}", PAGE):
                number = _value(record, "number")
                if number in part and _marker(record) != known[number]:
                    changed.append(self._change(record))
        return changed

    async def check(self) -> None:
        """Sign in, and read the table.

        Raises:
            Undelivered: tickets could not be kept.
        """
        await self._query("correlation_id=sentinel-check", 1)

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the record that a business rule or a flow told of: a JSON object with its ``number``.

        Raises:
            ValueError: it names none.
        """
        number = object_of(body).get("number")
        if not isinstance(number, str) or not _NUMBER.fullmatch(number):
            raise ValueError("there is no `number` of a record in it")
        return TicketNews(look_at=(number,))

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    async def _find(self, ticket: Ticket) -> Record | None:
        number = ticket.reference or self._openings.reference(ticket.key)
        record = await self._by_number(number) if _NUMBER.fullmatch(number) else None
        if record is not None and _bears(record, ticket):
            return record
        found = await self._query(f"correlation_id={ticket.key}^ORDERBYsys_created_on", CANDIDATES_MAX)
        record = next((one for one in found if _bears(one, ticket)), None)
        if record is None and len(found) == CANDIDATES_MAX:
            why = "finds records that do not bear our key: has the table a column `correlation_id`?"
            raise Undelivered(f"ServiceNow {why}", permanent=True)
        return record

    async def _by_number(self, number: str) -> Record | None:
        found = await self._query(f"number={number}", 1)
        return next((one for one in found if _value(one, "number") == number), None)

    async def _query(self, query: str, limit: int) -> list[Record]:
        asked = {"sysparm_query": query, "sysparm_fields": FIELDS, "sysparm_limit": str(limit)}
        path = f"/{self._options.table}?{urlencode({**asked, 'sysparm_display_value': 'all'})}"
        answer = await self._talk.ask("GET", path)
        found = self._result(answer)
        if not isinstance(found, list) or not all(_is_record(one) for one in found):
            raise self._talk.strange(answer, "no list of records")
        return found

    def _result(self, answer: Answer) -> Any:
        if answer.status == 400 and "table" in answer.text().lower():
            why = f"ServiceNow has no table {self._options.table}: {one_line(answer.quote())}"
            raise Undelivered(why, permanent=True)
        found = self._talk.read(answer, dict[str, Any])
        if "result" not in found:
            raise self._talk.strange(answer, "no result")
        return found["result"]

    async def _open(self, ticket: Ticket) -> str:
        impact, urgency = GRADES[ticket.priority]
        content = {
            "short_description": title_of(ticket, TITLE_MAX_CHARS),
            "description": body_of(ticket),
            "correlation_id": ticket.key,
            "correlation_display": "Sentinel",
            "impact": impact,
            "urgency": urgency,
            **({"assignment_group": self._options.group} if self._options.group else {}),
            **({"caller_id": self._options.caller} if self._options.caller else {}),
        }
        path = f"/{self._options.table}?sysparm_fields=number,sys_id"
        answer = certain(await self._talk.ask("POST", path, content))
        made = self._result(answer)
        if not isinstance(made, dict) or not _NUMBER.fullmatch(str(made.get("number"))):
            raise self._talk.strange(answer, "no number")
        return str(made["number"])

    async def _note(self, record: Record, ticket: Ticket) -> None:
        for note in missing(ticket, _shown(record, "work_notes")):
            await self._write(record, {"work_notes": note})

    async def _align(self, record: Record, ticket: Ticket) -> None:
        impact, urgency = GRADES[ticket.priority]
        wanted = {"short_description": title_of(ticket, TITLE_MAX_CHARS), "impact": impact, "urgency": urgency}
        state = self._states[ticket.state]
        wanted["state"] = state
        differs = {name: value for name, value in wanted.items() if _value(record, name) != value}
        solution = comment_of(ticket.resolution)[:NOTES_MAX_CHARS]
        if state in OVER and (
            "state" in differs or (solution and solution != comment_of(_value(record, "close_notes")))
        ):
            notes = solution or f"{ticket.state}, says Sentinel"
            differs |= {"close_code": self._options.close_code, "close_notes": notes}
        if "state" in differs and state == ON_HOLD and self._options.hold_reason:
            differs["hold_reason"] = self._options.hold_reason
        if not differs:
            return
        kept = await self._write(record, differs)
        left = [name for name in wanted if _value(kept, name) != wanted[name]]
        if left:
            why = f"left {', '.join(left)} of {_value(record, 'number')} as it was: may its user change that?"
            raise Undelivered(f"ServiceNow {why}", permanent=True)

    async def _assign(self, record: Record, ticket: Ticket) -> None:
        """Give the record to who works on it.

        Raises:
            Undelivered: ServiceNow does not know them; all else is in line by then.
        """
        if not ticket.assignee:
            return
        column = "email" if "@" in ticket.assignee else "user_name"
        query = {"sysparm_query": f"{column}={ticket.assignee}", "sysparm_fields": f"sys_id,{column}"}
        found = self._result(await self._talk.ask("GET", f"/sys_user?{urlencode({**query, 'sysparm_limit': '2'})}"))
        named = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        people = [one for one in named if str(one.get(column)).lower() == ticket.assignee.lower()]
        if len(people) != 1:
            raise Undelivered(f"ServiceNow knows nobody to give it to as {ticket.assignee}", permanent=True)
        if _value(record, "assigned_to") != people[0].get("sys_id"):
            await self._write(record, {"assigned_to": people[0].get("sys_id")})

    async def _write(self, record: Record, content: dict[str, Any]) -> Record:
        query = urlencode({"sysparm_fields": FIELDS, "sysparm_display_value": "all"})
        path = f"/{self._options.table}/{_value(record, 'sys_id')}?{query}"
        answer = await self._talk.ask("PATCH", path, content)
        kept = self._result(answer)
        if not _is_record(kept):
            raise self._talk.strange(answer, "no record")
        return dict(kept)

    def _change(self, record: Record) -> TicketChange:
        number = _value(record, "number")
        comments = [one for name in ("work_notes", "comments") for one in _entries(_shown(record, name))]
        named = {number: state for state, number in self._options.statuses.items()}
        state = READ.get(_value(record, "state"), "acknowledged")
        if named.get(_value(record, "state")) in {"pending", "resolved", "closed"}:
            state = named[_value(record, "state")]  # type: ignore[assignment]  # one of these three
        return TicketChange(
            reference=number,
            state=state,
            marker=_marker(record),
            by=_value(record, "sys_updated_by"),
            assignee=_value(record, "assigned_to.user_name") or _shown(record, "assigned_to"),
            text=comment_of(_value(record, "close_notes")),
            comments=tuple(one for one in comments if not is_ours(one.text))[-COMMENTS_MAX:],
        )


def _said(told: dict[str, Any]) -> str:
    """Return what the instance says of why not."""
    error = told.get("error")
    return f"{error.get('message')}: {error.get('detail')}" if isinstance(error, dict) else ""


def _is_record(found: Any) -> bool:
    return isinstance(found, dict) and all(isinstance(one, dict) for one in found.values()) and "sys_id" in found


def _bears(record: Record, ticket: Ticket) -> bool:
    """Tell whether a record is a ticket's: by our key, and where there is no such column by the title."""
    if "correlation_id" in record:
        return _value(record, "correlation_id") == ticket.key
    return _value(record, "short_description").startswith(key_mark(ticket))


def _value(record: Record, name: str) -> str:
    return str(record.get(name, {}).get("value") or "")


def _shown(record: Record, name: str) -> str:
    return str(record.get(name, {}).get("display_value") or "")


def _marker(record: Record) -> str:
    return f"{_value(record, 'sys_updated_on')}/{_value(record, 'sys_mod_count')}"


def _entries(journal: str) -> list[TicketComment]:
    """Return the entries of a journal, the oldest first; it is shown with the newest first."""
    heads = list(_ENTRY.finditer(journal))
    ends = [*(head.start() for head in heads[1:]), len(journal)] if heads else []
    entries = []
    for head, end in zip(heads, ends, strict=True):
        text = comment_of(journal[head.end() : end])
        number = hashlib.sha256(f"{head[0]}\n{text}".encode()).hexdigest()[:16]
        entries.append(TicketComment(id=number, text=text, by=head[2]))
    return entries[::-1]


def _build(options: Any, policy: TargetPolicy) -> ServiceNowTickets:
    return ServiceNowTickets(options, policy)


KIND = TicketKind("servicenow", ServiceNowOptions, _build)
