"""What customers see: the same places as everybody, on pages of their own.

They have their own templates and their own reads, narrowed to the services of the customer before anything is shown:
what is for us alone (notes, the timeline, who was told, names of people, other customers) is never handed to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, NamedTuple, get_args
from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core import clocks
from sentinel.core.calendar import shown_at
from sentinel.core.change import Change
from sentinel.core.model import Phase
from sentinel.core.public import MESSAGES_MAX, message_of
from sentinel.core.state import Incident
from sentinel.engine.live import State
from sentinel.store.base import Recorded
from sentinel.web import bodies, identity, tenancy
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Handler
from sentinel.web.ordering import NUMBER, number_of, queued
from sentinel.web.overview import overview
from sentinel.web.problem import Problem
from sentinel.web.rendering import render
from sentinel.web.requests import UNFINISHED, asked_for

SHOWN_MAX: Final = 50
SERVICES_MAX: Final = 100
CHANGES_MAX: Final = 20
MONTHS_SHOWN: Final = 13
OPEN: Final[tuple[Phase, ...]] = ("open", "acknowledged", "in_progress", "pending")
OVER: Final[tuple[Phase, ...]] = tuple(phase for phase in get_args(Phase) if phase not in OPEN)


class Stand(NamedTuple):
    """A service of theirs: how its targets stand, and the numbers of the incidents that are open about it."""

    id: str
    state: State
    incidents: tuple[str, ...]


async def home(request: web.Request) -> web.StreamResponse:
    """Show how their services stand, what is open about them, and the changes to come."""
    active = _open(request)
    seen = overview(request)
    services = [
        Stand(name, seen.worst(name), tuple(one.number for one in active if one.service == name))
        for name in _theirs(request)[:SERVICES_MAX]
    ]
    return render(
        request,
        "customer_home.html",
        services=services,
        active=active[:SHOWN_MAX],
        changes=_changes(request),
    )


async def incidents(request: web.Request) -> web.StreamResponse:
    """List their incidents: those that are open in the order of work, those that are over newest first."""
    sought = bodies.line(request.query.get("q", ""), bodies.NAME_MAX_CHARS)
    if NUMBER.fullmatch(sought):
        raise web.HTTPSeeOther(f"/incidents/{number_of(sought)}")
    over = request.query.get("state", "open") == "over"
    found, more = _open(request)[:SHOWN_MAX], ""
    if over:
        before = request.query.get("before", "")
        found, more = await _over(request, number_of(before) if before else "")
    shown = [one for one in found if sought.casefold() in one.title.casefold()]
    return render(request, "customer_incidents.html", found=shown, more=more, sought=sought, over=over)


async def incident(request: web.Request) -> web.StreamResponse:
    """Show one incident of theirs; the guard has looked whether it is (`rights.py`)."""
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None or not tenancy.sees(request, (state.service,)):
        raise Problem(404, f"There is no incident {number}.")
    timeline: list[Recorded] = await context.read(context.store.timeline, number)
    written = [found for recorded in timeline if (found := message_of(recorded.event)) is not None]
    return render(request, "customer_incident.html", one=state, messages=written[: -MESSAGES_MAX - 1 : -1])


async def requests(request: web.Request) -> web.StreamResponse:
    """Show what they asked for, and what of it was done or refused lately."""
    context, theirs = request.app[CONTEXT], _theirs(request)
    to_do, over = [], []
    if theirs:  # Without a service the store would be asked for those of everybody.
        to_do = await asked_for(context, UNFINISHED, theirs, SHOWN_MAX)
        over = [one for state in ("done", "refused") for one in await asked_for(context, state, theirs, SHOWN_MAX)]
    over.sort(key=lambda one: one.opened_at, reverse=True)
    return render(request, "customer_requests.html", open=to_do, over=over[:SHOWN_MAX], nearest=clocks.nearest)


async def reports(request: web.Request) -> web.StreamResponse:
    """Show a form: which of their services, which month."""
    context = request.app[CONTEXT]
    first = shown_at(context.now(), ZoneInfo(context.settings().timezone)).date().replace(day=1)
    months = []
    for _ in range(MONTHS_SHOWN):
        months.append(f"{first:%Y-%m}")
        first = (first - timedelta(days=1)).replace(day=1)
    return render(request, "customer_reports.html", months=months, services=_theirs(request))


PAGES: Final[dict[str, Handler]] = {
    "GET /": home,
    "GET /incidents": incidents,
    "GET /incidents/{number}": incident,
    "GET /requests": requests,
    "GET /reports": reports,
}


def shared(name: str, handler: Handler) -> Handler:
    """Return what serves a route: to customers their own page where they have one."""
    theirs = PAGES.get(name)
    if theirs is None:
        return handler

    async def show(request: web.Request) -> web.StreamResponse:
        return await (handler if identity.services(request) is None else theirs)(request)

    return show


def _theirs(request: web.Request) -> tuple[str, ...]:
    return identity.services(request) or ()


def _open(request: web.Request) -> list[Incident]:
    context: Context = request.app[CONTEXT]
    theirs = set(_theirs(request))
    found = (one for one in context.desk.open() if one.kind == "incident" and one.active and one.service in theirs)
    return queued(found)


async def _over(request: web.Request, before: str) -> tuple[list[Incident], str]:
    """Return incidents that are over, and before which to ask for more."""
    context, theirs = request.app[CONTEXT], _theirs(request)
    if not theirs:
        return [], ""
    found: Sequence[Incident] = await context.read(
        context.store.incidents, limit=SHOWN_MAX + 1, before=before, phases=OVER, service=theirs
    )
    more = found[SHOWN_MAX - 1].number if len(found) > SHOWN_MAX else ""
    return [one for one in found[:SHOWN_MAX] if one.kind == "incident"], more


def _changes(request: web.Request) -> list[Change]:
    changes = request.app[CONTEXT].changes
    if changes is None:
        return []
    found = (one for one in changes.open() if one.services and tenancy.sees(request, one.services))
    return sorted(found, key=lambda one: one.begins_at)[:CHANGES_MAX]
