"""Requests with an ``Idempotency-Key``: what was done once is told again, never done again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from sentinel.engine.answers import Answers
from sentinel.web import peers
from sentinel.web.context import CONTEXT
from sentinel.web.identity import IDENTITY
from sentinel.web.problem import RETRY_AFTER_S, Problem

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
KEY_MAX_CHARS: Final = 255
ANSWER_MAX_BYTES: Final = 1024 * 1024
KEPT_HEADERS: Final = ("Content-Type", "Location")
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{KEY_MAX_CHARS}}}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as it is kept; ``too_large`` when only that there was one."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""
    too_large: bool = False


async def once(request: web.Request, handler: Handler, *, shows_secret: bool) -> web.StreamResponse:
    """Answer a request: if it has a key that was answered before, with what was answered then.

    Raises:
        Problem: 400 the key is none, 409 it is not known what came of it, or it is under way, 422 it was for something
            else, 503 too many keys are taken.
    """
    written, answers = request.headers.get(HEADER), request.app[CONTEXT].answers
    if written is None or answers is None or request.method in {"GET", "HEAD", "OPTIONS"}:
        return await handler(request)
    if not _KEY.fullmatch(written):
        raise Problem(400, f"`{HEADER}` is 1 to {KEY_MAX_CHARS} visible characters of ASCII.")
    if shows_secret:
        raise Problem(400, f"This answers with a secret, which is not kept: leave `{HEADER}` out.")
    key = _digest(_who(request), written)
    fingerprint = _digest(request.method, request.raw_path, (await request.read()).hex())
    standing, body = await answers.take(key, fingerprint)
    match standing:
        case "new":
            return await _kept(request, handler, answers, key)
        case "done":
            return _again(msgspec.msgpack.decode(body, type=Kept))
        case "other":
            raise Problem(422, f"This `{HEADER}` was for something else: take a new one.")
        case "busy":
            raise Problem(409, "The same request is being answered just now.", Retry_After=str(RETRY_AFTER_S))
        case "full":
            raise Problem(503, "Too many keys are kept; send it without.", Retry_After=str(RETRY_AFTER_S))
    raise Problem(409, "Sentinel stopped while it did this: look whether it is done, then take a new key.")


async def _kept(request: web.Request, handler: Handler, answers: Answers, key: str) -> web.StreamResponse:
    done = False
    try:
        response = await handler(request)
        done = response.status // 100 == 2 and isinstance(response, web.Response)
        if done:
            await answers.keep(key, msgspec.msgpack.encode(_written(response)))
        return response
    finally:
        if not done:
            await answers.let_go(key)


def _written(response: web.StreamResponse) -> Kept:
    assert isinstance(response, web.Response), "a stream is not kept"
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    body = response.body if isinstance(response.body, bytes) else b""
    if len(body) > ANSWER_MAX_BYTES:
        return Kept(status=response.status, too_large=True)
    return Kept(status=response.status, headers=headers, body=body)


def _again(kept: Kept) -> web.Response:
    if kept.too_large:
        raise Problem(409, "It was done; the answer was too large to be kept.")
    headers = {**kept.headers, REPLAYED: "true"}
    return web.Response(status=kept.status, headers=headers, body=kept.body)


def _who(request: web.Request) -> str:
    identity = request.get(IDENTITY)
    return f"{identity.key if identity else ''} {peers.user(request)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
