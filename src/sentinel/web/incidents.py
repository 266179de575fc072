"""The API of incidents: list, show, raise, and what people do with them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, get_args

import msgspec
from aiohttp import web
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import CauseClass, Level, Phase, Priority, Severity, Signal, Verdict
from sentinel.core.state import Incident
from sentinel.rules import PRIORITY_OF, SEVERITY_OF, USUAL
from sentinel.web import bodies, handling, identity, paging, peers, people, pictures, tenancy
from sentinel.web.bodies import Body, Labels, Name, Text
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import number_of, ordered, queued
from sentinel.web.problem import Problem
from sentinel.web.views import IncidentPage, IncidentView, incident_page, incident_view

PHASES: tuple[Phase, ...] = get_args(Phase)
UNFINISHED = "unfinished"
QUEUE = "queue"
ORDERS = ("newest", QUEUE)
LIST_DEFAULT = 100
LIST_MAX = 1000
MESSAGES_MAX = 500
EXPECTED_MAX_S = 86_400.0


class Raise(Body, frozen=True):
    """A person reports an incident. ``dedup`` joins reports of the same thing; without it each opens its own.

    ``expected_s`` is the operator's estimate of how long it takes; it decides the path (rule LIF-2). ``by_phone`` says
    that somebody called, ``caller``, with name and number (rule SRC-6).
    """

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=bodies.TITLE_MAX_CHARS)]
    by: Name = ""
    detail: Text = ""
    service: Name = ""
    level: Level = 3
    severity: Severity | None = None
    priority: Priority | None = None
    labels: Labels = {}
    dedup: Name = ""
    expected_s: Annotated[float, msgspec.Meta(gt=0, le=EXPECTED_MAX_S)] | None = None
    by_phone: bool = False
    caller: Name = ""


class Who(Body, frozen=True):
    """Somebody does something that needs no words."""

    by: Name = ""


class Said(Body, frozen=True):
    """Somebody does something, and says why or what."""

    by: Name = ""
    text: Text = ""


class Resolution(Said, frozen=True):
    """Somebody says that service is back: whether by a workaround only, why it failed, what the runbook must say."""

    workaround_only: bool = False
    cause_class: CauseClass | None = None
    instructions: Text = ""


class Into(Body, frozen=True):
    """Somebody merges an incident into another."""

    into: Name
    by: Name = ""


class Holding(Body, frozen=True):
    """Somebody keeps an incident open, or lets go of it."""

    by: Name = ""
    on: bool = True


async def list_incidents(request: web.Request) -> web.Response:
    """List incidents, newest first, or in the order of work."""
    context = request.app[CONTEXT]
    bodies.known_parameters(request, "state", "service", "limit", "before", "order")
    if request.query.get("order", ORDERS[0]) not in ORDERS:
        raise Problem(400, f"`order` must be one of {', '.join(ORDERS)}.")
    if request.query.get("order") == QUEUE:
        return bodies.json([incident_view(state) for state in _queue(request)])
    before = request.query.get("before", "")
    limit, phases = bodies.number(request, "limit", LIST_DEFAULT, LIST_MAX), _phases(request.query.getall("state", []))
    before = number_of(before) if before else ""
    services = tenancy.wanted(request, bodies.line(request.query.get("service", "")))
    if services is None:
        return bodies.json([])
    found: list[Incident] = await context.read(
        context.store.incidents, limit=limit + 1, before=before, phases=phases, service=services
    )
    if len(found) > limit:
        paging.link(request, before=found[limit - 1].number)
    return bodies.json([incident_view(state) for state in found[:limit]])


def _queue(request: web.Request) -> list[Incident]:
    """Return the unfinished incidents in the order of work (rule LIF-1); they are all in memory."""
    phases = _phases(request.query.getall("state", []))
    service = bodies.line(request.query.get("service", ""))
    if request.query.get("before"):
        raise Problem(400, "`before` goes with `order=newest` only.")
    found = (
        state
        for state in request.app[CONTEXT].desk.open()
        if (not phases or state.phase in phases)
        and service in {"", state.service}
        and tenancy.sees(request, (state.service,))
    )
    return queued(found, strict=request.app[CONTEXT].overload.now.on)[
        : bodies.number(request, "limit", LIST_DEFAULT, LIST_MAX)
    ]


async def show_incident(request: web.Request) -> web.Response:
    """Show one incident with its timeline, messages and ticket; to its customer as lists do."""
    shown: IncidentView = await find(request.app[CONTEXT], number_of(request.match_info["number"]))
    if identity.services(request) is not None:
        shown = IncidentView(**{name: getattr(shown, name) for name in IncidentView.__struct_fields__})
    return bodies.json(shown)


async def find(context: Context, number: str) -> IncidentPage:
    """Read all that is known of an incident.

    Raises:
        Problem: 404 there is none of that number.
    """
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    shown = incident_page(
        state,
        await context.read(context.store.timeline, number),
        await context.read(context.store.messages, limit=MESSAGES_MAX, incident=number),
        await context.read(context.store.ticket, number),
    )
    return replace(shown, pictures=await pictures.of(context, state))


async def raise_incident(request: web.Request) -> web.Response:
    """Open an incident that a person saw."""
    state = await opened(request, await bodies.read(request, Raise))
    return bodies.opened(state.number, incident_view(state))


async def opened(request: web.Request, body: Raise) -> Incident:
    """Open the incident that somebody describes, and return it.

    Raises:
        Problem: 400 it makes no sense.
        StoreUnavailable: it is not on disk.
    """
    title = bodies.line(body.title)
    if not title:
        raise Problem(400, "An incident needs a title.")
    context = request.app[CONTEXT]
    services = context.settings().services
    if body.service and body.service not in services:
        known = ", ".join(services) or "none"
        raise Problem(400, f"There is no service `{bodies.line(body.service)}`; known: {known}.")
    by = people.acting(request, body.by)
    caller = bodies.line(body.caller, bodies.NAME_MAX_CHARS)
    if body.by_phone != bool(caller):
        raise Problem(400, "A call has a `caller`: the name and the number of who called, with `by_phone`.")
    now = context.now()
    key = f"person:{bodies.line(body.dedup) or uuid.uuid4().hex}"
    priority = body.priority or (PRIORITY_OF[body.severity] if body.severity else USUAL[body.level])
    signal = Signal(
        key=key,
        source="phone" if body.by_phone else "person",
        title=title,
        at=now,
        since=now,
        detail=bodies.lines("\n\n".join(filter(None, (body.detail, caller)))),
        service=body.service,
        labels={bodies.line(name): bodies.line(value) for name, value in body.labels.items()}
        | ({"reporter": caller} if caller else {}),
    )
    verdict = Verdict(
        rule="call logged by a person" if body.by_phone else "raised by a person",
        level=body.level,
        severity=body.severity or SEVERITY_OF[priority],
        priority=priority,
        title=title,
        dedup=key,
    )
    plan = context.desk.policy.plan_for(signal.service, verdict)
    if body.expected_s is not None:
        plan = replace(plan, expected=timedelta(seconds=body.expected_s))
    return await context.desk.report(signal, verdict, requester=by, plan=plan)


async def acknowledge(request: web.Request) -> web.Response:
    """Take an incident."""
    body = await bodies.read(request, Who)
    via = "cli" if peers.on_control_socket(request) else "api"
    return await ordered(request, c.Acknowledge(by=people.acting(request, body.by), via=via))


async def note(request: web.Request) -> web.Response:
    """Add a note."""
    body = await bodies.read(request, Said)
    return await ordered(request, c.Note(by=people.acting(request, body.by), text=bodies.lines(body.text)))


async def resolve(request: web.Request) -> web.Response:
    """Say that service is back."""
    body = await bodies.read(request, Resolution)
    context = request.app[CONTEXT]
    command = c.Resolve(
        by=people.acting(request, body.by),
        text=bodies.lines(body.text),
        close_by=context.desk.close_by(context.now()),
        workaround_only=body.workaround_only,
        instructions=bodies.lines(body.instructions),
        cause_class=body.cause_class,
    )
    return await ordered(request, command)


async def reopen(request: web.Request) -> web.Response:
    """Say that it was not over."""
    body = await bodies.read(request, Said)
    return await ordered(request, c.Reopen(by=people.acting(request, body.by), why=bodies.lines(body.text)))


async def close(request: web.Request) -> web.Response:
    """Confirm that it is over."""
    body = await bodies.read(request, Said)
    return await ordered(request, c.Close(by=people.acting(request, body.by), why=bodies.lines(body.text)))


async def hold(request: web.Request) -> web.Response:
    """Keep an incident open even when its probes recover."""
    body = await bodies.read(request, Holding)
    context = request.app[CONTEXT]
    close_by = None if body.on else context.desk.close_by(context.now())
    return await ordered(request, c.Hold(by=people.acting(request, body.by), on=body.on, close_by=close_by))


async def merge(request: web.Request) -> web.Response:
    """Make an incident a part of another; answers with the other."""
    body = await bodies.read(request, Into)
    number, into = number_of(request.match_info["number"]), number_of(body.into)
    state = await request.app[CONTEXT].desk.merge(number, into, people.acting(request, body.by))
    return bodies.json(incident_view(state))


ACTIONS: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
    "acknowledge": acknowledge,
    "note": note,
    "resolve": resolve,
    "reopen": reopen,
    "close": close,
    "hold": hold,
    "merge": merge,
    **handling.ACTIONS,
}


def _phases(asked: list[str]) -> tuple[Phase, ...]:
    names = [name for entry in asked for name in entry.split(",") if name]
    if UNFINISHED in names:
        names = [name for name in names if name != UNFINISHED] + [p for p in PHASES if p not in {"closed", "merged"}]
    wrong = [name for name in names if name not in PHASES]
    if wrong:
        raise Problem(400, f"Unknown state `{bodies.line(wrong[0])}`; known: {', '.join((*PHASES, UNFINISHED))}.")
    return tuple(phase for phase in PHASES if phase in names)
