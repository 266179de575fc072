"""A message to Slack by an incoming webhook: Block Kit, everything from outside as plain text.

Texts of type ``plain_text`` know no mentions, links or markup. Only the fallback line is read as markup, whose three
characters are escaped as Slack asks: without ``<`` there is no ``<!channel>``.
"""

from __future__ import annotations

from typing import Any, Final

from sentinel.channels.base import ChannelKind, Message, Surroundings
from sentinel.channels.chat import ChatOptions, ChatSender, Payload, dumped, said_ok, shortened

HEADER_MAX_CHARS: Final = 150
SECTION_MAX_CHARS: Final = 3_000
BUTTON_MAX_CHARS: Final = 75
FALLBACK_MAX_CHARS: Final = 1_000
URL_MAX_CHARS: Final = 3_000
BLOCKS_MAX: Final = 50
BUTTONS_MAX: Final = 5


def write(message: Message) -> Payload:
    """Return what is posted."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.subject, HEADER_MAX_CHARS)},
        {"type": "section", "text": _plain(message.brief or message.text, SECTION_MAX_CHARS)},
    ]
    buttons = [
        {
            "type": "button",
            "text": _plain(link.label, BUTTON_MAX_CHARS),
            "url": link.url,
            "action_id": f"open-{place}",  # Slack wants one for each; nothing listens to it.
            **({"style": "primary"} if place == 0 else {}),
        }
        for place, link in enumerate(message.links[:BUTTONS_MAX])
        if len(link.url) <= URL_MAX_CHARS
    ]
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    blocks.append({"type": "context", "elements": [_plain(message.id, SECTION_MAX_CHARS)]})
    assert len(blocks) <= BLOCKS_MAX, "there are four kinds of them"
    return {"text": escaped(shortened(message.subject, FALLBACK_MAX_CHARS)), "blocks": blocks}


def escaped(text: str) -> str:
    """Return text in which nothing is a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, max_chars: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, max_chars) or "-", "emoji": False}


def _build(options: Any, surroundings: Surroundings) -> ChatSender:
    return ChatSender(options, surroundings, lambda message: dumped(write(message)), said_ok)


KIND = ChannelKind("slack", ChatOptions, _build, "")
