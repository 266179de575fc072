"""Who may come in by Opsgenie's door, and how every answer looks: its body, its headers, its errors."""

from __future__ import annotations

import base64
import binascii
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from sentinel.core.model import Refused
from sentinel.engine.alerts import TooMany
from sentinel.intake.answers import json
from sentinel.intake.opsgenie.bodies import SAID_MAX_CHARS, Wrong
from sentinel.intake.opsgenie.watch import Watch
from sentinel.messages.clean import one_line
from sentinel.store.base import StoreUnavailable
from sentinel.web import keys
from sentinel.web.context import CONTEXT, Integration
from sentinel.web.guard import charge, charge_stranger
from sentinel.web.limits import Weight
from sentinel.web.problem import RETRY_AFTER_S, Problem

SOURCE: Final = "opsgenie"
PERIOD_S: Final = 60
API: Final = "/opsgenie/v2"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: ``body`` without what every body has; ``request`` is the id of what can be asked about later."""

    body: dict[str, Any]
    status: int = 200
    request: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Caller:
    """A request, the integration whose key it shows, and what its alerts are kept in."""

    request: web.Request
    integration: Integration
    watch: Watch


Handle = Callable[[Caller], Awaitable[Reply]]


def speaking(handle: Handle, weight: Weight) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Let in who has a key, and answer as Opsgenie does, its errors included."""

    async def handler(request: web.Request) -> web.StreamResponse:
        begun_s = time.perf_counter()
        try:
            caller = admit(request, weight)
            return _written(await handle(caller), begun_s)
        except Wrong as error:
            if error.status in {400, 422} and request.method == "POST":
                request.app[CONTEXT].alerts_heard(SOURCE, 0, 0, 1)
            return _refused(error, begun_s)
        except Problem as problem:
            answer = _refused(Wrong(problem.status, problem.detail), begun_s)
            answer.headers.update(problem.headers)
            if problem.status == 429:
                answer.headers["X-RateLimit-State"] = "THROTTLED"
            return answer
        except web.HTTPRequestEntityTooLarge:
            return _refused(Wrong(413, "Request body is too large"), begun_s)
        except Refused as refusal:
            return _refused(Wrong(422, str(refusal)), begun_s)
        except (StoreUnavailable, TooMany) as error:
            answer = _refused(Wrong(503, f"Not now: {error}"), begun_s)
            answer.headers["Retry-After"] = str(RETRY_AFTER_S)
            return answer

    return handler


def admit(request: web.Request, weight: Weight) -> Caller:
    """Return who asks.

    Raises:
        Wrong: 404 the door is closed, 401 no key of an integration is shown.
        Problem: 429 there are too many requests.
    """
    context = request.app[CONTEXT]
    integrations = context.settings().opsgenie
    if not integrations:
        raise Wrong(404, "`intake.opsgenie` is not enabled.")
    shown, found = key_of(request), None
    for one in integrations:  # All of them, so that the time taken tells nothing.
        if shown and keys.equal(shown, one.key):
            found = one
    if found is None:
        charge_stranger(request)
        raise Wrong(401, "Could not authenticate" if shown else "You are unauthorized: show the key of an integration")
    charge(request, f"opsgenie:{found.name}", weight)
    assert context.opsgenie is not None, "the daemon always has it"
    return Caller(request, found, context.opsgenie)


def key_of(request: web.Request) -> str:
    """Return the key that a request shows: as ``GenieKey``, as basic authentication, or as ``apiKey``."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "geniekey":
            return value.strip()
        case "basic":
            return _basic(value.strip())
        case _:
            return request.query.get("apiKey", "")


def _basic(value: str) -> str:
    """Return a key written in base64, alone or as a password."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    name, colon, password = text.partition(":")
    return password if colon and password else name


def _written(reply: Reply, begun_s: float) -> web.Response:
    took_s = round(time.perf_counter() - begun_s, 6)
    answer = json({**reply.body, "took": took_s, "requestId": reply.request}, reply.status)
    answer.headers["X-Request-ID"] = reply.request
    answer.headers["X-Response-Time"] = str(took_s)
    answer.headers["X-RateLimit-State"] = "OK"
    answer.headers["X-RateLimit-Reason"] = "INTEGRATION"
    answer.headers["X-RateLimit-Period-In-Sec"] = str(PERIOD_S)
    return answer


def _refused(error: Wrong, begun_s: float) -> web.Response:
    body: dict[str, Any] = {"message": one_line(error.message, SAID_MAX_CHARS)}
    if error.errors:
        body["errors"] = error.errors
    if error.code:
        body["code"] = error.code
    return _written(Reply(body, error.status), begun_s)
