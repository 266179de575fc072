"""An SMS gateway on 127.0.0.1, and what the real ones answer: written after their documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.fakes.http_peer import HttpPeer

TAKEN: dict[str, tuple[int, dict[str, Any] | str]] = {
    "ovh": (200, {"totalCreditsRemoved": 1, "invalidReceivers": [], "ids": [27814656], "validReceivers": ["x"]}),
    "twilio": (201, {"sid": "SM0123", "status": "queued", "error_code": None}),
    "vonage": (200, {"message-count": "1", "messages": [{"message-id": "0C01", "status": "0"}]}),
    "brevo": (201, {"messageId": 1511882900176220}),
    "smsapi": (200, {"count": 1, "list": [{"id": "6079", "points": 0.16, "status": "QUEUE", "error": None}]}),
    "smsmode": (201, {"messageId": "c1b2", "refClient": "x", "status": {"value": "ENROUTE"}}),
    "kannel": (202, "0: Accepted for delivery"),
}


@dataclass
class SmsGateway(HttpPeer):
    """Takes messages as the gateway of a preset does."""

    def speak(self, preset: str) -> None:
        """Answer from now on as that gateway does when it takes a message."""
        self.status, content = TAKEN[preset]
        self.answer = content if isinstance(content, str) else json.dumps(content)
