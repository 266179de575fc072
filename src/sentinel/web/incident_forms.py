"""Forms that change what an incident is: raised by a person, kept open, part of another, at level 3, a problem."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.core import commands as c
from sentinel.core.model import Priority
from sentinel.rules import LEVEL_OF
from sentinel.web import bodies, incidents, people
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.rendering import went_back

HERE: Final = "/incidents"
PRIORITIES: Final[dict[str, Priority]] = {"P1": "P1", "P2": "P2", "P3": "P3", "P4": "P4"}


def routes() -> list[Route]:
    """Return the forms."""
    one = f"{HERE}/{{number}}"
    return [
        Route("POST", HERE, raise_incident),
        Route("POST", f"{one}/hold", hold),
        Route("POST", f"{one}/release", hold),
        Route("POST", f"{one}/cascade", cascade),
        Route("POST", f"{one}/merge", merge),
        Route("POST", f"{one}/problem", judge),
    ]


async def raise_incident(request: web.Request) -> web.Response:
    """Open an incident that a person saw, or that somebody called about."""
    form = await _form(request)
    priority = PRIORITIES.get(form.get("priority", ""))
    if priority is None:
        raise Problem(400, "Choose a priority.")
    by, caller = people.acting(request, form.get("by", "")), bodies.line(form.get("caller", ""), bodies.NAME_MAX_CHARS)
    body = incidents.Raise(
        title=bodies.line(form.get("title", ""), bodies.TITLE_MAX_CHARS),
        by=by,
        detail=bodies.lines(form.get("detail", "")),
        service=form.get("service", ""),
        level=LEVEL_OF[priority],
        priority=priority,
        by_phone=bool(caller),
        caller=caller,
    )
    state = await incidents.opened(request, body)
    return went_back(request, f"{HERE}/{state.number}", by)


async def hold(request: web.Request) -> web.Response:
    """Keep an incident open even when its probes recover, or let go of it."""
    form, context = await _form(request), request.app[CONTEXT]
    on = request.path.endswith("/hold")
    close_by = None if on else context.desk.close_by(context.now())
    by = people.acting(request, form.get("by", ""))
    return await _ordered(request, by, c.Hold(by=by, on=on, close_by=close_by))


async def cascade(request: web.Request) -> web.Response:
    """Take it to level 3."""
    form = await _form(request)
    by = people.acting(request, form.get("by", ""))
    return await _ordered(request, by, c.Cascade(by=by, why=bodies.lines(form.get("text", ""))))


async def merge(request: web.Request) -> web.Response:
    """Make it a part of another, and go there."""
    form = await _form(request)
    by, into = people.acting(request, form.get("by", "")), number_of(form.get("into", ""))
    state = await request.app[CONTEXT].desk.merge(number_of(request.match_info["number"]), into, by)
    return went_back(request, f"{HERE}/{state.number}", by)


async def judge(request: web.Request) -> web.Response:
    """Accept or decline the problem that was proposed (rule LIF-8)."""
    form, number = await _form(request), number_of(request.match_info["number"])
    by, why = people.acting(request, form.get("by", "")), bodies.lines(form.get("text", ""))
    match form.get("verdict"):
        case "accept":
            state = await request.app[CONTEXT].problems.accept(number, by, why)
            return went_back(request, f"/problems/{state.problem_number}", by)
        case "decline":
            return await _ordered(request, by, c.JudgeProblem(by=by, accept=False, why=why))
    raise Problem(400, "Accept or decline it.")


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value) for name, value in (await bodies.form(request)).items()}


async def _ordered(request: web.Request, by: str, command: c.Command) -> web.Response:
    number = number_of(request.match_info["number"])
    await request.app[CONTEXT].desk.order(number, command)
    return went_back(request, f"{HERE}/{number}", by)
