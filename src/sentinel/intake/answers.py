"""How an Alertmanager answers: its three shapes of errors, its moments, its truth values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from sentinel.intake import json_text
from sentinel.messages.clean import one_line
from sentinel.web.problem import Problem

BODY_MAX_BYTES: Final = 8 * 1024 * 1024  # Prometheus sends up to 256 alerts at once.
SAID_MAX_CHARS: Final = 2000
UNSET_YEAR: Final = 1  # Go's zero time: what was not said.
TRUE_WORDS: Final = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})

WRONG_TYPE: Final = 601
MISSING: Final = 602
TOO_FEW: Final = 612


class Invalid(Exception):  # noqa: N818  it is an answer, not a fault
    """A request of the wrong shape: the code and sentence of Alertmanager's own schema, or of HTTP."""

    def __init__(self, status: int, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or status


def json(value: Any, status: int = 200) -> web.Response:
    """Answer with JSON and a line end, as Go's encoder writes it."""
    return web.Response(body=msgspec.json.encode(value) + b"\n", status=status, content_type="application/json")


def refused(status: int, sentence: str) -> web.Response:
    """Answer that the request makes no sense: a bare text."""
    return json(one_line(sentence, SAID_MAX_CHARS), status)


def invalid(error: Invalid) -> web.Response:
    """Answer that a body or a path is of the wrong shape: an object."""
    return json({"code": error.code, "message": one_line(error.message, SAID_MAX_CHARS)}, error.status)


def written(moment: datetime) -> str:
    """Write a moment as Alertmanager does: UTC, with milliseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def truth(request: web.Request, name: str) -> bool:
    """Return a truth value of the query: yes unless something else is said, and what is no truth is no."""
    said = request.query.get(name, "")
    return not said or said.lower() in TRUE_WORDS


def moment(value: Any, where: str) -> datetime | None:
    """Read a moment of a body; nothing when it is absent or Go's zero time.

    Raises:
        Invalid: it is none.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(400, f'parsing body from "" failed, because {where} is not a text')
    try:
        read = msgspec.convert(value, datetime)
    except msgspec.ValidationError as error:
        if value.startswith("0001-01-01T"):
            return None  # Midnight of another zone lies before the first year.
        raise Invalid(400, f'parsing body from "" failed, because {where} is not a moment: {value}') from error
    if read.tzinfo is None:
        raise Invalid(400, f'parsing body from "" failed, because {where} has no time zone: {value}')
    if read.year == UNSET_YEAR:
        return None
    try:
        return read.astimezone(UTC)
    except OverflowError as error:
        raise Invalid(400, f'parsing body from "" failed, because {where} is out of the calendar') from error


async def body(request: web.Request, name: str) -> Any:
    """Read a JSON body of any shape.

    Raises:
        Invalid: it is no JSON, or none at all.
        Problem: 413 it is too large.
    """
    return decoded(await content_of(request, name), name)


async def content_of(request: web.Request, name: str) -> bytes:
    """Read a body that is said to be JSON.

    Raises:
        Invalid: it is said to be something else, or there is none.
        Problem: 413 it is too large.
    """
    kind = request.headers.get("Content-Type", "application/octet-stream")
    media = kind.partition(";")[0].strip().lower()
    if media.count("/") != 1 or not media.replace("/", "").strip():
        raise Invalid(400, f'parsing media type "{kind}" failed')
    if media != "application/json":
        raise Invalid(415, f'unsupported media type "{media}", only [application/json] are allowed')
    content = await read_bounded(request)
    if not content or content.isspace():
        raise Invalid(422, f"{name} in body is required", MISSING)
    return content


def decoded(content: bytes, name: str) -> Any:
    """Return what JSON says.

    Raises:
        Invalid: it is none.
    """
    try:
        return json_text.decode(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(400, f'parsing {name} body from "" failed, because {error}') from error


async def read_bounded(request: web.Request, size_max_bytes: int = BODY_MAX_BYTES) -> bytes:
    """Read a body, however it is sent.

    Raises:
        Problem: 413 it is larger than that, unpacked.
    """
    content = bytearray()
    async for piece in request.content.iter_any():
        content += piece
        if len(content) > size_max_bytes:
            raise Problem(413, f"The body is larger than {size_max_bytes // 1024} KiB.")
    return bytes(content)
