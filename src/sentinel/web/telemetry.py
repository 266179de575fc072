"""Counts what is served: by the pattern of the path, never by the path, which anybody can choose."""

from __future__ import annotations

import time

from aiohttp import web

from sentinel.web.context import CONTEXT
from sentinel.web.guard import Handler

UNKNOWN = "none"  # No route has this path.


@web.middleware
async def telemetry(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the daemon of each request: its handler, method, code and how long it took."""
    begin = time.perf_counter()
    code = 500
    try:
        response = await handler(request)
        code = response.status
        return response
    finally:
        resource = request.match_info.route.resource
        pattern = resource.canonical if resource is not None else UNKNOWN
        request.app[CONTEXT].served(pattern, request.method, code, time.perf_counter() - begin)
