"""Sends the metrics page piece by piece: ten thousand targets are fifteen megabytes, and nobody may wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

import structlog
from aiohttp import web
from isal import isal_zlib

log = structlog.get_logger(__name__)

PAGE_WITHIN_S: Final = 60.0  # Prometheus gives up long before.
WRITE_FROM_BYTES: Final = 64 * 1024
COMPRESSION_LEVEL: Final = 1  # ten times faster than zlib's usual for a page a fifth larger
GZIP: Final = 31  # The largest window, in gzip's wrapping, as zlib says it.


async def send(request: web.Request, pieces: Iterator[bytes], content_type: str) -> web.StreamResponse:
    """Send a page; others have their turn after each piece, and a slow client holds up nobody but itself.

    What cannot be sent to its end is broken off: half a page must not be taken for a whole one.
    """
    response = web.StreamResponse(headers={"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"})
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    whole = False
    try:
        async with asyncio.timeout(PAGE_WITHIN_S):
            await _write(response, pieces, packed)
            await response.write_eof()
        whole = True
    except ConnectionError:
        log.debug("a client went away before it had its metrics page")
    except TimeoutError:
        log.warning("a client was too slow for its metrics page", within_s=PAGE_WITHIN_S)
    finally:
        if not whole and request.transport is not None:
            request.transport.abort()
    return response


async def _write(response: web.StreamResponse, pieces: Iterator[bytes], packed: bool) -> None:
    compressor = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, GZIP)
    squeeze: Callable[[bytes], bytes] = compressor.compress if packed else bytes
    held = bytearray()
    for piece in pieces:
        held += squeeze(piece)
        if len(held) >= WRITE_FROM_BYTES:
            await response.write(bytes(held))
            held.clear()
        await asyncio.sleep(0)
    await response.write(bytes(held) + (compressor.flush() if packed else b""))
