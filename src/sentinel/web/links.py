"""Acknowledge links: looking changes nothing, the button takes the incident (rule DSP-6).

Mail programs and telephones open links by themselves: only POST acts. A link is for one person and one message, and
serves once: until that person used it, the incident was reopened, or a week is over.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Person
from sentinel.core.state import Incident
from sentinel.messages import links
from sentinel.store.base import Recorded
from sentinel.web import now, rendering
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem

SERVES_FOR: Final = timedelta(days=7)
VIA: Final = "link"


class Found(NamedTuple):
    """Where a link leads: the incident, for whom it is, and whether it serves no more."""

    state: Incident
    person: Person
    used: bool


async def show(request: web.Request) -> web.Response:
    """Show what the incident is, and a button while somebody is still looked for."""
    return _page(request, await find(request))


async def act(request: web.Request) -> web.Response:
    """Take the incident in the name of whom the link is for."""
    found = await find(request)
    if not found.used and found.state.phase == "open":
        command = c.Acknowledge(by=found.person.id, via=VIA)
        await request.app[CONTEXT].desk.order(found.state.number, command)
    raise web.HTTPSeeOther(request.path)


async def find(request: web.Request) -> Found:
    """Return where the link of a request leads.

    Raises:
        Problem: 404 nowhere; nothing tells a wrong code from one of an incident that is forgotten.
    """
    context = request.app[CONTEXT]
    told = links.read(request.match_info["code"])
    made = context.links()
    if told is not None and made is not None:
        state: Incident | None = await context.read(context.store.incident, told.number)
        timeline: list[Recorded] = await context.read(context.store.timeline, told.number) if state else []
        if state is not None and told.sequence <= len(timeline):
            event = timeline[told.sequence - 1].event
            for page in e.pages_of(event):
                person = context.settings().directory.people.get(page.person)
                if made.is_for(told, page, event.at) and person is not None:
                    used = context.now() - event.at > SERVES_FOR or _spent(timeline[told.sequence :], page.person)
                    return Found(state, person, used)
    raise Problem(404, "This link leads nowhere.")


def _spent(after: list[Recorded], person: str) -> bool:
    """Tell whether what came after a message took its link's use away."""
    return any(
        isinstance(recorded.event, e.Reopened)
        or (isinstance(recorded.event, e.Acknowledged) and recorded.event.by == person)
        for recorded in after
    )


def _page(request: web.Request, found: Found) -> web.Response:
    response = rendering.render(
        request,
        "link.html",
        language=found.person.language,
        incident=found.state,
        whom=found.person.name,
        mine=found.state.acknowledged_by == found.person.id,
        offered=found.state.phase == "open" and not found.used,
        clocks=now.running(found.state),
        next_step=now.following(found.state, request.app[CONTEXT]) if found.state.phase == "open" else None,
        signal=next(iter(found.state.failing()), None),
    )
    response.headers["Referrer-Policy"] = "no-referrer"  # The code must not travel on.
    return response
