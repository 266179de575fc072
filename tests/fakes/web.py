"""A web server on 127.0.0.1 that answers byte for byte what a test tells it to, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

Responder = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (each.partition("=") for each in (self.header("Cookie") or "").split("; ") if each)
        return {name: value for name, _, value in pairs}


def page(body: bytes | str, status: str = "200 OK", *headers: str) -> bytes:
    """Write a whole answer."""
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(raw)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def redirect(to: str, status: str = "302 Found", *headers: str) -> bytes:
    """Write an answer that leads elsewhere."""
    return page("", status, f"Location: {to}", *headers)


@dataclass
class WebServer:
    """Answers from ``routes`` (bytes, or a coroutine that writes), 404 elsewhere; one request a connection."""

    routes: dict[str, bytes | Responder] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    received: list[Received] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    host: str = "127.0.0.1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls)
        self._talks: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.WriteTransport] = []
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0)  # An aborted transport lets go of its socket in the next turn of the loop.

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        self._talks.add(me)
        self._transports.append(writer.transport)
        try:
            received = await self._read(reader)
            self.received.append(received)
            answer = self.routes.get(received.path, page("nothing here", "404 Not Found"))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(received, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # The client left, which some tests are about.
        finally:
            self.gone.set()
            writer.close()
            self._talks.discard(me)

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("iso-8859-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        return Received(method, target, headers, await reader.readexactly(length), reader)
