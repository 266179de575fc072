"""The API of what jobs have said by their calls."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from sentinel.core.pings import Kind, Ping
from sentinel.web import bodies, paging
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem


class PingView(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a job: what it said, of which run, with which exit status, how long that took, and its body."""

    at: datetime
    kind: Kind
    rid: str
    status: int | None
    ran_s: float | None
    body: str


async def list_pings(request: web.Request) -> web.Response:
    """List the last calls of a job, newest first."""
    bodies.known_parameters(request, "limit", "cursor")
    context, name = request.app[CONTEXT], request.match_info["name"]
    if all(job.name != name for job in context.settings().jobs):
        raise Problem(404, f"There is no heartbeat `{bodies.line(name)}`.")
    pings = [_view(ping) for ping in reversed(context.job(name).pings)]
    return paging.listed(request, pings, lambda ping: ping.at.isoformat())


def _view(ping: Ping) -> PingView:
    return PingView(at=ping.at, kind=ping.kind, rid=ping.rid, status=ping.status, ran_s=ping.ran_s, body=ping.body)
