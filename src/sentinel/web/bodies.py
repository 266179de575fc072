"""JSON bodies: read strictly, written as they are."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from aiohttp import http_exceptions, web

from sentinel.messages.clean import clean, one_line
from sentinel.web.problem import Problem

if TYPE_CHECKING:
    from multidict import MultiDictProxy

BODY_MAX_BYTES = 1024 * 1024
TEXT_MAX_CHARS = 4096
TITLE_MAX_CHARS = 200
NAME_MAX_CHARS = 100
LABELS_MAX = 64
# A year less on each side than calendars know, so that what is counted from it stays within them.
FIRST_YEAR, LAST_YEAR = 2001, 2098

Text = Annotated[str, msgspec.Meta(max_length=TEXT_MAX_CHARS)]
Title = Annotated[str, msgspec.Meta(max_length=TITLE_MAX_CHARS)]
Name = Annotated[str, msgspec.Meta(max_length=NAME_MAX_CHARS)]
Labels = Annotated[dict[Name, Text], msgspec.Meta(max_length=LABELS_MAX)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all bodies: unknown fields are refused, so that a misspelt one is never lost in silence."""


B = TypeVar("B", bound=Body)


async def read(request: web.Request, shape: type[B]) -> B:
    """Read a body of a shape; no body at all counts as an empty object.

    Raises:
        Problem: 415 it is not JSON, 400 it is not of that shape.
    """
    content = await request.read()
    if not content:
        content = b"{}"
    elif request.content_type != "application/json":
        raise Problem(415, f"A body must be application/json, not {one_line(request.content_type, NAME_MAX_CHARS)}.")
    try:
        # No lone surrogate passes UTF-8, none written as an escape passes msgspec; NaN is not JSON to it either.
        body = msgspec.json.decode(content, type=shape)
    except (ValueError, RecursionError) as error:
        raise Problem(400, f"The body cannot be read: {one_line(str(error), TEXT_MAX_CHARS)}.") from error
    for name in shape.__struct_fields__:
        value = getattr(body, name)
        if isinstance(value, date) and not FIRST_YEAR <= value.year <= LAST_YEAR:  # A datetime is a date as well.
            raise Problem(400, f"`{name.rstrip('_')}` must lie in the years {FIRST_YEAR} to {LAST_YEAR}.")
    return body


async def form(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """Read what a form sent.

    Raises:
        Problem: 400 it is no form, or not written as it says.
    """
    try:
        return await request.post()
    except (ValueError, LookupError, RuntimeError, http_exceptions.HttpProcessingError) as error:
        raise Problem(400, f"The form cannot be read: {one_line(str(error), TEXT_MAX_CHARS)}.") from error


def line(text: str, max_chars: int = TITLE_MAX_CHARS) -> str:
    """Return what somebody wrote on one line, made harmless."""
    return one_line(text, max_chars)


def lines(text: str) -> str:
    """Return what somebody wrote on several lines, made harmless."""
    return clean(text, TEXT_MAX_CHARS)


def day(written: str, name: str) -> date:
    """Return the day that a field of a form holds.

    Raises:
        Problem: 400 it is none, or one that calendars do not know.
    """
    try:
        found = date.fromisoformat(written.strip())
    except ValueError:
        found = date.min
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Problem(400, f"`{name}` must be a day like 2026-12-05.")
    return found


def json(value: Any, status: int = 200) -> web.Response:
    """Answer with JSON."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def opened(number: str, view: Any) -> web.Response:
    """Answer that an incident or a request is on disk now, and where it stands."""
    answer = json(view, status=201)
    answer.headers["Location"] = f"/api/v1/incidents/{number}"
    return answer


def number(request: web.Request, name: str, default: int, maximum: int) -> int:
    """Return a whole number of the query.

    Raises:
        Problem: 400 it is none, or outside 1 to ``maximum``.
    """
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= maximum):
        raise Problem(400, f"`{name}` must be a whole number from 1 to {maximum}.")
    return int(text)


def known_parameters(request: web.Request, *names: str) -> None:
    """Refuse parameters of the query that mean nothing: a misspelt filter must not show everything.

    Raises:
        Problem: 400 with the first such name.
    """
    for name in request.query:
        if name not in names:
            raise Problem(400, f"Unknown parameter `{line(name)}`; known: {', '.join(names) or 'none'}.")
