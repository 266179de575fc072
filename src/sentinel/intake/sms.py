"""The doors of SMS gateways: answers of people, and delivery receipts (rules DSP-6 and SRC-6)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.channels.sms_inbound import Call, SmsDoor
from sentinel.core.model import Directory
from sentinel.intake.said import Said
from sentinel.web import identity, keys
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem

BODY_MAX_BYTES: Final = 64 * 1024
KEY_HEADER: Final = "X-Sentinel-Key"


async def reply(request: web.Request) -> web.Response:
    """Take an answer, or a report; the answer to the gateway comes when it is on disk."""
    name, door, call = await _called(request)
    context = request.app[CONTEXT]
    answering = context.answering
    assert answering is not None, "the daemon always has it"
    heard = door.heard(call)
    if heard is None:
        raise Problem(400, "The call holds no sender and text; see `reply` of the channel.")
    if await context.canary(heard.text, "sms"):
        return _thanks(door)
    people = whose(heard.sender, context.settings().directory)
    if not people:
        answering.ignored(name, "stranger")  # No answer either: who pays for it would be us.
    else:
        said = Said(channel=name, door="sms", people=people, text=heard.text, id=heard.id)
        await answering.take(said)
    return _thanks(door)


async def receipt(request: web.Request) -> web.Response:
    """Take delivery receipts."""
    name, door, call = await _called(request)
    receipts = request.app[CONTEXT].receipts
    assert receipts is not None, "the daemon always has them"
    for one in door.receipts(call):
        await receipts.take(name, one.reference, one.state, one.why)
    return _thanks(door)


def whose(number: str, directory: Directory) -> tuple[str, ...]:
    """Return whose number it is, in international form; it may be a telephone that several share."""
    return tuple(person.id for person in directory.people.values() if person.addresses.get("mobile") == number)


async def _called(request: web.Request) -> tuple[str, SmsDoor, Call]:
    """Return which gateway calls, and what it says.

    Raises:
        Problem: 404 there is no such door, 403 it is not the gateway, 413 it says too much.
    """
    context, name = request.app[CONTEXT], request.match_info["name"]
    door = context.settings().sms_doors.get(name)
    if door is None:
        raise Problem(404, "There is nothing here.")
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > BODY_MAX_BYTES:
            raise Problem(413, "The body is too large.")
    call = Call(
        url=f"{_site(context)}{request.raw_path}",
        query=tuple(request.query.items()),
        headers={KEY_HEADER: "", **request.headers},
        content_type=request.content_type,
        body=bytes(body),
        key=keys.shown(request) or request.headers.get(KEY_HEADER) or "",
        peer=identity.client(request),
    )
    if not door.proves(call, context.now().timestamp()):
        raise Problem(403, "The call is not signed by the gateway, or shows another key.")
    return name, door, call


def _site(context: Context) -> str:
    """Return where the gateway found us: a proxy in front may have changed what the request says of that."""
    return context.settings().site_url.rstrip("/")


def _thanks(door: SmsDoor) -> web.Response:
    return web.Response(text=door.thanks, content_type=door.thanks_type)
