"""A telephone call, by a webhook of whatever makes calls: what to say, in which language, and where keys are told.

The other side is a program of yours or of a provider: it calls the number, reads the text out, and posts the key that
was pressed to ``reply_url``. That address is for this person and this message, and serves as a link in an SMS does.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pydantic import Field

from sentinel.channels.base import ChannelKind, Message, Options, Surroundings
from sentinel.channels.chat import dumped
from sentinel.channels.http import TIMEOUT, Answer, Caller, Request, refusal
from sentinel.channels.signature import sign
from sentinel.config.fields import Duration, Secret, Url

LOCALES: Final = {"fr": "fr-FR", "en": "en-GB"}
KEYS: Final = "12"


class VoiceOptions(Options):
    """Where to ask for a call. ``secret`` signs what is asked, as a webhook is; ``headers`` may hold credentials."""

    url: Url
    secret: Secret | None = None
    headers: dict[str, Secret] = Field(default_factory=dict)
    timeout: Duration = TIMEOUT


class VoiceSender:
    """Asks for one call; whether somebody lifts the receiver is told later, or never."""

    def __init__(self, options: VoiceOptions, surroundings: Surroundings) -> None:
        self._options = options
        self._surroundings = surroundings
        self._caller = Caller(surroundings.policy, options.timeout)

    async def send(self, message: Message) -> str:
        """Ask for the call, and return its name: the ``id`` of the answer, or our own.

        Raises:
            Undelivered: nobody will call.
        """
        body = dumped(asked(message))
        headers = {name: value.reveal() for name, value in self._options.headers.items()}
        headers |= {"Content-Type": "application/json", "Idempotency-Key": message.id}
        if self._options.secret:
            timestamp = int(self._surroundings.now())
            headers["Sentinel-Timestamp"] = str(timestamp)
            headers["Sentinel-Signature"] = sign(self._options.secret.reveal(), timestamp, body)
        answer = await self._caller.call(Request("POST", self._options.url, headers, body))
        if not answer.ok:
            raise refusal(answer)
        return _reference(answer) or message.id

    async def check(self) -> None:
        """Connect without asking for a call.

        Raises:
            Undelivered: nobody answers there.
        """
        await self._caller.reach(self._options.url)

    async def close(self) -> None:
        """Let go of connections."""
        await self._caller.close()


def asked(message: Message) -> dict[str, Any]:
    """Return what the other side is told; without somebody to take charge there is no key to press."""
    acting = next((link.url for link in message.links if link.acts), "")
    asked = {
        "id": message.id,
        "to": message.to,
        "language": LOCALES[message.language],
        "text": message.spoken or message.sms,
        "priority": message.priority,
    }
    return asked | ({"keys": KEYS, "reply_url": f"{acting}/keys"} if acting else {})


def _reference(answer: Answer) -> str:
    try:
        found = json.loads(answer.body).get("id")
    except (ValueError, AttributeError):
        return ""
    return str(found)[:200] if isinstance(found, str | int) else ""


def _build(options: Any, surroundings: Surroundings) -> VoiceSender:
    return VoiceSender(options, surroundings)


KIND = ChannelKind("voice", VoiceOptions, _build, "mobile")
