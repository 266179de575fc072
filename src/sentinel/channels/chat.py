"""What the chats share: one JSON body to one secret address, within the limit of size that the service documents.

What stands in a message may come from anybody who can make a target fail. Each kind writes it where its service reads
no markup, or takes the markup's meaning from it, so that no text can ring everybody or hide where a link leads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sentinel.channels.base import Message, Options, Surroundings, Undelivered
from sentinel.channels.http import TIMEOUT, Answer, OnePlace, Request, refusal
from sentinel.config.fields import Duration, SecretUrl

CUT: Final = "…"
COLOURS: Final = {"P1": "#a4131d", "P2": "#8a4b00"}
CALM: Final = "#1f4e8c"

Payload = Mapping[str, Any]


class ChatOptions(Options):
    """Where to post. The address is the credential: whoever has it may write there."""

    url: SecretUrl
    timeout: Duration = TIMEOUT


class ChatSender(OnePlace):
    """Posts what ``write`` makes of a message; ``taken`` returns the service's reference, or raises ``Undelivered``."""

    def __init__(
        self,
        options: ChatOptions,
        surroundings: Surroundings,
        write: Callable[[Message], bytes],
        taken: Callable[[Answer], str],
    ) -> None:
        super().__init__(options.url.reveal, surroundings.policy, options.timeout)
        self._write = write
        self._taken = taken
        self.headers: dict[str, str] = {}

    async def send(self, message: Message) -> str:
        """Post the message, and return the service's name for it, or our own where it gives none.

        Raises:
            Undelivered: it was not taken.
        """
        headers = {"Content-Type": "application/json", **self.headers}
        answer = await self._caller.call(Request("POST", self._url(), headers, self._write(message)))
        return self._taken(answer) or message.id


def said_ok(answer: Answer) -> str:
    """Take any 2xx. Where ``ok`` is the documented answer, anything else is a page of somebody in between.

    Raises:
        Undelivered: it is none.
    """
    if not answer.ok:
        raise refusal(answer)
    if answer.text().strip().casefold() != "ok":
        raise Undelivered(f"answered {answer.status}, but not `ok`: {answer.quote()}")
    return ""


def accepted(answer: Answer) -> str:
    """Take any 2xx.

    Raises:
        Undelivered: it is none.
    """
    if not answer.ok:
        raise refusal(answer)
    return ""


def shortened(text: str, max_chars: int) -> str:
    """Cut a text that is too long, and show that it was cut."""
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + CUT


def bounded(text: str, max_bytes: int) -> str:
    """Cut a text that is too long in UTF-8, never inside a character, and show that it was cut."""
    data = text.encode("utf-8", "replace")
    if len(data) <= max_bytes:
        return text
    return data[: max_bytes - len(CUT.encode())].decode("utf-8", "ignore").rstrip() + CUT


def fitted(write: Callable[[str], Payload], text: str, max_bytes: int) -> bytes:
    """Return the body with as much of a text as fits: what is written around it is never cut."""
    limit = len(text)
    while True:
        body = dumped(write(shortened(text, limit) if limit else ""))
        if len(body) <= max_bytes or not limit:
            return body
        limit = max(0, min(limit - 1, limit * max_bytes // len(body) - 1))


def dumped(payload: Payload) -> bytes:
    """Write JSON as UTF-8; lone surrogates, which no message of ours has, become question marks."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def colour(message: Message) -> str:
    """Return the colour of the bar beside a message: by what is asked, never the only sign of it."""
    return COLOURS.get(message.priority, CALM) if message.asking else CALM
