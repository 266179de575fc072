"""The API of requests: a user asks for a change; it is planned, done or refused (rules CLS-1, SRC-7, SLA-10)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import requests
from sentinel.core.model import Phase, Signal, Verdict
from sentinel.core.state import Incident
from sentinel.rules import Facts, words
from sentinel.web import bodies, paging, peers, people, signals, tenancy
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import number_of, queued
from sentinel.web.problem import Problem
from sentinel.web.signals import Ticket
from sentinel.web.views import IncidentView, incident_view

# What a request must say (rule SRC-7); it has neither symptoms nor an impact, and is seen when it is made.
MANDATORY: Final = ("title", "category", "description")
UNFINISHED: Final = "unfinished"
# Which phases people mean by the states of a request; what is refused is closed too, and told apart afterwards.
PHASES: Final[dict[str, tuple[Phase, ...]]] = {
    "open": ("open", "acknowledged", "in_progress", "pending"),
    "planned": ("open", "acknowledged", "in_progress", "pending"),
    "done": ("resolved", "closed"),
    "refused": ("closed",),
    UNFINISHED: ("open", "acknowledged", "in_progress", "pending"),
}
LIST_DEFAULT: Final = 100
LIST_MAX: Final = 1000
READ_MAX: Final = 10_000  # Requests that are looked at for those in a state.
PAGE: Final = 500
FAULT: Final = "request:"  # How the fault of every request begins, by which the store finds them.


class Asking(Ticket, frozen=True):
    """What a user asks for. ``wanted`` is the day agreed for it, ``requester`` who asks, if it is not who logs it."""

    wanted: date | None = None
    requester: Name = ""


class Plan(Body, frozen=True):
    """Somebody sets the day on which it is to be done."""

    on: date
    text: Text = ""
    by: Name = ""


class Said(Body, frozen=True):
    """Somebody does it, or refuses it, and says how or why."""

    text: Text = ""
    by: Name = ""


class RequestView(IncidentView, frozen=True, kw_only=True):
    """A request in a list: what an incident shows, the day agreed, who asks, and why it was refused."""

    category: str
    agreed_on: date | None
    requester: str
    refused: str


def request_view(state: Incident) -> RequestView:
    """Show a request as lists do."""
    shown: dict[str, Any] = {name: getattr(incident_view(state), name) for name in IncidentView.__struct_fields__}
    return RequestView(
        **shown,
        category=state.category,
        agreed_on=state.agreed_on,
        requester=state.requester,
        refused=state.refused,
    )


async def log_request(request: web.Request) -> web.Response:
    """Take what a user asks for; the rules say with which priority."""
    state = await logged(request, await bodies.read(request, Asking))
    return bodies.opened(state.number, request_view(state))


async def logged(request: web.Request, body: Asking) -> Incident:
    """Log a request; return it with the number it got.

    Raises:
        Problem: 400 it does not say enough, or something impossible.
        Refused: it is of the lowest priority, and no date is agreed (rule CLS-9).
    """
    lacking = missing(body)
    if lacking:
        raise Problem(400, f"A request says more than this one; missing: {', '.join(lacking)}.")
    context = request.app[CONTEXT]
    by, now = people.acting(request, body.by), context.now()
    requester = people.named(request, bodies.line(body.requester)) or by
    body = replace(body, seen_at=body.seen_at or now, facts={**body.facts, "kind": "request"})
    assert body.seen_at is not None, "it was set above"
    if body.seen_at > now:
        raise Problem(400, "`seen_at` lies in the future.")
    facts = signals.facts_of(body, context, now)
    if body.wanted is not None:
        facts = replace(facts, wanted=body.wanted)
    if facts.wanted is not None and facts.on is not None and facts.wanted < facts.on:
        raise Problem(400, f"It is wanted on {facts.wanted}, which is past.")
    verdict = judged(context, facts)
    key = f"{FAULT}{bodies.line(body.dedup) or uuid.uuid4().hex}"
    signal = Signal(
        key=key,
        source="person",
        title=facts.title,
        at=now,
        since=body.seen_at,
        detail=bodies.lines("\n".join(filter(None, (body.description, body.actions)))),
        service=body.service,
        labels={**facts.labels, **({words.WANTED: facts.wanted.isoformat()} if facts.wanted else {})},
    )
    return await context.desk.report(signal, replace(verdict, dedup=key), requester=requester)


def missing(body: Asking) -> list[str]:
    """Name what a request must say and does not."""
    lacking = [name for name in MANDATORY if not getattr(body, name).strip()]
    return lacking if body.service.strip() or body.machine.strip() else [*lacking, "service or machine"]


def judged(context: Context, facts: Facts) -> Verdict:
    """Return what the rules make of a request.

    Raises:
        Refused: it is of the lowest priority, and no date is agreed (rule CLS-9).
        Problem: 409 nothing decides yet.
    """
    verdict = context.classify(facts)
    if verdict is None:
        raise Problem(409, "A rule decides about this only when it has lasted longer.")
    return verdict


async def list_requests(request: web.Request) -> web.Response:
    """List requests: unfinished ones in the order of work, others newest first."""
    bodies.known_parameters(request, "state", "service", "limit", "cursor")
    state = request.query.get("state", "")
    if state and state not in PHASES:
        raise Problem(400, f"Unknown state `{bodies.line(state)}`; known: {', '.join(PHASES)}.")
    limit = bodies.number(request, "limit", LIST_DEFAULT, LIST_MAX)
    services = tenancy.wanted(request, bodies.line(request.query.get("service", "")))
    if services is None:
        return bodies.json([])
    found = await asked_for(request.app[CONTEXT], state, services, limit + 1, paging.after(request))
    return bodies.json([request_view(one) for one in paging.cut(request, found, lambda one: one.number, limit)])


async def asked_for(
    context: Context, state: str, service: str | tuple[str, ...], limit: int, after: str = ""
) -> list[Incident]:
    """Return requests in a state that people see, in any without one; those that follow ``after`` where it is given.

    Raises:
        Problem: 400 ``after`` is not in the order of work any more.
    """
    if state == UNFINISHED:
        unfinished = (one for one in context.desk.open() if one.active and _fits(one, state, service))
        listed = queued(unfinished, strict=context.overload.now.on)
        start = next((number for number, one in enumerate(listed, 1) if one.number == after), 0)
        if after and not start:
            raise Problem(400, "`cursor` leads nowhere any more: begin without it.")
        return listed[start : start + limit]
    found: list[Incident] = []
    before = number_of(after) if after else ""
    for _ in range(READ_MAX // PAGE):
        page: list[Incident] = await context.read(
            context.store.incidents,
            limit=PAGE,
            before=before,
            phases=PHASES.get(state, ()),
            service=service,
            fault=FAULT,
        )
        found += [one for one in page if _fits(one, state, service)]
        if len(page) < PAGE or len(found) >= limit:
            break
        before = page[-1].number
    return found[:limit]


def _fits(one: Incident, state: str, service: str | tuple[str, ...]) -> bool:
    shown = requests.shown(one)
    return (
        one.kind == "request"
        and (not service or one.service in ((service,) if isinstance(service, str) else service))
        and (
            state in {"", UNFINISHED}
            or shown == state
            or (state == "open" and shown not in {"planned", "done", "refused"})
        )
    )


async def plan(request: web.Request) -> web.Response:
    """Set the day on which a request is to be done."""
    body = await bodies.read(request, Plan)
    not_past(body.on, request.app[CONTEXT])
    via = "cli" if peers.on_control_socket(request) else "api"
    command = requests.Schedule(by=people.acting(request, body.by), on=body.on, text=bodies.lines(body.text), via=via)
    return await _ordered(request, command)


async def done(request: web.Request) -> web.Response:
    """Say that a request was done, and how."""
    body = await bodies.read(request, Said)
    desk, now = request.app[CONTEXT].desk, request.app[CONTEXT].now()
    by, text = people.acting(request, body.by), bodies.lines(body.text)
    return await _ordered(request, c.Resolve(by=by, text=text, close_by=desk.close_by(now)))


async def refuse(request: web.Request) -> web.Response:
    """Refuse a request, with the reason."""
    body = await bodies.read(request, Said)
    return await _ordered(request, requests.Decline(by=people.acting(request, body.by), why=bodies.lines(body.text)))


ACTIONS: Final[dict[str, Callable[[web.Request], Awaitable[web.Response]]]] = {
    "plan": plan,
    "done": done,
    "refuse": refuse,
}


def not_past(on: date, context: Context) -> None:
    """Refuse a day that is over.

    Raises:
        Problem: 400 it is.
    """
    if on < today(context.now(), context):
        raise Problem(400, f"{on} is past.")


def today(now: datetime, context: Context) -> date:
    """Return the day it is at the site."""
    return now.astimezone(ZoneInfo(context.settings().timezone)).date()


async def _ordered(request: web.Request, command: c.Command) -> web.Response:
    """Give a command to the request of the path, and answer with where it stands then."""
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is not None and state.kind != "request":
        raise Problem(409, f"{number} is an incident, not a request.")
    return bodies.json(request_view(await context.desk.order(number, command)))
