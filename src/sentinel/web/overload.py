"""The API of overload: whether the team works strictly by its targets, and the switch (rule SLA-11)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from sentinel.core.overload import Fact
from sentinel.web import bodies, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT, Context
from sentinel.web.rendering import went_back

SWITCHES_MAX = 100


class Switch(Body, frozen=True):
    """Somebody switches overload on or off, and says why."""

    on: bool
    why: Text = ""
    by: Name = ""


class OverloadView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it is on, since when, by whom and why; how many wait, the limits, and the last switches, newest first.

    ``by`` is null when the queue switched it; ``queue`` and ``until`` are null when only people do.
    """

    on: bool
    since: datetime | None
    by: str | None
    why: str
    automatic: bool
    waiting: int
    queue: int | None
    until: int | None
    switches: tuple[Fact, ...]


async def show(request: web.Request) -> web.Response:
    """Show whether the team is overloaded."""
    bodies.known_parameters(request)
    return bodies.json(_view(request.app[CONTEXT]))


async def switch(request: web.Request) -> web.Response:
    """Switch by hand."""
    body = await bodies.read(request, Switch)
    context = request.app[CONTEXT]
    await context.overload.switch(people.acting(request, body.by), bodies.line(body.why), on=body.on)
    return bodies.json(_view(context))


async def switch_form(request: web.Request) -> web.Response:
    """Switch by the form of the first page."""
    form = await bodies.form(request)
    by, why = people.acting(request, str(form.get("by", ""))), bodies.line(str(form.get("why", "")))
    await request.app[CONTEXT].overload.switch(by, why, on=form.get("on") == "yes")
    return went_back(request, "/", by)


def _view(context: Context) -> OverloadView:
    now, limits = context.overload.now, context.overload.limits
    return OverloadView(
        on=now.on,
        since=now.since,
        by=now.by or None,
        why=now.why,
        automatic=now.since is not None and not now.by,
        waiting=context.overload.waiting,
        queue=limits.queue if limits else None,
        until=limits.until if limits else None,
        switches=tuple(reversed(context.overload.history()[-SWITCHES_MAX:])),
    )
