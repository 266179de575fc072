"""The only way out of a browser: a proxy of our own, so that our resolver and the policy on targets hold for pages."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
from collections.abc import Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from sentinel.config.fields import HostPort
from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import open_socket
from sentinel.probes.relay import LOOPBACK, READ_BYTES, accepted, until_either_ends

HEAD_MAX_BYTES: Final = 64 * 1024
RECEIVED_MAX_BYTES: Final = 64 << 20
CONNECTIONS_MAX: Final = 300
HOSTS_MAX: Final = 100
WAITING_MAX: Final = 100  # Connections that are not accepted yet.
FULL_PAUSE_S: Final = 1.0
HEAD_END: Final = b"\r\n\r\n"
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
        self._door = socket.create_server((LOOPBACK, 0), backlog=WAITING_MAX)
        self._door.setblocking(False)
        self.address = f"http://{LOOPBACK}:{self._door.getsockname()[1]}"
        self._begin(self._let_in())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._door.close()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _let_in(self) -> None:
        while True:
            try:
                browser = await accepted(self._door)
            except OSError:  # No descriptor is left for it: it waits at the door.
                await asyncio.sleep(FULL_PAUSE_S)
                continue
            # Not in the task: one that is cancelled before its first step never closes anything.
            self._begin(self._serve(browser)).add_done_callback(partial(_close, browser))

    async def _serve(self, browser: socket.socket) -> None:
        say = partial(asyncio.get_running_loop().sock_sendall, browser)
        # A browser that goes, or asks for nonsense, is its own affair.
        with contextlib.suppress(OSError, ValueError):
            head, begun = await _head(browser)
            first, *lines = head.split("\r\n")
            method, where, _ = first.split(" ", 2)
            if not any(self._knows(line) for line in lines):
                await say(_answer("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="probe"'))
                return
            target = HostPort.read(where) if method == "CONNECT" else _authority(where)
            upstream = await self._open(target)
            if upstream is None:
                await say(_answer("502 Bad Gateway"))
                return
            with upstream:
                if method == "CONNECT":
                    await say(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    begun = _plain(method, where, lines) + begun
                await until_either_ends(self._send(browser, upstream, begun), self._receive(browser, upstream))

    def _knows(self, line: str) -> bool:
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

    async def _send(self, browser: socket.socket, upstream: socket.socket, begun: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(upstream, begun)
        while data := await loop.sock_recv(browser, READ_BYTES):
            await loop.sock_sendall(upstream, data)

    async def _receive(self, browser: socket.socket, upstream: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while self._left_bytes > 0 and (data := await loop.sock_recv(upstream, READ_BYTES)):
            self._left_bytes -= len(data)
            await loop.sock_sendall(browser, data)


def _close(connection: socket.socket, _: object) -> None:
    connection.close()


async def _head(browser: socket.socket) -> tuple[str, bytes]:
    """Return the head of a request, and what has come of what follows it.

    Raises:
        ValueError: it ends early, or is too long.
    """
    come = bytearray()
    while (end := come.find(HEAD_END)) < 0:
        room = HEAD_MAX_BYTES - len(come)
        if not room or not (data := await asyncio.get_running_loop().sock_recv(browser, room)):
            raise ValueError("no head of a request")
        come += data
    return come[:end].decode("latin-1"), bytes(come[end + len(HEAD_END) :])


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
