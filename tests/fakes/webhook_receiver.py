"""A receiver of webhooks that checks signatures, with code of its own."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.http_peer import HttpPeer


@dataclass
class WebhookReceiver(HttpPeer):
    """Answers 401 to what is not signed with its ``secret``, when it has one."""

    secret: str = ""

    def respond(self) -> web.Response:
        if self.secret and not self._signed():
            return web.Response(status=401, text="bad signature")
        return super().respond()

    def _signed(self) -> bool:
        last = self.received[-1]
        stamp = last.headers.get("Sentinel-Timestamp", "")
        digest = hmac.new(self.secret.encode(), stamp.encode() + b"." + last.body, hashlib.sha256).hexdigest()
        return last.headers.get("Sentinel-Signature", "") == f"v1={digest}"
