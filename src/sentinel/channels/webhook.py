"""A message as JSON to a place of yours: signed, and with a key under which a repetition can be recognised."""

from __future__ import annotations

import json
from typing import Any

from sentinel.channels.base import ChannelKind, Message, Surroundings
from sentinel.channels.posting import Poster, PostOptions


class WebhookSender(Poster):
    """Posts the facts of a message."""

    async def send(self, message: Message) -> str:
        """Post the message, and return the status it was taken with.

        Raises:
            Undelivered: it was not taken.
        """
        content = {**message.facts, "id": message.id, "subject": message.subject, "text": message.text}
        answer = await self.post(message.id, json.dumps(content, default=str).encode())
        return f"HTTP {answer.status}"


def _build(options: Any, surroundings: Surroundings) -> WebhookSender:
    return WebhookSender(options, surroundings)


KIND = ChannelKind("webhook", PostOptions, _build, "")
