"""The keys that somebody presses while they are called: 1 takes the incident, 2 calls the next (rule DSP-6).

Whatever makes the calls posts them to the address that it was given with the call. That address is the link of that
message: for one person and one incident, good once and for a week. What is answered is read out to whom was called.
"""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from sentinel.core import commands as c
from sentinel.core.model import Person, Refused
from sentinel.core.state import Incident
from sentinel.messages import replies
from sentinel.messages.catalogue import Voice
from sentinel.messages.replies import Reply, ReplyKind
from sentinel.web import bodies, links
from sentinel.web.context import CONTEXT
from sentinel.web.links import Found
from sentinel.web.problem import Problem

VIA: Final = "voice"
BODY_MAX_BYTES: Final = 16 * 1024
FIELDS: Final = ("digits", "Digits", "dtmf")  # Ours, Twilio's, Vonage's.
KEYS_MAX_CHARS: Final = 16
LOCALES: Final = {"fr": "fr-FR", "en": "en-GB"}


async def press(request: web.Request) -> web.Response:
    """Do what the key stands for, and answer with what is to be said."""
    found = await links.find(request)
    pressed = _keys(await _content(request))
    if pressed == "1":
        return _say(request, found, *await _take(request, found))
    if pressed == "2":
        return _say(request, found, *await _escalate(request, found))
    voice = Voice(found.person.language, ZoneInfo(found.person.timezone))
    again = found.state.phase == "open" and not found.used
    return _answer(found.person, voice.word("spoken_keys") if again else "", again=again)


async def _take(request: web.Request, found: Found) -> tuple[Incident, ReplyKind]:
    state, person = found.state, found.person.id
    if not state.active:
        return state, "over"
    if state.acknowledged_by:
        return state, "yours" if state.acknowledged_by == person else "taken_by"
    if found.used:
        return state, "nothing"
    command = c.Acknowledge(by=person, via=VIA)
    return await request.app[CONTEXT].desk.order(state.number, command), "taken"


async def _escalate(request: web.Request, found: Found) -> tuple[Incident, ReplyKind]:
    state = found.state
    if not state.active:
        return state, "over"
    if found.used:
        return state, "nothing"
    try:
        command = c.Escalate(by=found.person.id, why=f"2 ({VIA})")
        return await request.app[CONTEXT].desk.order(state.number, command), "escalated"
    except Refused:
        return state, "nothing"


async def _content(request: web.Request) -> Any:
    """Return the fields of a call, as JSON or as a form.

    Raises:
        Problem: 413 it is too large, 400 it is neither.
    """
    if request.content_type == "application/x-www-form-urlencoded":
        return dict(await bodies.form(request))
    content = await request.content.read(BODY_MAX_BYTES + 1)
    if len(content) > BODY_MAX_BYTES:
        raise Problem(413, "The body is too large.")
    try:
        return msgspec.json.decode(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise Problem(400, "The body is neither a form nor JSON.") from error


def _keys(content: Any) -> str:
    """Return which keys were pressed; the sign that ends a number is not one of them."""
    said = next((content[name] for name in FIELDS if name in content), "") if isinstance(content, dict) else ""
    if isinstance(said, dict):
        said = said.get("digits", "")
    return str(said)[:KEYS_MAX_CHARS].strip().rstrip("#")


def _say(request: web.Request, found: Found, state: Incident, kind: ReplyKind) -> web.Response:
    context, person = request.app[CONTEXT], found.person
    by = context.settings().directory.people.get(state.acknowledged_by)
    reply = Reply(
        id=f"voice/{state.number}",
        kind=kind,
        at=context.now(),
        incident=state.number,
        by=by.name if by else state.acknowledged_by,
    )
    said = replies.write(reply, person, to="", site="")
    return _answer(person, said.text.partition("\n")[0], again=False)


def _answer(person: Person, text: str, *, again: bool) -> web.Response:
    response = bodies.json({"say": text, "language": LOCALES[person.language], "again": again})
    response.headers["Cache-Control"] = "no-store"
    return response
