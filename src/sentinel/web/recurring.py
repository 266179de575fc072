"""The API of silences that come again and again because somebody said so."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web

from sentinel.core.matching import Silence
from sentinel.core.model import Refused
from sentinel.engine.recurring_silences import Kept, RecurringSilences
from sentinel.engine.recurring_silences import Wanted as Words
from sentinel.web import bodies, paging, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem
from sentinel.web.views import SilenceView, silence_view

MATCHERS_MAX = 20
LASTS_MAX = timedelta(days=7)


class NewRecurring(Body, frozen=True):
    """Signals that match open nothing ``every`` so often: hours of the week, or a cron and ``for_s`` seconds."""

    matchers: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=MATCHERS_MAX)]
    every: Text
    for_s: Annotated[float, msgspec.Meta(ge=60, le=LASTS_MAX.total_seconds())] | None = None
    timezone: Name = ""
    comment: Text = ""
    by: Name = ""


class RecurringView(msgspec.Struct, frozen=True, kw_only=True):
    """A silence that comes again; ``coming`` holds the one in force, if there is one, and the next."""

    id: str
    matchers: tuple[str, ...]
    every: str
    for_s: float | None
    timezone: str
    comment: str
    by: str
    created_at: datetime
    coming: tuple[SilenceView, ...]


async def list_all(request: web.Request) -> web.Response:
    """List the silences that come again because somebody said so, the oldest first."""
    shown = [_view(one, coming) for one, coming in _kept(request).all()]
    return paging.listed(request, shown, lambda one: one.id)


async def add(request: web.Request) -> web.Response:
    """Have a silence come again and again."""
    body = await bodies.read(request, NewRecurring)
    wanted = Words(
        matchers=tuple(bodies.line(text, bodies.TEXT_MAX_CHARS) for text in body.matchers),
        every=bodies.line(body.every),
        for_s=body.for_s or 0.0,
        timezone=bodies.line(body.timezone),
        comment=bodies.lines(body.comment),
        by=people.acting(request, body.by),
    )
    try:
        one, coming = await _kept(request).add(wanted)
    except Refused as refusal:
        raise Problem(400, str(refusal)) from refusal
    return bodies.json(_view(one, coming), status=201)


async def remove(request: web.Request) -> web.Response:
    """Have a silence come no more; the one in force ends."""
    name = request.match_info["id"]
    one = await _kept(request).remove(name)
    if one is None:
        raise Problem(404, f"There is no silence `{bodies.line(name)}` that comes again.")
    return bodies.json(_view(one, []))


def _kept(request: web.Request) -> RecurringSilences:
    kept = request.app[CONTEXT].recurring
    assert kept is not None, "the daemon always has them"
    return kept


def _view(one: Kept, coming: list[Silence]) -> RecurringView:
    wanted = one.wanted
    return RecurringView(
        id=one.id,
        matchers=wanted.matchers,
        every=wanted.every,
        for_s=wanted.for_s or None,
        timezone=wanted.timezone,
        comment=wanted.comment,
        by=wanted.by,
        created_at=one.at,
        coming=tuple(silence_view(silence) for silence in coming),
    )
