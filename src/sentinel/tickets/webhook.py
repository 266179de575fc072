"""Tickets in whatever takes JSON over HTTP: the whole ticket is posted whenever it changes, signed.

What is posted, and where the answer says which ticket it became, is described by paths and texts with fields, as hooks
are. Nothing can be searched for: that a ticket is opened once rests on the ``Idempotency-Key``, which the receiver must
heed. It is the same whenever the same is posted again because its answer was lost.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from pydantic import Field

from sentinel.channels.base import Options, Undelivered
from sentinel.channels.http import Answer, Request
from sentinel.channels.signature import signed
from sentinel.config.fields import Secret
from sentinel.config.hooks import PathText, TemplateText
from sentinel.core.json_paths import JsonPath, Place, Template, Unreadable
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import unsaid
from sentinel.tickets.marks import COMMENTS_MAX, body_of, comment_of, is_ours, title_of
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of, refused_by

FIELDS_MAX: Final = 50
HEADERS_MAX: Final = 20
STATES_MAX: Final = 50
REMEMBERED_MAX: Final = 500
DIGEST_CHARS: Final = 16
REFERENCE_MAX_CHARS: Final = 200
STATES: Final[dict[str, TicketState]] = {
    "open": "open",
    "new": "open",
    "acknowledged": "acknowledged",
    "in_progress": "acknowledged",
    "pending": "pending",
    "resolved": "resolved",
    "closed": "closed",
    "merged": "closed",
}


class ReadBack(Options):
    """Where a ticket's state can be asked for, and where it stands in that answer and in what the receiver posts.

    ``url`` holds ``{reference}``; without it only what is posted to us is heard. ``states`` translates their words.
    """

    url: TemplateText | None = None
    reference: PathText
    state: PathText
    states: Annotated[dict[str, TicketState], Field(max_length=STATES_MAX)] = {}
    by: PathText | None = None
    assignee: PathText | None = None
    text: PathText | None = None
    comments: PathText | None = None
    comment_id: PathText | None = None
    comment_text: PathText | None = None
    comment_by: PathText | None = None


class WebhookOptions(TicketOptions):
    """Where to post, what, and how the answer is read. ``secret`` signs; ``headers`` may hold credentials.

    ``fields`` are texts by their names in the body, with dots for objects within; without them all of it is posted.
    """

    backend: Literal["webhook"]
    secret: Secret | None = None
    headers: Annotated[dict[str, Secret], Field(max_length=HEADERS_MAX)] = {}
    fields: Annotated[dict[str, TemplateText], Field(max_length=FIELDS_MAX)] = {}
    reference: PathText
    link: TemplateText | None = None
    read: ReadBack | None = None


@dataclass(frozen=True, slots=True)
class _Posted:
    """What was taken last of a ticket, and under which key."""

    key: str
    content: bytes
    reference: TicketReference


class WebhookTickets:
    """Posts tickets. ``now`` tells the time in unixtime, for the signatures that hold it."""

    def __init__(self, options: WebhookOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self.now: Callable[[], float] = _nobody_said
        self._options = options
        self._headers = {name: value.reveal() for name, value in options.headers.items()}
        self._caller = caller_of(policy, options.timeout)
        self._talk = Talk(
            "the ticket webhook", "", self._headers, self._caller, partial(refused_by, "the ticket webhook")
        )
        self._posted: dict[str, _Posted] = {}

    async def put(self, ticket: Ticket) -> TicketReference:
        """Post the ticket, unless this was posted last.

        Raises:
            Undelivered: it was not taken, or the answer does not say which ticket it became.
        """
        content = self._content(ticket)
        posted = self._posted.get(ticket.key)
        if posted and posted.content == content:
            return posted.reference
        # What is said again after something else was said in between is no repetition, and its key is another.
        before = posted.key if posted else str(max((sequence for sequence, _ in ticket.notes), default=0))
        key = f"{ticket.key}-{hashlib.sha256(before.encode() + content).hexdigest()[:DIGEST_CHARS]}"
        reference = self._reference(await self._caller.call(self._request(key, content)))
        self._posted.pop(ticket.key, None)
        self._posted[ticket.key] = _Posted(key, content, reference)
        if len(self._posted) > REMEMBERED_MAX:
            del self._posted[next(iter(self._posted))]
        return reference

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the tickets that are not as known, where they can be asked for."""
        read = self._options.read
        if read is None or read.url is None:
            return []
        changed = []
        for reference, marker in known.items():
            answer = await self._talk.ask("GET", _filled(read.url, {"reference": quote(reference, safe="")}))
            if answer.status == 404:
                continue
            change = self._read_change(read, answer)
            if change.reference == reference and change.marker != marker:
                changed.append(change)
        return changed

    async def check(self) -> None:
        """Connect without posting; where a ticket can be asked for, show our credentials as well.

        Raises:
            Undelivered: nobody answers there, or not to us.
        """
        read = self._options.read
        if read is None or read.url is None:
            await self._caller.reach(self._options.url)
            return
        answer = await self._talk.ask("GET", _filled(read.url, {"reference": "sentinel-check"}))
        if answer.status == 404:  # Nobody has such a ticket; a page instead comes from somebody else.
            self._talk.read(Answer(200, answer.headers, answer.body), dict[str, Any])
            return
        self._read_change(read, answer)

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the change that the receiver posts.

        Raises:
            ValueError: it cannot be read.
        """
        read = self._options.read
        if read is None:
            raise ValueError("nothing says how it is to be read: `read` is missing")
        try:
            return TicketNews(changes=(_change(read, msgspec.json.decode(body)),))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, Unreadable) as error:
            raise ValueError(str(error)) from error

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()

    def _read_change(self, read: ReadBack, answer: Answer) -> TicketChange:
        try:
            return _change(read, self._talk.read(answer, dict[str, Any]))
        except Unreadable as error:
            raise self._talk.strange(answer, str(error)) from error

    def _content(self, ticket: Ticket) -> bytes:
        facts = facts_of(ticket)
        if not self._options.fields:
            return msgspec.json.encode(facts)
        content: dict[str, Any] = {}
        for name, template in self._options.fields.items():
            *within, last = name.split(".")
            place = content
            for part in within:
                place = place.setdefault(part, {})
            place[last] = _filled(template, facts)
        return msgspec.json.encode(content)

    def _request(self, key: str, content: bytes) -> Request:
        kind = {"Content-Type": "application/json", "Accept": "application/json"}
        headers = {**self._headers, **kind, "Idempotency-Key": key}
        if self._options.secret:
            headers |= signed(self._options.secret.reveal(), int(self.now()), content)
        return Request("POST", self._options.url, headers, content)

    def _reference(self, answer: Answer) -> TicketReference:
        found = self._talk.read(answer, Any)
        try:
            reference = self._options.reference.said(Place(found, found)) or ""
        except Unreadable as error:
            raise self._talk.strange(answer, str(error)) from error
        if not reference or len(reference) > REFERENCE_MAX_CHARS:
            raise self._talk.strange(answer, f"no reference at `{self._options.reference.text}`")
        told = {"reference": reference, "answer": found}
        link = self._options.link
        return TicketReference(reference, _filled(link, told) if link else self._options.url)


def facts_of(ticket: Ticket) -> dict[str, Any]:
    """Return what texts may take from a ticket, and what is posted where there are none."""
    return {
        "key": ticket.key,
        "title": title_of(ticket),
        "description": body_of(ticket),
        "state": ticket.state,
        "priority": ticket.priority,
        "level": ticket.level,
        "severity": ticket.severity,
        "service": ticket.service,
        "opened_at": ticket.opened_at,
        "links": list(ticket.links),
        "resolution": ticket.resolution,
        "assignee": ticket.assignee,
        "notes": unsaid(ticket, ""),
    }


def _filled(template: Template, facts: dict[str, Any]) -> str:
    """Return a text with its fields.

    Raises:
        Undelivered: the text asks for what is not there.
    """
    try:
        return template.fill(Place(facts, facts))
    except Unreadable as error:
        raise Undelivered(f"the text {template.text} cannot be filled in: {error}", permanent=True) from error


def _change(read: ReadBack, found: Any) -> TicketChange:
    place = Place(found, found)
    state = read.state.said(place)
    if state is None:
        raise Unreadable(read.state.text, "is not there")
    reference = read.reference.said(place)
    if not reference:
        raise Unreadable(read.reference.text, "is not there")
    meant = {**STATES, **read.states}.get(state)
    if meant is None:
        raise Unreadable(read.state.text, "holds a state that `states` does not translate")
    change = TicketChange(
        reference=reference[:REFERENCE_MAX_CHARS],
        state=meant,
        marker="",
        by=_said(read.by, place),
        assignee=_said(read.assignee, place),
        text=comment_of(_said(read.text, place)),
        comments=_comments(read, place),
    )
    marker = hashlib.sha256(msgspec.json.encode(change)).hexdigest()[:DIGEST_CHARS]
    return msgspec.structs.replace(change, marker=marker)


def _said(path: JsonPath | None, place: Place) -> str:
    return (path.said(place) or "") if path else ""


def _comments(read: ReadBack, place: Place) -> tuple[TicketComment, ...]:
    listed = read.comments.find(place) if read.comments else None
    comments = []
    for one in listed[-COMMENTS_MAX:] if isinstance(listed, list) else ():
        within = Place(one, place.body)
        text = comment_of(_said(read.comment_text, within))
        by = _said(read.comment_by, within)
        number = _said(read.comment_id, within) or hashlib.sha256(f"{by}\n{text}".encode()).hexdigest()[:DIGEST_CHARS]
        comments.append(TicketComment(id=number, text=text, by=by))
    return tuple(one for one in comments if one.text and not is_ours(one.text))


def _nobody_said() -> float:
    raise Undelivered("nobody told the ticket webhook what time it is", permanent=True)


def _build(options: Any, policy: TargetPolicy) -> WebhookTickets:
    return WebhookTickets(options, policy)


KIND = TicketKind("webhook", WebhookOptions, _build)
