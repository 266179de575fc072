"""A receiver of tickets as somebody might write one: it checks signatures and heeds the Idempotency-Key."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.ticket_peer import TicketPeer

SECRET = "shared-secret-of-the-webhook"
CLOCK_S = 300


@dataclass
class TicketWebhook(TicketPeer):
    """Keeps tickets by their key, changed only by what was not posted before."""

    token: str = "api-token"
    now: float = 1_796_000_000.0
    tickets: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    said: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def opens(self, request: web.Request) -> bool:
        return request.method == "POST"

    def reply(self, request: web.Request, body: bytes) -> web.Response:
        if request.headers.get("X-Api-Token") != self.token:
            return self.told(401, {"error": "who are you?"})
        if request.method == "GET":
            return self._read(request.path.removeprefix("/tickets/"))
        timestamp = request.headers.get("Sentinel-Timestamp", "0")
        signed = hmac.new(SECRET.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.headers.get("Sentinel-Signature", ""), f"v1={signed}"):
            return self.told(403, {"error": "the signature is wrong"})
        if abs(self.now - int(timestamp)) > CLOCK_S:
            return self.told(403, {"error": "the signature is old"})
        return self._take(request.headers["Idempotency-Key"], json.loads(body))

    def _take(self, once: str, content: dict[str, Any]) -> web.Response:
        reference = next((one for one, kept in self.tickets.items() if kept["key"] == content["key"]), "")
        if once not in self.seen:
            reference = reference or f"T-{self.next()}"
            kept = self.tickets.setdefault(reference, {"assignee": ""})
            kept |= content | {"assignee": content["assignee"] or kept["assignee"]}
            self.seen[once] = reference
        return self.told(200, {"ticket": {"id": reference, "number": self.made}})

    def _read(self, reference: str) -> web.Response:
        if reference not in self.tickets:
            return self.told(404, {"error": "no such ticket"})
        kept = self.tickets[reference]
        shown = {"id": reference, "status": kept["state"], "owner": kept["assignee"], "solution": kept["resolution"]}
        return self.told(200, {"ticket": shown, "comments": self.said.get(reference, [])})

    # What people do there.

    def write(self, reference: str, **content: str) -> None:
        """Change a ticket."""
        self.tickets[reference] |= content

    def say(self, reference: str, text: str, by: str) -> None:
        """Say something below a ticket."""
        self.said.setdefault(reference, []).append({"id": str(self.next()), "text": text, "by": by})
