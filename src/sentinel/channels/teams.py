"""A message to Microsoft Teams by a Workflow: an adaptive card, everything from outside in runs that know no markup.

A ``TextBlock`` reads Markdown, a ``TextRun`` does not; mentions need an entity that no text can make.
"""

from __future__ import annotations

from typing import Any, Final

from sentinel.channels.base import ChannelKind, Message, Surroundings
from sentinel.channels.chat import ChatOptions, ChatSender, Payload, accepted, fitted, shortened

CARD_MAX_BYTES: Final = 28 * 1024
TITLE_MAX_CHARS: Final = 300
VERSION: Final = "1.4"
SCHEMA: Final = "http://adaptivecards.io/schemas/adaptive-card.json"
BUTTONS_MAX: Final = 5


def write(message: Message) -> bytes:
    """Return what is posted, of at most 28 KB."""
    return fitted(lambda text: _wrapped(message, text), message.brief or message.text, CARD_MAX_BYTES)


def _wrapped(message: Message, text: str) -> Payload:
    title = shortened(message.subject, TITLE_MAX_CHARS)
    paragraphs = [part for part in text.split("\n") if part.strip()]
    card = {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": VERSION,
        "lang": message.language,
        "fallbackText": title,
        "body": [
            _runs(title, size="Large", weight="Bolder", color="Attention" if message.asking else "Default"),
            *(_runs(part) for part in paragraphs),
            _runs(message.id, size="Small", isSubtle=True),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": link.label, "url": link.url} for link in message.links[:BUTTONS_MAX]
        ],
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _runs(text: str, **looks: Any) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **looks}]}


def _build(options: Any, surroundings: Surroundings) -> ChatSender:
    return ChatSender(options, surroundings, write, accepted)


KIND = ChannelKind("teams", ChatOptions, _build, "")
