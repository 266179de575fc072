"""A telephone call, by a webhook of whatever makes calls: what to say, in which language, and where keys are told.

The other side is a program of yours or of a provider: it calls the number, reads the text out, and posts the key that
was pressed to ``reply_url``. That address is for this person and this message, and serves as a link in an SMS does.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sentinel.channels.base import ChannelKind, Message, Surroundings
from sentinel.channels.chat import dumped
from sentinel.channels.http import Answer
from sentinel.channels.posting import Poster, PostOptions

LOCALES: Final = {"fr": "fr-FR", "en": "en-GB"}
KEYS: Final = "12"


class VoiceSender(Poster):
    """Asks for one call; whether somebody lifts the receiver is told later, or never."""

    async def send(self, message: Message) -> str:
        """Ask for the call, and return its name: the ``id`` of the answer, or our own.

        Raises:
            Undelivered: nobody will call.
        """
        return _reference(await self.post(message.id, dumped(asked(message)))) or message.id


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


KIND = ChannelKind("voice", PostOptions, _build, "mobile")
