"""Bounds what connections cost that say nothing, or only drip: each has a time to speak in, and all together a limit.

A request that has arrived whole is never touched; neither is the control socket, which only this machine's own users
reach.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

log = structlog.get_logger(__name__)

HEAD_WITHIN_S: Final = 10.0
BODY_WITHIN_S: Final = 60.0
CONNECTIONS_MAX: Final = 1_000
OF_DESCRIPTORS: Final = 4  # A quarter of what the process may open is the most that connections take.
LOOK_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Seen:
    """A connection: which request is being answered, and since when that has been so."""

    since_s: float
    request: web.BaseRequest | None = None


class Connections:
    """Knows the connections of a server. It looks once a second, and only while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._seen: dict[RequestHandler, _Seen] = {}
        self._looking: asyncio.TimerHandle | None = None
        self._crowded = False
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft // OF_DESCRIPTORS)

    def made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take note of a connection; when there are too many, the one that has been idle for longest ends."""
        found = transport.get_extra_info("socket")
        if found is None or found.family == socket.AF_UNIX:
            return
        self._seen[handler] = _Seen(self._loop.time())
        if len(self._seen) > self.most:
            self._make_room()
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK_EVERY_S, self._look)

    def lost(self, handler: RequestHandler) -> None:
        """Forget a connection."""
        self._seen.pop(handler, None)

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    def _make_room(self) -> None:
        if not self._crowded:
            log.warning("too many connections; those that have been idle for longest are ended", limit=self.most)
            self._crowded = True
        idle = next((one for one in self._seen if _request_of(one) is None), None)
        # When every other one is being answered, the newest, which has asked for nothing yet, is the idle one.
        if idle is not None:
            self._end(idle)

    def _look(self) -> None:
        now, self._looking = self._loop.time(), None
        for handler, seen in list(self._seen.items()):
            request = _request_of(handler)
            if request is not seen.request:
                seen.request, seen.since_s = request, now
            if request is None and not handler._request_count:
                late = now - seen.since_s > HEAD_WITHIN_S
            else:  # Between two requests a connection ends by ``keepalive_timeout``.
                late = request is not None and not request.content.is_eof() and now - seen.since_s > BODY_WITHIN_S
            if late:
                self._end(handler)
        if len(self._seen) < self.most:
            self._crowded = False
        if self._seen:
            self._looking = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _end(self, handler: RequestHandler) -> None:
        self._seen.pop(handler, None)
        handler.force_close()


def _request_of(handler: RequestHandler) -> web.BaseRequest | None:
    """Return the request that is being answered."""
    return handler._current_request
