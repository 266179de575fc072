"""Stands between a client and a server of any kind, and breaks what passes as told: answers lost, replaced, refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from tests.fakes.http_peer import HttpPeer, Received

SAFE = {"GET", "HEAD", "OPTIONS"}
OURS = {"host", "content-length", "connection", "transfer-encoding", "accept-encoding"}
ANSWER_LIMIT_S = 20


@dataclass
class Middle(HttpPeer):
    """Passes everything on to ``upstream``; nothing at all while it is ``silent``, as a link that is cut.

    ``lose`` picks requests that are carried out and whose answers are lost; ``instead`` answers everything itself.
    """

    upstream: str = ""
    lose: Callable[[Received], bool] = lambda _: False
    instead: Callable[[], web.Response] | None = None
    passed: list[Received] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ANSWER_LIMIT_S)
        connector = aiohttp.TCPConnector(force_close=True)
        self._client = aiohttp.ClientSession(timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return await super().__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self._client.close()

    def writes(self) -> list[str]:
        """Return what was asked that may have changed something."""
        return [f"{one.method} {one.path}" for one in self.passed if one.method not in SAFE]

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        received = Received(request.method, request.raw_path, dict(request.headers), body)
        if self.instead is not None:
            return self.instead()
        if self.silent:
            await self._release.wait()
            return self.respond()
        self.passed.append(received)
        answer = await self._forward(received)
        if self.lose(received):
            assert request.transport is not None
            request.transport.abort()
        return answer

    async def _forward(self, received: Received) -> web.Response:
        headers = {
            name: value.replace(self.url, self.upstream)  # Origin and Referer, as a proxy in front of it would.
            for name, value in received.headers.items()
            if name.lower() not in OURS
        }
        url = URL(f"{self.upstream}{received.path}", encoded=True)
        asked = self._client.request(
            received.method, url, headers=headers, data=received.body or None, allow_redirects=False
        )
        async with asked as answer:
            content = await answer.read()
            told = {name: value for name, value in answer.headers.items() if name.lower() not in OURS}
            told.pop("Content-Encoding", None)
            return web.Response(status=answer.status, body=content, headers=told)
