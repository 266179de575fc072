"""Lists that are too long for one answer: the rest is behind a link to the next page (RFC 8288)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from aiohttp import web

from sentinel.web import bodies
from sentinel.web.operations import Parameter
from sentinel.web.problem import Problem

LIMIT_MAX: Final = 1_000
CURSOR_MAX_CHARS: Final = 1_000
CURSOR: Final = Parameter("cursor", "Where to go on: from the `Link` of the page before.")

T = TypeVar("T")


def page(request: web.Request, found: Sequence[T], name: Callable[[T], str], limit_max: int = LIMIT_MAX) -> list[T]:
    """Return the page of a list that is asked for; ``name`` tells each of the list from all others.

    What came to the list meanwhile shifts nothing: a page goes on after the one that the page before ended with.

    Raises:
        Problem: 400 the limit or the cursor is none, or what it stands on has gone: begin again.
    """
    limit, start = bodies.number(request, "limit", limit_max, limit_max), 0
    if last := request.query.get("cursor", ""):
        wanted = _read(last)
        start = next((number for number, one in enumerate(found, 1) if name(one) == wanted), 0)
        if not start:
            raise Problem(400, "`cursor` leads nowhere any more: begin without it.")
    shown = list(found[start : start + limit])
    if shown and start + limit < len(found):
        link(request, cursor=_written(name(shown[-1])))
    return shown


def after(request: web.Request) -> str:
    """Return the name of the last one of the page before; empty for the first page.

    Raises:
        Problem: 400 the cursor is none.
    """
    last = request.query.get("cursor", "")
    return _read(last) if last else ""


def cut(request: web.Request, found: Sequence[T], name: Callable[[T], str], limit: int) -> list[T]:
    """Return the page of a list that was read from where it goes on, one more than ``limit`` of it."""
    if len(found) > limit:
        link(request, cursor=_written(name(found[limit - 1])))
    return list(found[:limit])


def link(request: web.Request, **parameters: str) -> None:
    """Put a link to the next page on the answer to come: this request with other parameters."""
    request[NEXT] = str(request.rel_url.update_query(parameters))


def add_link(request: web.Request, response: web.StreamResponse) -> None:
    """Write the link to the next page, if there is one."""
    if NEXT in request:
        response.headers["Link"] = f'<{request[NEXT]}>; rel="next"'


NEXT: Final = web.RequestKey("NEXT", str)


def listed(
    request: web.Request, found: Sequence[Any], name: Callable[[Any], str], limit_max: int = LIMIT_MAX
) -> web.Response:
    """Answer with the page of a list that is asked for."""
    return bodies.json(page(request, found, name, limit_max))


def _written(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _read(cursor: str) -> str:
    if len(cursor) > CURSOR_MAX_CHARS:
        raise Problem(400, "`cursor` is none.")
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Problem(400, "`cursor` is none.") from error
