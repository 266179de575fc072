"""The name that was given last in a browser, and pages on which nobody is named."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.web import bodies
from sentinel.web.identity import Identity

NAME_COOKIE: Final = "sentinel_name"
# What is rendered is for everybody who looks at the same page: it names nobody of them.
FOR_ALL: Final = web.RequestKey("FOR_ALL", bool)


def offered(request: web.Request, who: Identity | None) -> str | None:
    """Return the name that was given last in this browser: it is only offered, and proves nothing.

    Whoever signed in is not asked: nothing.
    """
    if who is not None and who.acts_as:
        return None
    try:
        return bodies.line(bytes.fromhex(request.cookies.get(NAME_COOKIE, "")).decode(), bodies.NAME_MAX_CHARS)
    except ValueError:
        return ""
