"""What the stand-ins for ticket systems share: being down or busy, an index that lags, and what they were asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.http_peer import HttpPeer, Received

BUSY_S = 7


@dataclass
class TicketPeer(HttpPeer):
    """Answers JSON by ``reply``. ``down`` answers 503 to everything, ``busy`` so many requests with 429.

    ``lost`` so many writes are carried out and their answers lost; while it is ``lagging``, a search knows nothing of
    what was made since. ``page`` is what a proxy or a sign-in page answers with 200 to everything.
    """

    down: bool = False
    busy: int = 0
    lost: int = 0
    lagging: bool = False
    page: str = ""
    asked: list[str] = field(default_factory=list)
    made: int = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:  # type: ignore[override]  # of a broken answer
        body = await request.read()
        self.asked.append(f"{request.method} {request.path}")
        self.received.append(Received(request.method, request.raw_path, dict(request.headers), body))
        if self.down:
            return web.Response(status=503, text="<html>down for maintenance</html>", content_type="text/html")
        if self.page:
            return web.Response(text=self.page, content_type="text/html")
        if self.busy:
            self.busy -= 1
            return self.told(429, {"message": "slow down"}, {"Retry-After": str(BUSY_S)})
        answer = self.reply(request, body)
        if self.lost and request.method != "GET" and answer.status // 100 == 2 and self.opens(request):
            self.lost -= 1
            assert request.transport is not None
            request.transport.abort()
        return answer

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        """Answer as the product does."""
        raise NotImplementedError

    def opens(self, request: web.Request) -> bool:
        """Whether a request opens a ticket; ``lost`` is about those."""
        raise NotImplementedError

    def next(self) -> int:
        """Return a number that was never given before."""
        self.made += 1
        return self.made

    @staticmethod
    def told(status: int, content: Any = None, headers: dict[str, str] | None = None) -> web.Response:
        """Make an answer; 204 says nothing."""
        if content is None:
            return web.Response(status=status, headers=headers)
        return web.Response(status=status, text=json.dumps(content), content_type="application/json", headers=headers)

    def writes(self) -> list[str]:
        """Return what was asked that may have changed something."""
        return [line for line in self.asked if not line.startswith("GET ")]
