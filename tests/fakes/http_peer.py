"""What the fakes that speak HTTP share: a server on 127.0.0.1 that keeps what it was sent and answers as told."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire, and when, in seconds that only grow."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic, compare=False)


@dataclass
class HttpPeer:
    """Answers every request with ``status``, ``answer`` and ``headers``; not at all while it is ``silent``."""

    status: int = 200
    answer: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    received: list[Received] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        self._release = asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release.set()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Return the address of the peer."""
        return f"http://127.0.0.1:{self.port}"

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.append(Received(request.method, request.raw_path, dict(request.headers), body))
        if self.silent:
            await self._release.wait()
        return self.respond()

    def respond(self) -> web.Response:
        """Make the answer; a fake of a certain kind says it in its own words."""
        return web.Response(status=self.status, text=self.answer, headers=self.headers)
