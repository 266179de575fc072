"""Alerts as tickets: what Opsgenie and the operations of Jira Service Management have in common, which is nearly all.

Whatever changes something is answered 202 and done later, so each request is followed until what came of it is known.
The alias, which is the incident's number, leads to the open alert; one that is closed is found by its tags, and is left
alone: it cannot be opened again, and another one of the same alias would page people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from sentinel.channels.base import Undelivered
from sentinel.channels.http import Answer
from sentinel.config.fields import OneOrMany, Secret
from sentinel.probes.net import TargetPolicy
from sentinel.tickets.base import Ticket, TicketChange, TicketComment, TicketNews, TicketReference, TicketState
from sentinel.tickets.common import OVER, object_of, unsaid
from sentinel.tickets.marks import COMMENTS_MAX, body_of, comment_of, is_ours, title_of
from sentinel.tickets.options import TicketOptions
from sentinel.tickets.talk import Talk, caller_of, one_line, refused_by

MESSAGE_MAX_CHARS: Final = 130
DESCRIPTION_MAX_CHARS: Final = 15_000
CANDIDATES_MAX: Final = 20
PAGE: Final = 100
NOTE_PAGES_MAX: Final = 20
PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)  # Between questions what came of a request: 6 s in all.
TAG: Final = "sentinel"
CLOSED: Final = "closed"

Alert = dict[str, Any]


class AlertOptions(TicketOptions):
    """What both are told: a secret, and the teams that are responsible."""

    token: Secret
    teams: OneOrMany[str] = ()


class Dialect(Protocol):
    """In what the two differ."""

    product: str
    url: str  # of alerts
    team: str  # by what a team is named
    change: str  # the method that changes a field
    size: str  # how a page's length is called
    after: str  # how the place behind which a page begins is called

    def whole(self, found: dict[str, Any]) -> Any:
        """Return what an answer is about."""
        ...

    def listed(self, found: dict[str, Any]) -> Any:
        """Return the list of an answer."""
        ...

    def following(self, found: dict[str, Any], page: list[dict[str, Any]]) -> str:
        """Return the place behind which the page after this one begins; empty when it may be the last."""
        ...

    def by_alias(self, alias: str) -> str:
        """Return where the open alert of an alias is."""
        ...

    def owner(self, assignee: str) -> dict[str, Any]:
        """Return the body that gives an alert to somebody."""
        ...

    def link(self, alert: str) -> str:
        """Return where people see an alert."""
        ...


class AlertTickets:
    """Keeps an alert in line with each incident."""

    def __init__(
        self, options: AlertOptions, policy: TargetPolicy, dialect: Dialect, headers: Mapping[str, str]
    ) -> None:
        self.name = options.called
        self._dialect = dialect
        product, caller = dialect.product, caller_of(policy, options.timeout)
        self._talk = Talk(product, dialect.url, headers, caller, partial(refused_by, product))
        self._responders = [{"type": "team", dialect.team: team} for team in options.teams]

    async def put(self, ticket: Ticket) -> TicketReference:
        """Make the alert of this key be as given, opening it if there is none.

        Raises:
            Undelivered: not all of it was taken; what was is not sent again.
        """
        alert = await self._find(ticket)
        if alert is None:
            alert = await self._alert(await self._open(ticket))
        if alert is None:
            raise Undelivered(f"{self._dialect.product} made an alert and does not show it yet")
        name = str(alert["id"])
        if alert["status"] != CLOSED:
            await self._note(name, ticket)
            await self._align(name, alert, ticket)
            await self._move(name, alert, ticket)
            await self._assign(name, alert, ticket)
        return TicketReference(name, self._dialect.link(name))

    async def changes(self, known: Mapping[str, str]) -> list[TicketChange]:
        """Return the alerts that are not as known."""
        changed = []
        for name, marker in known.items():
            alert = await self._alert(name)
            if alert is not None and _marker(alert) != marker:
                changed.append(await self._change(name, alert))
        return changed

    async def check(self) -> None:
        """Sign in, and look for an alert.

        Raises:
            Undelivered: alerts could not be kept.
        """
        await self._tagged("sentinel-check")

    def heard(self, _headers: Mapping[str, str], body: bytes) -> TicketNews:
        """Return the alert that a webhook is about.

        Raises:
            ValueError: it is about none.
        """
        alert = object_of(body).get("alert")
        name = alert.get("alertId", alert.get("id")) if isinstance(alert, dict) else None
        if not isinstance(name, str) or not name:
            raise ValueError("there is no alert with an `alertId` in it")
        return TicketNews(look_at=(name,))

    async def close(self) -> None:
        """Let go of connections."""
        await self._talk.close()

    async def _find(self, ticket: Ticket) -> Alert | None:
        alert = await self._alert(ticket.reference)
        if alert is not None and alert.get("alias") == ticket.key:
            return alert
        alert = self._one(await self._talk.ask("GET", self._dialect.by_alias(ticket.key)))
        if alert is not None and alert.get("alias") == ticket.key:
            return alert
        ours = [one for one in await self._tagged(ticket.key) if one.get("alias") == ticket.key]
        return await self._alert(str(ours[0]["id"])) if ours else None

    async def _tagged(self, tag: str) -> list[Alert]:
        asked = {"query": f'tag:"{tag}"', "sort": "createdAt", "order": "desc", self._dialect.size: str(CANDIDATES_MAX)}
        return await self._list(f"?{urlencode(asked)}", {"id", "alias", "status"})

    async def _list(self, path: str, needed: set[str]) -> list[Alert]:
        return (await self._page(path, needed))[0]

    async def _page(self, path: str, needed: set[str]) -> tuple[list[Alert], str]:
        """Return a page of a list, and behind which place the next one begins."""
        answer = await self._talk.ask("GET", path)
        told = self._talk.read(answer, dict[str, Any])
        found = self._dialect.listed(told)
        if not isinstance(found, list) or not all(isinstance(one, dict) and needed <= one.keys() for one in found):
            raise self._talk.strange(answer, "no list")
        return found, self._dialect.following(told, found)

    async def _alert(self, name: str) -> Alert | None:
        return self._one(await self._talk.ask("GET", f"/{quote(name, safe='')}")) if name else None

    def _one(self, answer: Answer) -> Alert | None:
        if answer.status == 404:
            self._told(answer)
            return None
        found = self._dialect.whole(self._talk.read(answer, dict[str, Any]))
        if not isinstance(found, dict) or not {"id", "alias", "status"} <= found.keys():
            raise self._talk.strange(answer, "no alert")
        return found

    def _told(self, answer: Answer) -> dict[str, Any]:
        """Return what a 404 says; a page that says nothing of the kind comes from somebody else."""
        try:
            told = object_of(answer.body)
        except ValueError:
            raise self._talk.strange(answer) from None
        return told

    async def _open(self, ticket: Ticket) -> str:
        content = {
            "message": title_of(ticket, MESSAGE_MAX_CHARS),
            "alias": ticket.key,
            "description": body_of(ticket)[:DESCRIPTION_MAX_CHARS],
            "priority": ticket.priority,
            "tags": [TAG, ticket.key],
            "source": "Sentinel",
            "entity": ticket.service,
            **({"responders": list(self._responders)} if self._responders else {}),
        }
        return await self._do("POST", "", content)

    async def _do(self, method: str, path: str, content: dict[str, Any] | None = None) -> str:
        """Ask for something and wait until it is done; return the alert that it was done to.

        Raises:
            Undelivered: it was not done, or nobody knows yet.
        """
        answer = await self._talk.ask(method, path, content or {})
        told = self._talk.read(answer, dict[str, Any])
        request = told.get("requestId")
        if not isinstance(request, str) or not request:
            if path.endswith("/notes") and "note" in told:  # Jira Service Management writes these at once.
                return ""
            raise self._talk.strange(answer, "no requestId")
        for pause_s in PAUSES_S:
            answer = await self._talk.ask("GET", f"/requests/{quote(request, safe='')}")
            if answer.status != 404:
                return self._outcome(answer)
            self._told(answer)
            await asyncio.sleep(pause_s)
        raise Undelivered(f"{self._dialect.product} took a request and has not carried it out yet", outcome="timeout")

    def _outcome(self, answer: Answer) -> str:
        told = self._dialect.whole(self._talk.read(answer, dict[str, Any]))
        if not isinstance(told, dict) or "isSuccess" not in told:
            raise self._talk.strange(answer, "no outcome")
        if told["isSuccess"] is not True:
            raise Undelivered(f"{self._dialect.product} did not do it: {one_line(told.get('status'))}", permanent=True)
        return str(told.get("alertId") or "")

    async def _note(self, name: str, ticket: Ticket) -> None:
        there = "\n".join(str(one.get("note")) for one in await self._notes(name))
        for note in unsaid(ticket, there):
            await self._do("POST", f"/{name}/notes", {"note": note})

    async def _notes(self, name: str) -> list[dict[str, Any]]:
        """Return the notes, the oldest first: not every product heeds the order that is asked for."""
        entries: list[dict[str, Any]] = []
        asked = {"order": "asc", self._dialect.size: str(PAGE)}
        for _ in range(NOTE_PAGES_MAX):
            page, after = await self._page(f"/{quote(name, safe='')}/notes?{urlencode(asked)}", {"note"})
            entries += page
            if not page or not after or after == asked.get(self._dialect.after):
                break
            asked[self._dialect.after] = after
        return sorted(entries, key=lambda one: str(one.get("createdAt") or ""))

    async def _align(self, name: str, alert: Alert, ticket: Ticket) -> None:
        wanted = {"message": title_of(ticket, MESSAGE_MAX_CHARS), "priority": ticket.priority}
        for what, value in wanted.items():
            if alert.get(what) != value:
                await self._do(self._dialect.change, f"/{name}/{what}", {what: value})

    async def _move(self, name: str, alert: Alert, ticket: Ticket) -> None:
        taken = bool(alert.get("acknowledged"))
        if ticket.state in OVER:
            await self._do("POST", f"/{name}/close")
        elif ticket.state == "open" and taken:
            await self._do("POST", f"/{name}/unacknowledge")
        elif ticket.state != "open" and not taken:
            await self._do("POST", f"/{name}/acknowledge")

    async def _assign(self, name: str, alert: Alert, ticket: Ticket) -> None:
        """Give the alert to who works on it.

        Raises:
            Undelivered: they are not known; all else is in line by then.
        """
        if not ticket.assignee or ticket.state in OVER or alert.get("owner") == ticket.assignee:
            return
        try:
            await self._do("POST", f"/{name}/assign", self._dialect.owner(ticket.assignee))
        except Undelivered as failure:
            if not failure.permanent:
                raise
            why = f"{self._dialect.product} gives the alert to nobody called {ticket.assignee}: {failure.why}"
            raise Undelivered(why, permanent=True) from failure

    async def _change(self, name: str, alert: Alert) -> TicketChange:
        taken: TicketState = "acknowledged" if alert.get("acknowledged") else "open"
        report = alert.get("report")
        said = report if isinstance(report, dict) else {}
        over = alert["status"] == CLOSED
        comments = [
            TicketComment(
                id=str(one.get("id") or one.get("offset")),
                text=comment_of(str(one["note"])),
                by=str(one.get("owner") or ""),
            )
            for one in await self._notes(name)
            if not is_ours(str(one["note"]))
        ]
        return TicketChange(
            reference=name,
            state="resolved" if over else taken,
            marker=_marker(alert),
            by=str(said.get("closedBy" if over else "acknowledgedBy") or ""),
            assignee=str(alert.get("owner") or ""),
            comments=tuple(comments)[-COMMENTS_MAX:],
        )


def _marker(alert: Alert) -> str:
    return f"{alert.get('updatedAt')}/{alert['status']}/{alert.get('acknowledged')}/{alert.get('owner')}"
