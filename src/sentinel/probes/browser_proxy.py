"""The only way out of a browser: a proxy of our own, so that our resolver and the policy on targets hold for pages."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from sentinel.config.fields import HostPort
from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import open_socket
from sentinel.probes.relay import until_either_ends

READ_BYTES: Final = 64 * 1024
HEAD_MAX_BYTES: Final = 64 * 1024
RECEIVED_MAX_BYTES: Final = 64 << 20
CONNECTIONS_MAX: Final = 300
HOSTS_MAX: Final = 100
USER: Final = "sentinel"


class Proxy:
    """Serves one run of one browser, on a port of 127.0.0.1 and with a password that nobody else knows.

    ``failures`` says for each host, as ``host:port``, why it was not reached.
    """

    def __init__(self, sight: Sight) -> None:
        self.failures: dict[str, Failed] = {}
        self.password = secrets.token_urlsafe(24)
        self._sight = sight
        self._tasks: set[asyncio.Task[None]] = set()
        self._left_bytes = RECEIVED_MAX_BYTES
        self._connections = 0
        pair = f"{USER}:{self.password}"
        self._credentials = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=HEAD_MAX_BYTES)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A browser that goes, or asks for nonsense, is its own affair.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            method, where, _ = first.split(" ", 2)
            if not any(self._lets_in(line) for line in lines):
                writer.write(_answer("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="probe"'))
                return
            target = HostPort.read(where) if method == "CONNECT" else _authority(where)
            upstream = await self._open(target)
            if upstream is None:
                writer.write(_answer("502 Bad Gateway"))
                return
            with upstream:
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    await asyncio.get_running_loop().sock_sendall(upstream, _plain(method, where, lines))
                await until_either_ends(self._send(reader, upstream), self._receive(writer, upstream))

    def _lets_in(self, line: str) -> bool:
        name, _, value = line.partition(":")
        return name.lower() == "proxy-authorization" and secrets.compare_digest(value.strip(), self._credentials)

    async def _open(self, target: HostPort) -> socket.socket | None:
        """Connect to a host that a page wants, as a probe would."""
        self._connections += 1
        try:
            if self._connections > CONNECTIONS_MAX or self._left_bytes <= 0:
                raise Failed("size", "the pages take more connections or bytes than a run is given")
            address = await self._sight.resolver.resolve(target.host)
            return await open_socket(self._sight, address, target.port)
        except Failed as failure:
            if len(self.failures) < HOSTS_MAX:
                self.failures[str(target)] = failure
            self._sight.fact(f"{target} was not reached: {failure.detail}")
            return None

    async def _send(self, reader: asyncio.StreamReader, upstream: socket.socket) -> None:
        while data := await reader.read(READ_BYTES):
            await asyncio.get_running_loop().sock_sendall(upstream, data)

    async def _receive(self, writer: asyncio.StreamWriter, upstream: socket.socket) -> None:
        while self._left_bytes > 0 and (data := await asyncio.get_running_loop().sock_recv(upstream, READ_BYTES)):
            self._left_bytes -= len(data)
            writer.write(data)
            await writer.drain()


def _authority(where: str) -> HostPort:
    parts = urlsplit(where)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("no address for a proxy")
    return HostPort(parts.hostname, parts.port or 80)


def _plain(method: str, where: str, lines: list[str]) -> bytes:
    """Return a request as the server itself is asked: one a connection, as the next may be for another host."""
    parts = urlsplit(where)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1")


def _answer(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]).encode()
