"""The first page: what is broken, who has it, until when, and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core import oncall
from sentinel.core.deadlines import ClockState
from sentinel.core.oncall import Off, Shift
from sentinel.core.state import Incident
from sentinel.engine.live import Row, State
from sentinel.web import coming
from sentinel.web.coming import Coming
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import queued
from sentinel.web.overview import Overview, overview
from sentinel.web.rendering import render

INCIDENTS_MAX: Final = 50
LATELY_MAX: Final = 10
TROUBLED_MAX: Final = 20
COMING_MAX: Final = 12
SERVICES_MAX: Final = 60


class OnCall(NamedTuple):
    """Who is on call by a rota, until when; nobody is an empty name."""

    rota: str
    name: str
    person: str
    until: datetime


class Service(NamedTuple):
    """A service: how its targets stand, and the incidents that are open about it."""

    id: str
    state: State
    targets: int
    ok: int
    incidents: tuple[Incident, ...]


class Now(NamedTuple):
    """What is shown, cut to what a person can take in; ``more_active`` is how many are not (0 or less: none)."""

    active: list[Incident]
    more_active: int
    nexts: dict[str, Coming | None]
    lately: list[Incident]
    counts: list[tuple[str, int]]
    untaken: int
    requests: int
    seen: Overview
    troubled: list[Row]
    services: list[Service]
    on_call: list[OnCall]
    nearest: list[Coming]


async def show(request: web.Request) -> web.Response:
    """Show what is open, who is on call, how services stand and what falls due next."""
    return render(
        request,
        "now.html",
        clocks_of=running,
        seen_of=_seen,
        refreshing=bool(request.query.get("refresh")),
        **look_around(request)._asdict(),
    )


def look_around(request: web.Request) -> Now:
    """Gather what the first page shows; it is all in memory."""
    context = request.app[CONTEXT]
    now = context.now()
    every = queued(context.desk.open(), strict=context.overload.now.on)
    incidents = [state for state in every if state.kind == "incident"]
    active = [state for state in incidents if state.active]
    seen = overview(request)
    return Now(
        active=active[:INCIDENTS_MAX],
        more_active=len(active) - INCIDENTS_MAX,
        nexts={state.number: following(state, context) for state in active[:INCIDENTS_MAX]},
        lately=[state for state in incidents if state.phase == "resolved"][:LATELY_MAX],
        counts=_counts(active),
        untaken=sum(not state.acknowledged_by for state in active),
        requests=sum(state.kind == "request" and state.active for state in every),
        seen=seen,
        troubled=seen.troubled[:TROUBLED_MAX],
        services=_services(request, active)[:SERVICES_MAX],
        on_call=_on_call(context, now),
        nearest=_coming(context, active, now),
    )


def running(state: Incident) -> list[ClockState]:
    """Return the clocks to show: those that run or stand still, the nearest first."""
    left = [clock for clock in state.clocks.values() if clock.ended_at is None]
    return sorted(left, key=lambda clock: clock.deadline.due_at)


def _seen(state: Incident) -> str:
    """Return what was seen, in the words of the newest signal that still holds and has any."""
    return next((one.detail for one in reversed(state.failing()) if one.detail and one.detail != state.title), "")


def following(state: Incident, context: Context) -> Coming | None:
    """Return what happens next by itself: what falls due is shown as a clock."""
    return next((one for one in coming.of_incident(state, context.desk.policy.directory) if one.what != "target"), None)


def _coming(context: Context, active: Iterable[Incident], now: datetime) -> list[Coming]:
    found = coming.of_all(active, context.desk.policy.directory, COMING_MAX)
    if context.changes is not None:
        found += coming.of_changes(context.changes.open(), now)
    found += coming.of_rotas(context.rotas.current.values(), now)
    return sorted(found)[:COMING_MAX]


def _on_call(context: Context, now: datetime) -> list[OnCall]:
    found = []
    for rota in context.rotas.current.values():
        stretch = oncall.on_call(rota, now)
        if not isinstance(stretch, Off):
            person = stretch.person if isinstance(stretch, Shift) else ""
            found.append(OnCall(rota.id, rota.name, person, stretch.ends_at))
    return found


def _services(request: web.Request, active: Iterable[Incident]) -> list[Service]:
    """Return the services, those in trouble first."""
    seen = overview(request)
    by_service: dict[str, list[Incident]] = {}
    for state in active:
        by_service.setdefault(state.service, []).append(state)
    found = []
    for name in request.app[CONTEXT].settings().services:
        counts: Mapping[State, int] = seen.services.get(name, {})
        incidents = tuple(by_service.get(name, ()))
        found.append(Service(name, seen.worst(name), sum(counts.values()), counts.get("ok", 0), incidents))
    return sorted(found, key=lambda one: (not one.incidents, one.state in {"ok", "muted", "paused"}))


def _counts(active: list[Incident]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for state in active:
        counts[state.priority] = counts.get(state.priority, 0) + 1
    return sorted(counts.items())
