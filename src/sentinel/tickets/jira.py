"""Tickets in Jira, Cloud (REST v3) or Server and Data Center (v2): found again by a label, which holds their key.

Statuses, and the steps between them, are every project's own. An issue is therefore moved by asking which steps there
are and taking one whose end has the category that is wanted, over one in between if there is no direct one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer
from sentinel.config.fields import Secret
from sentinel.core.model import Priority
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import State, basic, object_of, refused, unsaid
from sentinel.tickets.jira_text import document, readable, wiki
from sentinel.tickets.marks import COMMENT_MAX_CHARS, body_of, is_ours, title_of
from sentinel.tickets.opening import Openings, certain
from sentinel.tickets.options import TicketKind, TicketOptions
from sentinel.tickets.talk import Talk, caller_of, credentials_of, one_line

PAGE: Final = 100
COMMENT_PAGES_MAX: Final = 20
LATEST: Final = 20
HOPS_MAX: Final = 3
SUMMARY_MAX_CHARS: Final = 255
LABEL: Final = "sentinel"
FIELDS: Final = ("summary", "status", "priority", "labels", "assignee", "resolution", "updated")
STRANGER: Final = "x-seraph-loginreason"
STRANGERS: Final = ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")
PRIORITIES: Final[dict[Priority, str]] = {"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low"}
NEW, UNDER_WAY, DONE = "new", "indeterminate", "done"
CATEGORIES: Final[dict[str, str]] = {
    "open": NEW,
    "acknowledged": UNDER_WAY,
    "in_progress": UNDER_WAY,
    "pending": UNDER_WAY,
    "resolved": DONE,
    "closed": DONE,
    "merged": DONE,
}
_KEY: Final = re.compile(r"[A-Za-z0-9_]{1,80}(?:-[0-9]{1,10})?")


class JiraOptions(TicketOptions):
    """Where issues go, and in whose name.

    ``user`` is the address whose API token ``token`` is; without it ``token`` is a personal access token. ``statuses``
    names the project's status for states of ours, ``resolution`` how issues end; ``priorities`` may be empty.
    """

    backend: Literal["jira"]
    token: Secret
    user: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^:\s]+$")] | None = None
    cloud: bool = True
    project: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,79}$")]
    issue_type: Annotated[str, Field(min_length=1, max_length=60)] = "Task"
    priorities: dict[Priority, Annotated[str, Field(min_length=1, max_length=60)]] = dict(PRIORITIES)
    statuses: dict[State, Annotated[str, Field(min_length=1, max_length=60)]] = {}
    resolution: Annotated[str, Field(max_length=60)] = ""


class JiraTickets:
    """Keeps an issue in line with each incident."""

    def __init__(self, options: JiraOptions, policy: TargetPolicy) -> None:
        self.name = options.called
        self._url = options.url.rstrip("/")
        self._place = options
        api, caller = f"{self._url}/rest/api/{3 if options.cloud else 2}", caller_of(policy, options.timeout)
        self._talk = Talk(
            "Jira", api, basic(options.user, options.token.reveal()), caller, partial(refused, "Jira", _said)
        )
        self._statuses: dict[str, str] = {str(state): name for state, name in options.statuses.items()}
        self._openings = Openings()

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the issue of this key be as given, opening it if there is none.

        Raises:
            Undelivered: Jira did not take all of it; what it took is not sent again.
        """
        opening = partial(self._open, ticket)
        issue: dict[str, Any] = await self._find(ticket) or await self._openings.shown(
            ticket.key, opening, self._issue, "Jira"
        )
        key = str(issue["key"])
        await self._align(key, issue["fields"], ticket)
        await self._note(key, ticket)
        await self._move(key, issue["fields"], ticket)
        await self._assign(key, issue["fields"], ticket)
        return TicketReference(key, f"{self._url}/browse/{key}")

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the issues that are not as known."""
        keys = [key for key in known if _KEY.fullmatch(key)]
        changed = []
        for first in range(0, len(keys), PAGE):
            found = await self._several(keys[first : first + PAGE])
            moved = [one for one in found if str(one["fields"].get("updated")) != known.get(one["key"])]
            changed += [await self._change(one["key"], one["fields"]) for one in moved]
        return changed

    async def check(self) -> None:
        """Sign in, and find the project and the type of its issues.

        Raises:
            Undelivered: tickets could not be kept.
        """
        await self._get("/myself", "displayName")
        project = await self._get(f"/project/{self._place.project}", "key")
        kinds = [str(_dict(kind).get("name")) for kind in project.get("issueTypes") or ()]
        if kinds and self._place.issue_type not in kinds:
            told = f"the project {self._place.project} has no issues of the type {self._place.issue_type}"
            raise Undelivered(f"{told}, but {one_line(', '.join(kinds))}", permanent=True)

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the issue that a webhook of Jira is about.

        Raises:
            ValueError: it is about none.
        """
        key = _dict(object_of(body).get("issue")).get("key")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ValueError("there is no issue with a `key` in it")
        return TicketNews(look_at=(key,))

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    async def _find(self, ticket: Ticket) -> dict[str, Any] | None:
        label = _label(ticket)
        opened = ticket.reference or self._openings.reference(ticket.key)
        if _KEY.fullmatch(opened):
            issue = await self._issue(opened)
            if issue is not None and label in (issue["fields"].get("labels") or ()):
                return issue
        found = await self._search(f'project = "{self._place.project}" AND labels = "{label}" ORDER BY created ASC')
        issue = next((one for one in found if label in (one["fields"].get("labels") or ())), None)
        if issue is not None:
            self._openings.keep(ticket.key, str(issue["key"]))
        return issue

    async def _search(self, jql: str) -> list[dict[str, Any]]:
        path = "/search/jql" if self._place.cloud else "/search"
        beside = {} if self._place.cloud else {"validateQuery": False}
        found = await self._send("POST", path, {"jql": jql, "fields": FIELDS, "maxResults": PAGE, **beside})
        return self._issues(found)

    async def _several(self, keys: list[str]) -> list[dict[str, Any]]:
        if self._place.cloud:
            return self._issues(
                await self._send("POST", "/issue/bulkfetch", {"issueIdsOrKeys": keys, "fields": FIELDS})
            )
        return await self._search(f"key in ({', '.join(keys)})")

    async def _issue(self, key: str) -> dict[str, Any] | None:
        answer = await self._ask("GET", f"/issue/{key}?fields={','.join(FIELDS)}")
        if answer.status == 404:
            return None
        return self._issues((answer, {"issues": [self._talk.read(answer, dict[str, Any])]}))[0]

    def _issues(self, told: tuple[Answer, dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the issues of an answer.

        Raises:
            Undelivered: there is no list of such.
        """
        answer, found = told
        issues = found.get("issues")
        if not isinstance(issues, list) or not all(_is_issue(issue) for issue in issues):
            raise self._talk.strange(answer, "no list of issues")
        return issues

    async def _open(self, ticket: Ticket) -> str:
        place = self._place
        fields = {
            **self._wanted(ticket),
            "project": {"key": place.project},
            "issuetype": {"name": place.issue_type},
            "labels": [LABEL, _label(ticket)],
            "description": self._text(body_of(ticket)),
        }
        answer = certain(await self._ask("POST", "/issue", {"fields": fields}))
        key = self._talk.read(answer, dict[str, Any]).get("key")
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise self._talk.strange(answer, "no key")
        return key

    def _wanted(self, ticket: Ticket) -> dict[str, Any]:
        wanted: dict[str, Any] = {"summary": title_of(ticket, SUMMARY_MAX_CHARS)}
        if priority := self._place.priorities.get(ticket.priority):
            wanted["priority"] = {"name": priority}
        return wanted

    def _text(self, text: str) -> Any:
        return document(text) if self._place.cloud else wiki(text)

    async def _align(self, key: str, found: dict[str, Any], ticket: Ticket) -> None:
        wanted = self._wanted(ticket)
        differs = found.get("summary") != wanted["summary"] or (
            "priority" in wanted and _name(found.get("priority")) != wanted["priority"]["name"]
        )
        if differs:
            self._talk.accept(await self._ask("PUT", f"/issue/{key}", {"fields": wanted}))

    async def _note(self, key: str, ticket: Ticket) -> None:
        there = "\n".join(readable(one.get("body")) for one in await self._comments(key))
        for note in unsaid(ticket, there):
            self._talk.accept(await self._ask("POST", f"/issue/{key}/comment", {"body": self._text(note)}))

    async def _comments(self, key: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = []
        for _ in range(COMMENT_PAGES_MAX):
            asked = f"startAt={len(entries)}&maxResults={PAGE}&orderBy=created"
            page = await self._get(f"/issue/{key}/comment?{asked}", "comments")
            entries += [one for one in page.get("comments") or () if isinstance(one, dict)]
            if len(entries) >= int(page.get("total") or 0) or not page.get("comments"):
                break
        return entries

    async def _move(self, key: str, found: dict[str, Any], ticket: Ticket) -> None:
        """Take the steps that lead where the issue should be; none if it is there."""
        status = _dict(found.get("status"))
        for _ in range(HOPS_MAX):
            if self._is_there(status, ticket.state):
                return
            steps = (await self._get(f"/issue/{key}/transitions?expand=transitions.fields", "transitions"))[
                "transitions"
            ]
            step = self._step([_dict(one) for one in steps], status, ticket.state)
            if step is None:
                break
            body = {"transition": {"id": step["id"]}, **self._screen(step)}
            self._talk.accept(await self._ask("POST", f"/issue/{key}/transitions", body))
            status = _dict(step.get("to"))
        # Many a workflow has no way back to its first column: what is under way again is open as well.
        open_again = (CATEGORIES[ticket.state], _category(status)) == (NEW, UNDER_WAY)
        if not self._is_there(status, ticket.state) and not open_again:
            why = f"no step of its workflow leads {key} from {_name(status)} to {ticket.state}"
            raise Undelivered(why, permanent=True)

    def _is_there(self, status: dict[str, Any], state: str) -> bool:
        named = self._statuses.get(state)
        return _name(status) == named if named else _category(status) == CATEGORIES[state]

    def _step(self, steps: list[dict[str, Any]], status: dict[str, Any], state: str) -> dict[str, Any] | None:
        """Return the step to take: to where the issue should be, else to what lies between."""
        there = [step for step in steps if self._is_there(_dict(step.get("to")), state)]
        if there or (_category(status), CATEGORIES[state]) == (UNDER_WAY, NEW):
            return next(iter(there), None)
        return next((step for step in steps if _category(step.get("to")) == UNDER_WAY), None)

    def _screen(self, step: dict[str, Any]) -> dict[str, Any]:
        """Return what the screen of a step wants to know: with which resolution an issue ends."""
        asked = _dict(_dict(step.get("fields")).get("resolution"))
        if not asked:
            return {}
        allowed = [_name(one) for one in asked.get("allowedValues") or ()]
        name = self._place.resolution or (allowed[0] if allowed and asked.get("required") else "")
        return {"fields": {"resolution": {"name": name}}} if name else {}

    async def _assign(self, key: str, found: dict[str, Any], ticket: Ticket) -> None:
        """Give the issue to who works on it.

        Raises:
            Undelivered: Jira does not know them; all else is in line by then.
        """
        if not ticket.assignee or ticket.assignee in _names(found.get("assignee")):
            return
        who = await self._account(ticket.assignee) if self._place.cloud else ticket.assignee
        answer = await self._ask("PUT", f"/issue/{key}/assignee", {"accountId" if self._place.cloud else "name": who})
        if answer.status in {400, 404}:
            raise Undelivered(f"Jira knows nobody to give {key} to as {ticket.assignee}", permanent=True)
        self._talk.accept(answer)

    async def _account(self, assignee: str) -> str:
        """Return the account of an address; an account is returned as it is."""
        if "@" not in assignee:
            return assignee
        query = {"project": self._place.project, "query": assignee}
        found = await self._talk.get("/user/assignable/search", list[dict[str, Any]], query)
        return str(found[0]["accountId"]) if len(found) == 1 else assignee

    async def _change(self, key: str, fields: dict[str, Any]) -> TicketChange:
        history = await self._get(f"/issue/{key}?fields=updated&expand=changelog")
        latest = await self._get(f"/issue/{key}/comment?startAt=0&maxResults={LATEST}&orderBy=-created")
        comments = [one for one in latest.get("comments") or () if isinstance(one, dict)]
        if not self._place.cloud:
            comments = await self._comments(key)  # Before the Cloud the oldest come first whatever is asked.
        people = sorted((_comment(one) for one in comments[-LATEST:]), key=lambda one: int(one.id))
        assignee = _names(fields.get("assignee"))
        return TicketChange(
            reference=key,
            state=self._state(_dict(fields.get("status"))),
            marker=str(fields.get("updated")),
            by=_mover(history),
            assignee=next(iter(assignee), ""),
            text=_name(fields.get("resolution")),
            comments=tuple(one for one in people if one.text and not is_ours(one.text)),
        )

    def _state(self, status: dict[str, Any]) -> TicketState:
        for state in ("pending", "closed"):
            if self._statuses.get(state) == _name(status):
                return "pending" if state == "pending" else "closed"
        states: dict[str, TicketState] = {DONE: "resolved", UNDER_WAY: "acknowledged"}
        return states.get(_category(status), "open")

    async def _get(self, path: str, needed: str = "") -> dict[str, Any]:
        answer = await self._ask("GET", path)
        found = self._talk.read(answer, dict[str, Any])
        if needed and needed not in found:
            raise self._talk.strange(answer, f"no {needed}")
        return found

    async def _send(self, method: str, path: str, body: object) -> tuple[Answer, dict[str, Any]]:
        answer = await self._ask(method, path, body)
        return answer, self._talk.read(answer, dict[str, Any])

    async def _ask(self, method: str, path: str, body: object = None) -> Answer:
        """Ask, and do not take for an answer what a visitor without a name is told: 200, and that nothing is there."""
        answer = await self._talk.ask(method, path, body)
        if any(told in answer.headers.get(STRANGER, "") for told in STRANGERS):
            raise credentials_of(answer, "Jira")
        return answer


def _said(told: dict[str, Any]) -> str:
    """Return the sentences that Jira gives: for all of it, and for fields."""
    said = [str(one) for one in told.get("errorMessages") or ()]
    return "; ".join([*said, *(f"{name}: {why}" for name, why in _dict(told.get("errors")).items())])


def _label(ticket: Ticket) -> str:
    return f"{LABEL}-{ticket.key}"


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: Any) -> str:
    return str(_dict(value).get("name") or "")


def _category(status: Any) -> str:
    return str(_dict(_dict(status).get("statusCategory")).get("key") or "")


def _names(person: Any) -> tuple[str, ...]:
    """Return by what a person is known, the most telling first; in the Cloud addresses are often hidden."""
    found = (_dict(person).get(name) for name in ("emailAddress", "name", "accountId", "displayName"))
    return tuple(str(one) for one in found if one)


def _is_issue(issue: Any) -> bool:
    return isinstance(issue, dict) and isinstance(issue.get("fields"), dict) and isinstance(issue.get("key"), str)


def _comment(one: dict[str, Any]) -> TicketComment:
    by = next(iter(_names(one.get("author"))), "")
    number = str(one.get("id"))
    return TicketComment(
        id=number if number.isdecimal() else "0", text=readable(one.get("body"))[:COMMENT_MAX_CHARS], by=by
    )


def _mover(issue: dict[str, Any]) -> str:
    """Return who moved an issue last, as its history says."""
    entries = [_dict(one) for one in _dict(issue.get("changelog")).get("histories") or ()]
    moves = [one for one in entries if any(_dict(item).get("field") == "status" for item in one.get("items") or ())]
    last = max(moves, key=lambda one: str(one.get("created")), default={})
    return next(iter(_names(last.get("author"))), "")


def _build(options: Any, policy: TargetPolicy) -> JiraTickets:
    return JiraTickets(options, policy)


KIND = TicketKind("jira", JiraOptions, _build)
