"""The page of a crisis: its time line, cell, next message, decisions, matrix; plain forms, no script."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core.state import Incident
from sentinel.messages.catalogue import Voice
from sentinel.web import bodies, crises, pages, people
from sentinel.web.context import CONTEXT
from sentinel.web.crisis_view import crisis_view
from sentinel.web.guard import Route
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.wording import wording


def routes(api: str) -> list[Route]:
    """Return the page of a crisis with its forms, and its part of the API below ``api``."""
    page, here = "/incidents/{number}/crisis", f"{api}/incidents/{{number}}/crisis"
    return [
        Route("GET", page, show),
        *(Route("POST", f"{page}/{name}", act) for name in crises.FORMS),
        Route("GET", here, crises.show),
        *(Route("POST", f"{here}/{name}", handler) for name, handler in crises.ACTIONS.items()),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the crisis of an incident, or the time line of one without."""
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    settings, now = context.settings(), context.now()
    voice = Voice(wording(request, settings, now).language, ZoneInfo(settings.timezone))
    view = crisis_view(state, settings.directory, voice, now)
    return pages.render(request, "crisis.html", one=state, crisis=view)


async def act(request: web.Request) -> web.Response:
    """Do what a form asks, and go back to the page."""
    form = {name: str(value) for name, value in (await request.post()).items()}
    number = number_of(request.match_info["number"])
    by = people.acting(request, form.get("by", ""))
    text = bodies.lines(form.get("text", ""))
    if text == bodies.lines(form.get("draft", "")):
        text = ""  # The draft goes to each reader in their own language.
    command = crises.of_form(request.path.rpartition("/")[2], by, text, form)
    await request.app[CONTEXT].desk.order(number, command)
    return pages.went_back(request, f"/incidents/{number}/crisis", by)
