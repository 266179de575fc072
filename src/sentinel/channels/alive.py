"""Places elsewhere that are told that Sentinel lives: healthchecks.io and its kind, other Sentinels, Opsgenie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from sentinel.channels.http import Caller, Request, refusal
from sentinel.probes.net import TargetPolicy

OPSGENIE_URL: Final = "https://api.opsgenie.com"
WHY_MAX_BYTES: Final = 1_000  # Places keep little more of a body, some nothing.


@dataclass(frozen=True, slots=True)
class AlivePlace:
    """One place. ``url`` is where it is asked; for Opsgenie the host of its API, with ``name`` and ``key``."""

    type: Literal["ping", "plain", "opsgenie"]
    url: str = field(repr=False)
    policy: TargetPolicy
    name: str = ""
    key: str = field(default="", repr=False)

    async def alive(self) -> None:
        """Say that all is well.

        Raises:
            Undelivered: nobody heard it.
        """
        if self.type == "opsgenie":
            base = (self.url or OPSGENIE_URL).rstrip("/")
            url = f"{base}/v2/heartbeats/{quote(self.name, safe='')}/ping"
            await self._ask(Request("GET", url, {"Authorization": f"GenieKey {self.key}"}))
        else:
            await self._ask(Request("GET", self.url))

    async def failing(self, why: str) -> None:
        """Say what is wrong, where there is an address for that; elsewhere silence says it.

        Raises:
            Undelivered: nobody heard it.
        """
        if self.type == "ping":
            body = why.encode()[:WHY_MAX_BYTES].decode("utf-8", "ignore").encode()
            await self._ask(Request("POST", below(self.url, "fail"), {"Content-Type": "text/plain"}, body))

    async def _ask(self, request: Request) -> None:
        caller = Caller(self.policy)
        try:
            answer = await caller.call(request)
        finally:
            await caller.close()
        if not answer.ok:
            raise refusal(answer)


def below(url: str, word: str) -> str:
    """Return the address a step below another one; what it asks for besides stays."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{word}"))
