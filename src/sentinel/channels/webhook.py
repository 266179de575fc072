"""A message as JSON to a place of yours: signed, and with a key under which a repetition can be recognised."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from sentinel.channels.base import ChannelKind, Message, Options, Surroundings
from sentinel.channels.http import TIMEOUT, Caller, Request, refusal
from sentinel.channels.signature import sign
from sentinel.config.fields import Duration, Secret, Url


class WebhookOptions(Options):
    """Where to post. ``secret`` signs what is sent; ``headers`` may hold credentials."""

    url: Url
    secret: Secret | None = None
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: Duration = TIMEOUT


class WebhookSender:
    """Posts the facts of a message."""

    def __init__(self, options: WebhookOptions, surroundings: Surroundings) -> None:
        self._options = options
        self._surroundings = surroundings
        self._caller = Caller(surroundings.policy, options.timeout)

    async def send(self, message: Message) -> str:
        """Post the message, and return the status it was taken with.

        Raises:
            Undelivered: it was not taken.
        """
        answer = await self._caller.call(self._request(message))
        if not answer.ok:
            raise refusal(answer)
        return f"HTTP {answer.status}"

    async def check(self) -> None:
        """Connect without posting.

        Raises:
            Undelivered: nobody answers there.
        """
        await self._caller.reach(self._options.url)

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()

    def _request(self, message: Message) -> Request:
        content = {**message.facts, "id": message.id, "subject": message.subject, "text": message.text}
        body = json.dumps(content, default=str).encode()
        headers = {name: value.reveal() for name, value in self._options.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": message.id}
        if self._options.secret:
            timestamp = int(self._surroundings.now())
            headers["Sentinel-Timestamp"] = str(timestamp)
            headers["Sentinel-Signature"] = sign(self._options.secret.reveal(), timestamp, body)
        return Request("POST", self._options.url, headers, body)


def _build(options: Any, surroundings: Surroundings) -> WebhookSender:
    return WebhookSender(options, surroundings)


KIND = ChannelKind("webhook", WebhookOptions, _build, "")
