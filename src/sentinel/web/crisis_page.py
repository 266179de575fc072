"""The crisis room: time line, cell, next message, decisions, who may do what; plain forms, no script needed."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core import crisis_commands as cc
from sentinel.core.events import Told
from sentinel.core.state import Incident
from sentinel.messages.catalogue import Voice
from sentinel.store.base import Recorded
from sentinel.web import bodies, crises, crisis_room, identity, moments, people, rendering
from sentinel.web.context import CONTEXT
from sentinel.web.crisis_forms import ACTIONS, Form
from sentinel.web.crisis_view import StepView, crisis_view
from sentinel.web.guard import Route
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.wording import wording

LATELY_MAX: Final = 8


def routes(api: str) -> list[Route]:
    """Return the page of a crisis with its forms, and its part of the API below ``api``."""
    page, here = "/incidents/{number}/crisis", f"{api}/incidents/{{number}}/crisis"
    return [
        Route("GET", page, show),
        # Not to be had by GET: a page that follows what happens would then lose what was written for the preview.
        Route("POST", f"{page}/preview", preview),
        *(Route("POST", f"{page}/{name}", act) for name in ACTIONS),
        Route("GET", here, crises.show),
        *(Route("POST", f"{here}/{name}", handler) for name, handler in crises.ACTIONS.items()),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the crisis of an incident, or the time line of one without."""
    return await _page(request, await _state(request))


async def preview(request: web.Request) -> web.Response:
    """Show the message as it would go out, and to whom; nothing is sent."""
    form, state = await _form(request), await _state(request)
    context = request.app[CONTEXT]
    by = people.acting(request, form.get("by", ""))
    command = cc.SendUpdate(by=by, text=_message(request, state, form))
    found = crisis_room.previews(state, command, context.now(), context.settings())
    return await _page(request, state, previews=found, fields=form)


async def act(request: web.Request) -> web.Response:
    """Do what a form asks, and go back to the page."""
    context, name = request.app[CONTEXT], request.path.rpartition("/")[2]
    fields, settings = await _form(request), context.settings()
    number = number_of(request.match_info["number"])
    by = people.acting(request, fields.get("by", ""))
    text = bodies.lines(fields.get("text", ""))
    if name == "message":
        text = _message(request, await _state(request), fields)
    await context.desk.order(number, ACTIONS[name](Form(by, text, fields, settings.directory, settings.timezone)))
    return rendering.went_back(request, f"/incidents/{number}/crisis", by)


async def _page(request: web.Request, state: Incident, **more: Any) -> web.Response:
    context = request.app[CONTEXT]
    settings, now, who = context.settings(), context.now(), identity.of(request)
    voice = _voice(request)
    view = crisis_view(state, settings.directory, voice, now)
    recorded: list[Recorded] = await context.read(context.store.timeline, state.number)
    events = [one.event for one in recorded]
    writing = view.next_message is not None
    values = {
        "one": state,
        "crisis": view,
        "minutes": lambda step: round((step.due - state.t0).total_seconds() / 60),
        "current": _current(view.steps),
        "members": crisis_room.members(state, view, events, settings.directory),
        "sections": crisis_room.sections(state, settings.directory, voice, now) if writing else (),
        "readers": crisis_room.readers(state, settings.directory, now) if writing else (),
        "t0_field": moments.field(state.t0, settings.timezone),
        "lately": [event for event in events if not isinstance(event, Told)][: -LATELY_MAX - 1 : -1],
        "may_work": who is not None and who.has("work"),
        "may_lead": who is not None and who.has("lead"),
        "previews": (),
        "fields": {},
    }
    return rendering.render(request, "crisis.html", **{**values, **more})


def _current(steps: tuple[StepView, ...]) -> str:
    """Return the id of the step that comes next."""
    return next((step.id for step in steps if step.state in {"late", "ahead"}), "")


def _message(request: web.Request, state: Incident, form: dict[str, str]) -> str:
    """Return the status message of a form: its sections under their headings, or one text; empty for the draft."""
    if "progress" not in form:
        text = bodies.lines(form.get("text", ""))
        return "" if text == bodies.lines(form.get("draft", "")) else text
    context = request.app[CONTEXT]
    known = crisis_room.sections(state, context.settings().directory, _voice(request), context.now())
    text = crisis_room.written(known, form)
    if len(text) > bodies.TEXT_MAX_CHARS:
        raise Problem(400, f"A message has {bodies.TEXT_MAX_CHARS} characters at most; this one has {len(text)}.")
    return bodies.lines(text)


def _voice(request: web.Request) -> Voice:
    context = request.app[CONTEXT]
    settings = context.settings()
    return Voice(wording(request, settings, context.now()).language, ZoneInfo(settings.timezone))


async def _state(request: web.Request) -> Incident:
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    return state


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await bodies.form(request)).items()}
