"""Tickets in Redmine, by its REST interface: found again by the incident's number in their subject.

Redmine takes a wrong key for nobody and goes on: on a public project everything can be read, and what is written is
written as a stranger. So it is asked each time who we are. It also answers 204 to a change of status that the workflow
forbids, and forgets it: what was changed is read back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import msgspec
from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer, refusal
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets import marks
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketReference, TicketState
from sentinel.tickets.markers import Calm, marker_of, served_at
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.redmine_answers import (
    Errors,
    Issue,
    IssueAnswer,
    Issues,
    Level,
    Levels,
    Me,
    Members,
    Named,
    ProjectAnswer,
    Status,
    Statuses,
    Terms,
    Trackers,
)
from sentinel.tickets.talk import Talk, caller_of, one_line

FOUND_MAX: Final = 100  # What Redmine gives in one page at most.
KNOWN_FOR_S: Final = 600.0  # So long statuses and priorities are not asked for again.
Name = Annotated[str, Field(min_length=1, max_length=255)]

# What the statuses are called that Redmine is set up with, in English and in French.
USUAL: Final[dict[TicketState, frozenset[str]]] = {
    "acknowledged": frozenset({"in progress", "en cours"}),
    "pending": frozenset({"feedback", "commentaire"}),
    "resolved": frozenset({"resolved", "résolu"}),
}
STATE_OF: Final[dict[str, TicketState]] = {"in_progress": "acknowledged", "merged": "closed"}


class RedmineOptions(TicketOptions):
    """Where tickets go, and as whom. ``status`` and ``priority`` name what Redmine calls ours, where it is unusual."""

    backend: Literal["redmine"]
    token: Secret
    project: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,100}$")]
    tracker: Name | None = None
    status: dict[TicketState, Name] = {}
    priority: dict[Priority, Name] = {}


class RedmineTickets:
    """Keeps a Redmine issue in line with each incident."""

    def __init__(self, options: RedmineOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._options = options
        headers = {"X-Redmine-API-Key": options.token.reveal()}
        self._talk = Talk("Redmine", str(options.url), headers, caller_of(policy, options.timeout), _refused)
        self._terms: tuple[float, Terms] | None = None
        self._calm = Calm()

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the issue of this key be as given, opening it if there is none.

        Raises:
            Undelivered: Redmine did not take all of it; what it took is not sent again.
        """
        await self._sign_in()
        terms = await self._known_terms()
        issue = await self._find(ticket)
        if issue is None:
            issue = await self._open(ticket, terms)
        await self._note(issue, ticket)
        await self._align(issue, ticket, terms)
        await self._assign(issue, ticket)
        return TicketReference(str(issue.id), f"{self._talk.url}/issues/{issue.id}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the issues that are not as known.

        Raises:
            Undelivered: Redmine does not tell.
        """
        await self._sign_in()
        terms = await self._known_terms()
        asked = [reference for reference in known if reference.isdecimal()]
        found: list[TicketChange] = []
        for first in range(0, len(asked), FOUND_MAX):
            for issue in await self._list({"issue_id": ",".join(asked[first : first + FOUND_MAX])}):
                marker = known.get(str(issue.id), "")
                if not self._calm.is_settled(str(issue.id), marker, issue.updated_on):
                    found += await self._changed(issue.id, marker, terms)
        return found

    async def check(self) -> None:
        """Sign in, and find the project, its tracker, the statuses and the priorities.

        Raises:
            Undelivered: tickets could not be kept.
        """
        await self._sign_in()
        self._terms = None
        await self._known_terms()

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    # --------------------------------------------------------------------------------------------------- what is there

    async def _sign_in(self) -> None:
        """Ask who we are: with a wrong key everything else may be answered all the same."""
        answer = await self._talk.ask("GET", "/users/current.json")
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise Undelivered(f"Redmine does not know this token ({answer.status})", permanent=True)
        self._talk.read(answer, Me)

    async def _known_terms(self) -> Terms:
        now = asyncio.get_running_loop().time()
        if self._terms is None or now - self._terms[0] > KNOWN_FOR_S:
            self._terms = (now, await self._ask_terms())
        return self._terms[1]

    async def _ask_terms(self) -> Terms:
        named = quote(self._options.project, safe="")
        answer = await self._talk.ask("GET", f"/projects/{named}.json?include=trackers")
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            why = f"Redmine has no project `{self._options.project}` for this token ({answer.status})"
            raise Undelivered(why, permanent=True)
        trackers = self._talk.read(answer, ProjectAnswer).project.trackers
        tracker = self._named("tracker", self._options.tracker, trackers) if self._options.tracker else None
        chosen = tracker or next(iter(trackers), None)
        if chosen is None:
            raise Undelivered(f"the project `{self._options.project}` has no tracker", permanent=True)
        all_trackers = (await self._talk.get("/trackers.json", Trackers)).trackers
        statuses = (await self._talk.get("/issue_statuses.json", Statuses)).issue_statuses
        levels = (await self._talk.get("/enumerations/issue_priorities.json", Levels)).issue_priorities
        usual = next((one.default_status for one in all_trackers if one.id == chosen.id), None)
        status_of = self._statuses(statuses, usual)
        return Terms(
            status_of=status_of,
            state_of={**_meanings(statuses), **{number: state for state, number in reversed(status_of.items())}},
            priority_of=self._priorities([level for level in levels if level.active]),
            tracker=chosen.id,
        )

    def _statuses(self, statuses: Sequence[Status], first: Named | None) -> dict[TicketState, int]:
        """Return which status to set for what. Where there is none of its own, it is the next best."""
        if not statuses:
            raise Undelivered("Redmine has no issue statuses", permanent=True)
        named = {state: self._named("status", name, statuses).id for state, name in self._options.status.items()}
        usual = {state: one.id for state, names in USUAL.items() for one in statuses if one.name.casefold() in names}
        over = next((one.id for one in statuses if one.is_closed), None)
        if over is None and "closed" not in named:
            raise Undelivered("Redmine has no status that closes: name one at `status`", permanent=True)
        begun = named.get("open", first.id if first else statuses[0].id)
        chosen: dict[TicketState, int] = {"open": begun, **usual, **named}
        chosen.setdefault("closed", over or 0)
        chosen.setdefault("acknowledged", begun)
        chosen.setdefault("pending", chosen["acknowledged"])
        chosen.setdefault("resolved", chosen["closed"])
        order: tuple[TicketState, ...] = ("open", "acknowledged", "pending", "closed", "resolved")
        return {state: chosen[state] for state in order}

    def _priorities(self, levels: Sequence[Level]) -> dict[Priority, int]:
        """Return what is set for each priority: Redmine lists its own from the lowest to the highest."""
        if not levels:
            raise Undelivered("Redmine has no issue priorities", permanent=True)
        usual = next((one for one in levels if one.is_default), levels[0])
        chosen: dict[Priority, int] = {
            "P1": levels[-1].id,
            "P2": levels[max(0, len(levels) - 2)].id,
            "P3": usual.id,
            "P4": levels[0].id,
        }
        named = {
            priority: self._named("priority", name, levels).id for priority, name in self._options.priority.items()
        }
        return {**chosen, **named}

    def _named(self, what: str, name: str, among: Sequence[Any]) -> Any:
        found = next((one for one in among if one.name.casefold() == name.casefold()), None)
        if found is None:
            there = ", ".join(one.name for one in among)
            raise Undelivered(f"Redmine has no {what} `{name}`; there are {one_line(there)}", permanent=True)
        return found

    async def _find(self, ticket: Ticket) -> Issue | None:
        """Return the issue: the one of last time, or the oldest whose subject begins with the key."""
        if ticket.reference.isdecimal():
            there = await self._read(int(ticket.reference))
            if there is not None:
                return there[0]
        mark = marks.key_mark(ticket)
        asked = {"project_id": self._options.project, "subject": f"~{mark}", "sort": "id"}
        found = next((one for one in await self._list(asked) if one.subject.startswith(mark)), None)
        if found is None:
            return None
        there = await self._read(found.id)
        return there[0] if there else None

    async def _list(self, asked: Mapping[str, str]) -> list[Issue]:
        query = {"status_id": "*", "limit": str(FOUND_MAX), **asked}
        return (await self._talk.get("/issues.json", Issues, query)).issues

    async def _read(self, number: int) -> tuple[Issue, Answer] | None:
        """Return an issue with everything that was written below it; nothing when it is gone."""
        answer = await self._talk.ask("GET", f"/issues/{number}.json?include=journals")
        if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
            return None
        return self._talk.read(answer, IssueAnswer).issue, answer

    async def _changed(self, number: int, known: str, terms: Terms) -> list[TicketChange]:
        there = await self._read(number)
        if there is None:
            return []
        issue, answer = there
        marker = marker_of(issue.updated_on, issue, served_at(answer))
        same = self._calm.is_same(str(issue.id), known, marker, issue.updated_on)
        return [] if same else [_change(issue, marker, terms)]

    # ------------------------------------------------------------------------------------------------ what is written

    async def _open(self, ticket: Ticket, terms: Terms) -> Issue:
        wanted = {
            "project_id": self._options.project,
            "tracker_id": terms.tracker,
            "status_id": terms.status_of["open"],
            "priority_id": terms.priority_of[ticket.priority],
            "subject": marks.title_of(ticket),
            "description": marks.body_of(ticket),
        }
        return (await self._talk.send("POST", "/issues.json", {"issue": wanted}, IssueAnswer)).issue

    async def _note(self, issue: Issue, ticket: Ticket) -> None:
        for text in marks.gathered(ticket, _written(issue)):
            await self._write(issue.id, {"notes": text})

    async def _align(self, issue: Issue, ticket: Ticket, terms: Terms) -> None:
        """Set what differs: subject, priority, status; with what was said at the end, once."""
        state = terms.state_of[terms.status_of[_state(ticket)]]
        there = _shown_state(issue, terms)
        wanted: dict[str, Any] = {}
        if issue.subject != marks.title_of(ticket):
            wanted["subject"] = marks.title_of(ticket)
        if issue.priority.id != terms.priority_of[ticket.priority]:
            wanted["priority_id"] = terms.priority_of[ticket.priority]
        moved = _moves(issue, there, state, terms)
        if moved:
            wanted["status_id"] = terms.status_of[state]
        over = _state(ticket) in {"resolved", "closed"}
        if over and ticket.resolution and marks.solution_mark(ticket) not in _written(issue):
            wanted["notes"] = marks.solution_of(ticket)
        if wanted:
            await self._write(issue.id, wanted)
        if moved:
            await self._took(issue.id, terms.status_of[state])

    async def _took(self, number: int, status: int) -> None:
        """See that a status was taken: what the workflow forbids is answered with success and forgotten."""
        there = await self._read(number)
        if there is not None and there[0].status.id != status:
            why = f"Redmine left the status of {number} at `{one_line(there[0].status.name)}`"
            raise Undelivered(f"{why}: the workflow does not let this token's role change it", permanent=True)

    async def _assign(self, issue: Issue, ticket: Ticket) -> None:
        held = issue.assigned_to
        if not ticket.assignee or (held is not None and ticket.assignee in {held.name, str(held.id)}):
            return
        for member in await self._members():
            if ticket.assignee in {member.name, str(member.id)}:
                await self._write(issue.id, {"assigned_to_id": member.id})
                return
        why = f"nobody called `{ticket.assignee}` is a member of the project `{self._options.project}` in Redmine"
        raise Undelivered(why, permanent=True)

    async def _members(self) -> list[Named]:
        found: list[Named] = []
        while True:
            query = {"limit": str(FOUND_MAX), "offset": str(len(found))}
            path = f"/projects/{quote(self._options.project, safe='')}/memberships.json"
            page = await self._talk.get(path, Members, query)
            found += [one for member in page.memberships if (one := member.user or member.group) is not None]
            if not page.memberships or len(found) >= page.total_count:
                return found

    async def _write(self, number: int, wanted: Mapping[str, Any]) -> None:
        answer = await self._talk.ask("PUT", f"/issues/{number}.json", {"issue": wanted})
        if answer.ok and answer.body:  # Success has no content: it is something else that answers.
            raise self._talk.strange(answer)
        self._talk.accept(answer)


def _state(ticket: Ticket) -> TicketState:
    found: TicketState = STATE_OF.get(ticket.state, ticket.state)  # type: ignore[arg-type]
    return found


def _meanings(statuses: Sequence[Status]) -> dict[int, TicketState]:
    """Return what statuses mean that nobody has named: over or not is all that Redmine says."""
    usual: dict[str, TicketState] = {name: state for state, names in USUAL.items() for name in names}
    return {one.id: "closed" if one.is_closed else usual.get(one.name.casefold(), "open") for one in statuses}


def _moves(issue: Issue, there: TicketState, wanted: TicketState, terms: Terms) -> bool:
    """Tell whether the status is to be set: not when what is there means the same, nor to take a closed one back."""
    if wanted == "open" and terms.state_of.get(issue.status.id) == "open":
        return False  # Somebody has it and has left the status alone.
    return there != wanted and not (there == "closed" and wanted == "resolved")


def _shown_state(issue: Issue, terms: Terms) -> TicketState:
    state = terms.state_of.get(issue.status.id, "open")
    return "acknowledged" if state == "open" and issue.assigned_to is not None else state


def _written(issue: Issue) -> str:
    return "\n".join(journal.notes or "" for journal in issue.journals)


def _change(issue: Issue, marker: str, terms: Terms) -> TicketChange:
    moved = [one.user.name for one in issue.journals if one.user and any(d.name == "status_id" for d in one.details)]
    said = [
        TicketComment(id=str(one.id), text=marks.comment_of(one.notes), by=one.user.name if one.user else "")
        for one in issue.journals
        if one.notes and not one.private_notes and not marks.is_ours(one.notes)
    ]
    return TicketChange(
        reference=str(issue.id),
        state=_shown_state(issue, terms),
        marker=marker,
        by=moved[-1] if moved else "",
        assignee=issue.assigned_to.name if issue.assigned_to else "",
        comments=tuple(said[-marks.COMMENTS_MAX :]),
    )


def _refused(answer: Answer) -> Undelivered:
    """Return what a refusal means; Redmine lists its reasons."""
    try:
        reasons = msgspec.json.decode(answer.body, type=Errors).errors
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return refusal(answer)
    failure = refusal(answer)
    return Undelivered(f"Redmine refuses: {one_line('; '.join(reasons))}", permanent=failure.permanent)


def build(options: RedmineOptions, policy: TargetPolicy) -> RedmineTickets:
    """Build it, without connecting to anything."""
    return RedmineTickets(options, policy)


KIND = TicketKind("redmine", RedmineOptions, build)
