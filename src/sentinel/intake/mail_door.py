"""The way in for ``sentinel mail-in``: a mail over the control socket, and what became of it."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import msgspec
from aiohttp import web

from sentinel.web import bodies
from sentinel.web.bodies import Body
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem

ENCODED_MAX_CHARS = 1_000_000


class MailIn(Body, frozen=True):
    """A mail as it came, in base64."""

    message: Annotated[str, msgspec.Meta(max_length=ENCODED_MAX_CHARS)]


async def take(request: web.Request) -> web.Response:
    """Take a mail that a mail server hands over; the answer comes when it is on disk."""
    body = await bodies.read(request, MailIn)
    mail = request.app[CONTEXT].mail
    assert mail is not None, "the daemon always has it"
    try:
        data = base64.b64decode(body.message, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Problem(400, "`message` is not base64.") from error
    return bodies.json({"came": await mail.take(data)})
