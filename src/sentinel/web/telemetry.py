"""Counts what is served: by the pattern of the path, never by the path, which anybody can choose."""

from __future__ import annotations

import time

from aiohttp import web

from sentinel.web.context import CONTEXT
from sentinel.web.guard import Handler

UNKNOWN = "none"  # No route has this path.
STREAM = "text/event-stream"


@web.middleware
async def telemetry(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the daemon of each request: its handler, method, code and how long it took, unless it was a stream."""
    begin = time.perf_counter()
    code, stream = 500, False
    try:
        response = await handler(request)
        code, stream = response.status, response.content_type == STREAM
        return response
    finally:
        resource = request.match_info.route.resource
        pattern = resource.canonical if resource is not None else UNKNOWN
        took_s = None if stream else time.perf_counter() - begin
        request.app[CONTEXT].served(pattern, request.method, code, took_s)
