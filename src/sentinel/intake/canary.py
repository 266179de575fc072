"""The door by which a canary that left by a webhook comes back."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.intake.answers import read_bounded
from sentinel.web.context import CONTEXT
from sentinel.web.guard import charge_stranger
from sentinel.web.problem import Problem

BODY_MAX_BYTES: Final = 64 * 1024


async def take(request: web.Request) -> web.Response:
    """Take a canary, whatever was put around it; its mark shows that it is ours."""
    content = await read_bounded(request, BODY_MAX_BYTES)
    if not await request.app[CONTEXT].canary(content.decode("utf-8", "replace"), "webhook"):
        charge_stranger(request)
        raise Problem(404, "There is nothing here.")
    return web.Response()
