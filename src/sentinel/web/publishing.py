"""What an incident manager writes to customers of an incident: a form, the API, and which status pages show it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import msgspec
from aiohttp import web

from sentinel.core import commands as c
from sentinel.core.public_wanted import Wanted
from sentinel.core.publishing import NEXT_MAX, refusal
from sentinel.core.state import Incident
from sentinel.web import bodies, identity, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import number_of, ordered
from sentinel.web.problem import Problem
from sentinel.web.rendering import went_back

NEXT_IN_M: Final = (30, 60, 120, 240, 1440)  # When they hear again, as a form offers it, in minutes.


class Publishing(Body, frozen=True):
    """What customers are told, in French, in English or in both; in ``next_s`` seconds they are to hear again."""

    fr: Text = ""
    en: Text = ""
    next_s: Annotated[float, msgspec.Meta(ge=60, le=NEXT_MAX.total_seconds())] | None = None
    by: Name = ""


def pages_of(context: Context, service: str) -> tuple[Wanted, ...]:
    """Return the status pages that show what is written about a service."""
    return context.portal.showing(service) if context.portal is not None else ()


def possible(request: web.Request, state: Incident) -> tuple[Wanted, ...]:
    """Return the pages on which whoever looks may write about an incident: none when they may not."""
    who = identity.of(request)
    if who is None or not who.has("lead") or refusal(state):
        return ()
    return pages_of(request.app[CONTEXT], state.service)


async def publish(request: web.Request) -> web.Response:
    """Write to customers; who subscribed is told."""
    body = await bodies.read(request, Publishing)
    length = timedelta(seconds=body.next_s) if body.next_s is not None else None
    command = _command(request, people.acting(request, body.by), (body.fr, body.en), length)
    await _must_be_shown(request)
    return await ordered(request, command)


async def publish_form(request: web.Request) -> web.Response:
    """Write to customers by the form of the incident's page."""
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    by, written = people.acting(request, form.get("by", "")), form.get("next", "")
    length = timedelta(minutes=int(written)) if written in {str(one) for one in NEXT_IN_M} else None
    command = _command(request, by, (form.get("fr", ""), form.get("en", "")), length)
    await _must_be_shown(request)
    number = number_of(request.match_info["number"])
    await request.app[CONTEXT].desk.order(number, command)
    return went_back(request, f"/incidents/{number}#timeline-part", by)


def _command(request: web.Request, by: str, texts: tuple[str, str], length: timedelta | None) -> c.Publish:
    next_at = request.app[CONTEXT].now() + length if length is not None else None
    return c.Publish(by=by, fr=bodies.lines(texts[0]), en=bodies.lines(texts[1]), next_at=next_at)


async def _must_be_shown(request: web.Request) -> None:
    """Refuse to write where nobody would read it.

    Raises:
        Problem: 409 no status page shows the service with its messages.
        Unknown: there is no such incident.
    """
    context = request.app[CONTEXT]
    state = await context.desk.look_at(number_of(request.match_info["number"]))
    if not refusal(state) and not pages_of(context, state.service):
        raise Problem(409, f"No status page shows messages about `{state.service}`: nobody would read it.")
