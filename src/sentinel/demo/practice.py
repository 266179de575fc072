"""What is not the site itself: the page that breaks and mends it, the SMS gateway, the outbox to look at."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from sentinel.demo.campus import FAULTS_KEY
from sentinel.demo.faults import FAULTS
from sentinel.demo.letterbox import SHOWN_FILES, letters, put_sms
from sentinel.demo.paper import HEADERS, page, style

OUTBOX: Final = web.AppKey("outbox", Path)
NUMBER: Final = re.compile(r"\+?[0-9]{3,15}")
TEXT_MAX_CHARS: Final = 1_600
REF_MAX_CHARS: Final = 300


def add_to(app: web.Application, outbox: Path) -> None:
    """Add the practice pages and the gateway to an application."""
    app[OUTBOX] = outbox
    app.router.add_get("/practice", control)
    app.router.add_get("/practice/state", state)
    app.router.add_get("/practice/style.css", style_sheet)
    app.router.add_post("/practice/break", break_site)
    app.router.add_post("/practice/mend", mend_site)
    app.router.add_post("/practice/sms", take_sms)
    app.router.add_get("/practice/outbox", show_outbox)


@web.middleware
async def same_origin(request: web.Request, handler: Any) -> web.StreamResponse:
    """Refuse what another site's page made a browser send."""
    origin = request.headers.get("Origin", "")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        raise web.HTTPForbidden(text="This came from another site's page.\n")
    response: web.StreamResponse = await handler(request)
    return response


async def control(request: web.Request) -> web.Response:
    """Show what is wrong, and buttons for it."""
    faults = request.app[FAULTS_KEY]
    return page(request, "practice.html", fault=faults.now, faults=FAULTS, next_in_s=faults.next_in_s)


async def state(request: web.Request) -> web.Response:
    """Tell what is wrong, for programs."""
    faults = request.app[FAULTS_KEY]
    return web.json_response({"fault": faults.now, "next_in_s": faults.next_in_s}, headers=HEADERS)


async def style_sheet(_request: web.Request) -> web.Response:
    """Return the style sheet."""
    return web.Response(text=style(), content_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


async def break_site(request: web.Request) -> web.Response:
    """Break the site with the kind that was asked for."""
    asked = (await _fields(request)).get("kind")
    for fault in FAULTS:
        if fault == asked:
            request.app[FAULTS_KEY].break_with(fault)
            return await _done(request)
    return _refused(f"`kind` is one of {', '.join(FAULTS)}")


async def mend_site(request: web.Request) -> web.Response:
    """Mend the site."""
    request.app[FAULTS_KEY].mend()
    return await _done(request)


async def take_sms(request: web.Request) -> web.Response:
    """Take an SMS as a carrier's gateway does: ``{to, text, ref}`` gives ``{id}``, the same for the same reference."""
    given = await _fields(request)
    to, text, ref = (given.get(name) for name in ("to", "text", "ref"))
    if not isinstance(to, str) or not NUMBER.fullmatch(to):
        return _refused("`to` is a telephone number")
    if not isinstance(text, str) or not 0 < len(text) <= TEXT_MAX_CHARS:
        return _refused(f"`text` has 1 to {TEXT_MAX_CHARS} characters")
    if not isinstance(ref, str) or not 0 < len(ref) <= REF_MAX_CHARS:
        return _refused(f"`ref` has 1 to {REF_MAX_CHARS} characters")
    try:
        sms_id = await asyncio.to_thread(put_sms, request.app[OUTBOX], to, text, ref)
    except OSError as error:
        return web.json_response({"error": f"the outbox cannot be written: {error.strerror or error}"}, status=503)
    return web.json_response({"id": sms_id})


async def show_outbox(request: web.Request) -> web.Response:
    """Show the mails and SMS that were sent, newest first."""
    found = await asyncio.to_thread(letters, request.app[OUTBOX])
    return page(request, "outbox.html", letters=found, most=SHOWN_FILES)


async def _fields(request: web.Request) -> dict[str, Any]:
    """Return what was sent, as a form or as JSON; nothing when it is neither."""
    if request.content_type != "application/json":
        return dict(await request.post()) or dict(request.query)
    try:
        given = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError):
        return {}
    return given if isinstance(given, dict) else {}


async def _done(request: web.Request) -> web.Response:
    """Lead a browser back to the page, and answer programs."""
    if "text/html" in request.headers.get("Accept", ""):
        raise web.HTTPSeeOther("/practice")
    return await state(request)


def _refused(why: str) -> web.Response:
    return web.json_response({"error": why}, status=400)
