"""The first page for programs: ``GET /api/v1/now``, which ``sentinel top`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from aiohttp import web

from sentinel.core.model import Directory
from sentinel.core.state import Incident
from sentinel.engine.live import State
from sentinel.web import bodies, people
from sentinel.web.coming import Coming, What
from sentinel.web.context import CONTEXT
from sentinel.web.now import OnCall, Service, look_around
from sentinel.web.probes import probe_view
from sentinel.web.views import IncidentView, ProbeView, incident_view


class ComingView(msgspec.Struct, frozen=True, kw_only=True):
    """What time alone will bring.

    ``about`` is the incident, the change or the rota; ``name`` is the clock, the step or what it is called; ``who`` are
    the names of those who will be told.
    """

    at: datetime
    what: What
    about: str
    name: str
    who: tuple[str, ...]


class OpenView(IncidentView, frozen=True, kw_only=True):
    """An open incident: the name of who has it, what comes next, whether resolving it needs the kind of its cause."""

    taken_by: str | None
    next: ComingView | None
    cause_needed: bool


class DutyView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on call by a rota, until when; nobody is null."""

    rota: str
    title: str
    person: str | None
    name: str | None
    until: datetime


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    """A service: its worst state, how many of its targets are fine, and its open incidents, by number."""

    id: str
    name: str
    state: State
    targets: int
    ok: int
    incidents: tuple[str, ...]


class NowView(msgspec.Struct, frozen=True, kw_only=True):
    """What the first page shows, at a moment. Lists are cut as they are there; ``more_open`` counts what is not shown.

    ``problems`` are what is wrong with Sentinel itself.
    """

    at: datetime
    open: tuple[OpenView, ...]
    more_open: int
    counts: dict[str, int]
    lately: tuple[IncidentView, ...]
    requests: int
    on_call: tuple[DutyView, ...]
    targets: dict[State, int]
    troubled: tuple[ProbeView, ...]
    services: tuple[ServiceView, ...]
    coming: tuple[ComingView, ...]
    problems: tuple[str, ...]


async def now(request: web.Request) -> web.Response:
    """Say what is broken, who has it, until when and what comes next."""
    context = request.app[CONTEXT]
    bodies.known_parameters(request)
    found, directory = look_around(request), context.settings().directory
    view = NowView(
        at=context.now(),
        open=tuple(_open(state, found.nexts[state.number], directory) for state in found.active),
        more_open=max(0, found.more_active),
        counts=dict(found.counts),
        lately=tuple(map(incident_view, found.lately)),
        requests=found.requests,
        on_call=tuple(_duty(one, directory) for one in found.on_call),
        targets=dict(found.seen.states),
        troubled=tuple(map(probe_view, found.troubled)),
        services=tuple(_service(one, context.settings().services) for one in found.services),
        coming=tuple(_coming(one, directory) for one in found.nearest),
        problems=tuple(context.health().problems),
    )
    return bodies.json(view)


def _open(state: Incident, following: Coming | None, directory: Directory) -> OpenView:
    common = incident_view(state)
    needed = state.kind == "incident" and "cause" in state.plan.required and not state.cause_class
    return OpenView(
        **{name: getattr(common, name) for name in common.__struct_fields__},
        taken_by=people.shown(state.acknowledged_by, directory) if state.acknowledged_by else None,
        next=_coming(following, directory) if following else None,
        cause_needed=needed,
    )


def _duty(one: OnCall, directory: Directory) -> DutyView:
    name = people.shown(one.person, directory) if one.person else None
    return DutyView(rota=one.rota, title=one.name, person=one.person or None, name=name, until=one.until)


def _service(one: Service, names: Mapping[str, str]) -> ServiceView:
    return ServiceView(
        id=one.id,
        name=names.get(one.id, one.id),
        state=one.state,
        targets=one.targets,
        ok=one.ok,
        incidents=tuple(incident.number for incident in one.incidents),
    )


def _coming(one: Coming, directory: Directory) -> ComingView:
    who = tuple(people.shown(person, directory) for person in one.who)
    return ComingView(at=one.at, what=one.what, about=one.about, name=one.name, who=who)
