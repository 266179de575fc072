"""The pictures that browser probes kept of an incident: listed with it, and shown only as part of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web

from sentinel.core.state import Incident
from sentinel.engine.evidence import Picture
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.views import PictureView

# A run begins before its failure is seen, and the picture bears the moment it began.
BEFORE_MAX: Final = timedelta(minutes=10)
PICTURES_MAX: Final = 20


async def of(context: Context, state: Incident) -> tuple[PictureView, ...]:
    """Return what was kept of an incident's probes while it lasted, the newest first."""
    probes = dict.fromkeys(standing.signal.labels.get("probe", "") for standing in state.signals.values())
    found: list[PictureView] = []
    for probe in probes:
        if probe and context.evidence is not None:
            kept: list[Picture] = await context.read(context.evidence.of, probe)
            found += [_view(state, probe, picture) for picture in kept if _meant(state, picture)]
    return tuple(sorted(found, key=lambda one: one.taken_at, reverse=True)[:PICTURES_MAX])


async def show(request: web.Request) -> web.Response:
    """Show one picture of an incident."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    number = number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    listed = await of(context, state) if state is not None else ()
    picture: bytes | None = None
    if context.evidence is not None and any(one.name == name for one in listed):
        picture = await context.read(context.evidence.read, name)
    if picture is None:
        raise Problem(404, f"There is no such picture of {number}.")
    return web.Response(body=picture, content_type="image/png", headers={"Cache-Control": "private, max-age=3600"})


def _meant(state: Incident, picture: Picture) -> bool:
    began_at = min(state.t0, state.opened_at) - BEFORE_MAX
    return began_at <= picture.taken_at and (state.resolved_at is None or picture.taken_at <= state.resolved_at)


def _view(state: Incident, probe: str, picture: Picture) -> PictureView:
    url = f"/incidents/{state.number}/pictures/{picture.name}"
    return PictureView(name=picture.name, probe=probe, taken_at=picture.taken_at, url=url)
