"""A message to Mattermost by an incoming webhook: one attachment, its Markdown escaped."""

from __future__ import annotations

from typing import Any, Final

from sentinel.channels import markdown
from sentinel.channels.base import ChannelKind, Message, Surroundings
from sentinel.channels.chat import ChatOptions, ChatSender, Payload, colour, fitted, said_ok, shortened

POST_MAX_BYTES: Final = 16_000  # A post may have 16,383 characters, its attachments counted.
TITLE_MAX_CHARS: Final = 300


def write(message: Message) -> bytes:
    """Return what is posted, smaller than a post may be."""
    return fitted(lambda text: _wrapped(message, text), message.brief or message.text, POST_MAX_BYTES)


def _wrapped(message: Message, text: str) -> Payload:
    title = shortened(message.subject, TITLE_MAX_CHARS)
    links = "\n".join(markdown.link(link.label, link.url) for link in message.links)
    attachment = {
        "fallback": markdown.escaped(title),
        "color": colour(message),
        "title": markdown.escaped(title),
        "text": "\n\n".join(filter(None, (markdown.escaped(text), links))),
        "footer": message.id,
    }
    return {"text": "", "attachments": [attachment]}


def _build(options: Any, surroundings: Surroundings) -> ChatSender:
    return ChatSender(options, surroundings, write, said_ok)


KIND = ChannelKind("mattermost", ChatOptions, _build, "")
