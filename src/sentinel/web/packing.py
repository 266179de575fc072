"""Answers are sent compressed to whoever takes them so: a page of tables is a tenth of its size then.

What compresses together can be guessed from its size (BREACH) by somebody who has a browser ask again and again with
words of theirs: the cookie of a session is not sent with what another site asks, and a token by nobody but its owner.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web
from isal import isal_zlib

from sentinel.web.guard import Handler

PACKED_FROM_BYTES: Final = 1024  # Less goes into one packet as it is.
LEVEL: Final = 2  # A page of 200 kB takes a millisecond.
GZIP: Final = 31  # The largest window, in gzip's wrapping, as zlib says it.
KINDS: Final = frozenset(
    {
        "application/atom+xml", "application/json", "application/problem+json", "image/svg+xml",
        "text/calendar", "text/css", "text/csv", "text/html", "text/javascript", "text/markdown", "text/plain",
    }
)  # fmt: skip


@web.middleware
async def packed(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compress what is answered, when it is text, is worth it and is whole; streams look after themselves."""
    response = await handler(request)
    if not isinstance(response, web.Response) or response.content_type not in KINDS:
        return response
    body = response.body
    if not isinstance(body, bytes) or len(body) < PACKED_FROM_BYTES or "Content-Encoding" in response.headers:
        return response
    known = response.headers.get("Vary", "")
    response.headers["Vary"] = f"{known}, Accept-Encoding" if known else "Accept-Encoding"
    if takes_gzip(request.headers.get("Accept-Encoding", "")):
        response.body = isal_zlib.compress(body, LEVEL, GZIP)
        response.headers["Content-Encoding"] = "gzip"
    return response


def takes_gzip(accepted: str) -> bool:
    """Tell whether a header says that gzip is taken; a weight of zero says that it is not."""
    for one in accepted.lower().split(","):
        name, _, parameters = one.partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return parameters.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
