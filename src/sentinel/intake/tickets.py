"""Webhooks of ticket back-ends at ``/hooks/tickets/NAME``: something was changed there, and is looked at (rule DSP-2).

Most say only which ticket; what it shows is asked for with our own credentials, so that nobody who learns the address
can make an incident change.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import web

from sentinel.core.model import Refused
from sentinel.intake.answers import read_bounded
from sentinel.messages.clean import one_line
from sentinel.web import keys
from sentinel.web.context import CONTEXT
from sentinel.web.guard import charge, charge_stranger
from sentinel.web.problem import Problem

log = structlog.get_logger(__name__)

BODY_MAX_BYTES: Final = 512 * 1024
WHY_MAX_CHARS: Final = 300
KEY_HEADER: Final = "X-Sentinel-Key"
# What several products sign their webhooks with: the header, and the function.
SIGNATURES: Final = {"x-hub-signature-256": "sha256", "x-hub-signature": "sha1"}


async def take(request: web.Request) -> web.Response:
    """Take a webhook; 202 says that it was understood, and that what it names is looked at."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    key = context.settings().ticket_keys.get(name, "")
    headers = {header.lower(): value for header, value in request.headers.items()}
    if not key:
        charge_stranger(request)
        raise Problem(404, "There is nothing here.")
    body = await read_bounded(request, BODY_MAX_BYTES)
    if not (keys.equal(_shown(request), key) or signed(headers, body, key)):
        charge_stranger(request)
        raise Problem(403, "The webhook shows another key, or is not signed with it.")
    charge(request, f"tickets:{name}", "vital")
    try:
        await context.ticket_told(name, headers, body)
    except (ValueError, Refused) as error:
        log.warning("webhook of tickets not understood", backend=name, why=str(error))
        raise Problem(422, f"The webhook cannot be read: {one_line(str(error), WHY_MAX_CHARS)}.") from error
    except KeyError as error:
        raise Problem(404, f"`{name}` has no webhooks; its tickets are asked for regularly.") from error
    return web.Response(status=202, text="What changed is looked at.\n")


def signed(headers: Mapping[str, str], body: bytes, key: str) -> bool:
    """Tell whether a body is signed with the key, as GitHub does and others after it: ``sha256=…``."""
    for header, function in SIGNATURES.items():
        shown = headers.get(header, "")
        wanted = f"{function}={hmac.new(key.encode(), body, getattr(hashlib, function)).hexdigest()}"
        if shown and keys.equal(shown, wanted):
            return True
    return False


def _shown(request: web.Request) -> str:
    return request.headers.get(KEY_HEADER) or request.query.get("key") or keys.shown(request) or ""
