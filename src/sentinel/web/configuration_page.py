"""The page of the configuration: as it stands on disk without its secrets, what is wrong, what a reload would change.

``/config`` is blackbox_exporter's.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.web import bodies
from sentinel.web.context import CONTEXT, ReloadOutcome
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render

HERE: Final = "/configuration"
ENTRIES_MAX: Final = 50
TEXT_MAX_CHARS: Final = 4_000  # Of one entry.
NAMES_MAX: Final = 50  # Of what a reload would change, in each section and each way.


def routes() -> list[Route]:
    """Return the page and its form."""
    return [Route("GET", HERE, show), Route("POST", f"{HERE}/reload", reload)]


async def show(request: web.Request) -> web.Response:
    """Show the configuration on disk beside what runs."""
    bodies.known_parameters(request, "section", "page", "done", "lang", "theme")
    return await _page(request)


async def reload(request: web.Request) -> web.Response:
    """Read the configuration again; a bad one changes nothing, and its mistakes are shown."""
    outcome = await request.app[CONTEXT].reload()
    if outcome.done:
        raise web.HTTPSeeOther(f"{HERE}?done=1")
    return await _page(request, outcome)


async def _page(request: web.Request, refused: ReloadOutcome | None = None) -> web.Response:
    look = request.app[CONTEXT].configuration
    if look is None:
        raise Problem(404, "There is no configuration to look at.")
    found = await look()
    asked, page = request.query.get("section", ""), bodies.number(request, "page", 1, 10_000)
    section = next((one for one in found.sections if one.name == asked), None)
    entries = section.entries if section is not None else ()
    response = render(
        request,
        "configuration.html",
        found=found,
        section=section,
        texts=[text[:TEXT_MAX_CHARS] for _, text in entries[(page - 1) * ENTRIES_MAX : page * ENTRIES_MAX]],
        page=page,
        pages=-(-len(entries) // ENTRIES_MAX),
        names_max=NAMES_MAX,
        refused=refused is not None,
        done=bool(request.query.get("done")) and refused is None,
    )
    if refused is not None:
        response.set_status(400)
    return response
