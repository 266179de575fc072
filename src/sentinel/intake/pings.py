"""Calls of jobs: ``/ping`` as healthchecks.io has it, and the push addresses of Uptime Kuma and Gatus as aliases.

The secret part of the address is all there is to know, so each is compared in constant time. Jobs call from anywhere
and seldom twice: what a call says is on disk before it is answered.
"""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from aiohttp import web

from sentinel.config.fields import read_duration
from sentinel.core.pings import BODY_MAX_CHARS, Kind, Said
from sentinel.intake.ping_limits import LIMITS
from sentinel.messages.clean import clean
from sentinel.web import bodies
from sentinel.web.context import CONTEXT, Job
from sentinel.web.guard import Route, charge_stranger

EXIT_STATUS_MAX: Final = 255
RAN_MAX_S: Final = 366 * 86_400.0
SLUG: Final = re.compile(r"[a-z0-9_-]{1,100}")
WORDS: Final[dict[str, Kind]] = {"": "success", "start": "start", "fail": "fail", "log": "log"}
HEADERS: Final = {"Access-Control-Allow-Origin": "*", "Ping-Body-Limit": str(BODY_MAX_CHARS)}
METHODS: Final = ("GET", "POST")


def routes() -> list[Route]:
    """Return what jobs call."""
    paths = ("/ping/{key}", "/ping/{key}/{word}", "/ping/{key}/{slug}/{word}")
    return [
        *(Route(method, path, ping, access="anyone") for method in METHODS for path in paths),
        *(Route(method, "/api/push/{key}", push, access="anyone") for method in METHODS),
        Route("POST", "/api/v1/endpoints/{name}/external", external, access="anyone"),
    ]


async def ping(request: web.Request) -> web.Response:
    """Hear a job, as healthchecks.io does: by its key, or by the key of all and its slug."""
    settings = request.app[CONTEXT].settings()
    word, slug = request.match_info.get("word", ""), request.match_info.get("slug", "")
    job = _known(settings.jobs, request.match_info["key"])
    if job is None and settings.ping_key and _same(settings.ping_key, request.match_info["key"]):
        slug, word = (slug, word) if slug else (word, "")
        if not SLUG.fullmatch(slug):
            return _text("invalid url format", 400)
        job = next((one for one in settings.jobs if one.slug == slug), None)
    elif slug:
        job = None
    if job is None:
        charge_stranger(request)
        return _text("not found", 404)
    said = _said(word)
    if said is None:
        return _text("invalid url format", 400) if word.isdecimal() else _text("not found", 404)
    rid = request.query.get("rid", "")
    if rid and not _is_uuid(rid):
        return _text("invalid uuid format", 400)
    if job.post_only and request.method != "POST":
        return _text("OK")
    kind, status = said
    body = await _body(request)
    if not word and body and job.meaning is not None:
        kind = job.meaning(body)
    await _hear(request, job, Said(kind=kind, rid=rid.lower(), status=status, body=body))
    return _text("OK")


async def push(request: web.Request) -> web.Response:
    """Hear a job as Uptime Kuma does: ``status`` up or down, ``msg``, ``ping`` in milliseconds."""
    job = _known(request.app[CONTEXT].settings().jobs, request.match_info["key"])
    if job is None:
        charge_stranger(request)
        return bodies.json({"ok": False, "msg": "Monitor not found or not active."}, status=404)
    kind: Kind = "fail" if request.query.get("status", "up") == "down" else "success"
    ran_s = _number(request.query.get("ping", ""), 0.001)
    said = Said(kind=kind, body=_cut(request.query.get("msg", "")), ran_s=ran_s)
    await _hear(request, job, said)
    return bodies.json({"ok": True})


async def external(request: web.Request) -> web.Response:
    """Hear a job as Gatus does: ``success``, ``error`` and ``duration``, with the job's key as bearer."""
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not shown:
        return _text("invalid Authorization header", 401)
    job = _known(request.app[CONTEXT].settings().jobs, shown.strip())
    if job is None or job.name != request.match_info["name"]:
        charge_stranger(request)
        return _text("invalid token", 401)
    success = request.query.get("success", "")
    if success not in {"true", "false"}:
        return _text("invalid success value", 400)
    try:
        ran = read_duration(request.query["duration"]).total_seconds() if request.query.get("duration") else None
    except ValueError:
        return _text("invalid duration", 400)
    error = _cut(request.query.get("error", ""))
    said = Said(kind="success" if success == "true" else "fail", body=error, ran_s=ran)
    await _hear(request, job, said)
    return _text("")


def _known(jobs: Iterable[Job], key: str) -> Job | None:
    """Find a job by its key, comparing with every one so that the time taken tells nothing."""
    found = None
    for job in jobs:
        if job.key and _same(job.key, key):
            found = job
    return found


def _same(known: str, shown: str) -> bool:
    return hmac.compare_digest(known.encode(), shown.encode("utf-8", "surrogateescape"))


def _said(word: str) -> tuple[Kind, int | None] | None:
    """Return what the end of the address says: a word, or an exit status."""
    if word in WORDS:
        return WORDS[word], None
    if word.isascii() and word.isdecimal() and len(word) <= 3 and int(word) <= EXIT_STATUS_MAX:
        return ("fail" if int(word) else "success"), int(word)
    return None


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _number(text: str, factor: float) -> float | None:
    try:
        value = float(text) * factor
    except ValueError:
        return None
    return value if 0 <= value <= RAN_MAX_S else None


async def _body(request: web.Request) -> str:
    """Return what was sent with a call, as far as it is kept; the rest is read and forgotten, as the sender expects."""
    kept = bytearray()
    async for chunk in request.content.iter_chunked(65536):
        kept += chunk[: max(0, BODY_MAX_CHARS - len(kept))]
    return _cut(kept.decode("utf-8", "replace"))


def _cut(text: str) -> str:
    return clean(text, BODY_MAX_CHARS)


async def _hear(request: web.Request, job: Job, said: Said) -> None:
    context = request.app[CONTEXT]
    request.app[LIMITS].see(job.name, said, context.job(job.name), time.monotonic())
    await context.heard(job.name, said)


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, headers=HEADERS)
