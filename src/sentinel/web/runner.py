"""Serves the application so that what never reaches it is answered as everything else: with problem details."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sentinel.web.connections import Connections
from sentinel.web.guard import HEADERS
from sentinel.web.problem import Problem, answer

# What cannot be read has a reason that quotes it; whoever sent it need not be told what it was.
UNREADABLE = "The request cannot be read as HTTP."
OUR_FAULT = "Sentinel made a mistake; its log has it."


class Handler(RequestHandler):
    """One connection."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or what a bug of ours left without an answer; the connection ends."""
        if not isinstance(exc, ConnectionResetError):  # Who left in the middle of a request is no bug of ours.
            super().handle_error(request, status, exc, message)
        ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        response = answer(Problem(status, OUR_FAULT if ours else UNREADABLE))
        response.headers.update(HEADERS)
        response.force_close()
        return response


class Server(web.Server):
    """Makes connections, and ends those that cost without asking for anything."""

    def begin(self) -> None:
        """Watch the connections from now on."""
        self.watched = Connections(self._loop)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take note of a connection."""
        super().connection_made(handler, transport)
        self.watched.made(handler, transport)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        self.watched.lost(handler)

    def pre_shutdown(self) -> None:
        """Take no more requests."""
        self.watched.stop()
        super().pre_shutdown()

    def __call__(self) -> RequestHandler:
        """Take a connection."""
        return Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs the application."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        made.__class__ = Server
        assert isinstance(made, Server), "it was just made one"
        made.begin()
        return made


async def expectation(request: web.Request) -> web.StreamResponse | None:
    """Ask for the body where it is announced, and refuse every other expectation."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return answer(Problem(417, "Only `Expect: 100-continue` is understood."))
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0
    return None
