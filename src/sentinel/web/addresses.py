"""The API of addresses that take nothing: whose, since when, and why (rule DSP-4)."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from sentinel.web import bodies
from sentinel.web.context import CONTEXT


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """An address that is not trusted: used again after ``until``; its incident is resolved when it is good again."""

    person: str
    kind: str
    since: datetime
    last_at: datetime
    until: datetime
    bounces: int
    why: str
    incident: str | None


async def show(request: web.Request) -> web.Response:
    """List every address that is not trusted now."""
    bodies.known_parameters(request)
    views = [
        AddressView(
            person=one.person,
            kind=one.kind,
            since=one.since,
            last_at=one.last_at,
            until=one.until,
            bounces=one.count,
            why=one.why,
            incident=one.incident or None,
        )
        for one in request.app[CONTEXT].addresses.doubts
    ]
    return bodies.json(views)
