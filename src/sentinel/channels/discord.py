"""A message to Discord by a webhook: one embed, its Markdown escaped, and mentions forbidden altogether."""

from __future__ import annotations

import json
from typing import Any, Final

from sentinel.channels import markdown
from sentinel.channels.base import ChannelKind, Message, Surroundings
from sentinel.channels.chat import ChatOptions, ChatSender, Payload, colour, dumped, shortened
from sentinel.channels.http import Answer, refusal

TITLE_MAX_CHARS: Final = 256
DESCRIPTION_MAX_CHARS: Final = 4_096
BRIEF_MAX_CHARS: Final = 1_800  # Escaped, it may become twice as long.


def write(message: Message) -> Payload:
    """Return what is posted."""
    links = "\n".join(markdown.link(link.label, link.url) for link in message.links)
    brief = markdown.escaped(shortened(message.brief or message.text, BRIEF_MAX_CHARS))
    embed = {
        "title": shortened(markdown.escaped(message.subject), TITLE_MAX_CHARS),
        "description": "\n\n".join(filter(None, (brief, links)))[:DESCRIPTION_MAX_CHARS],
        "color": int(colour(message).removeprefix("#"), 16),
        "footer": {"text": shortened(message.id, 200)},
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def taken(answer: Answer) -> str:
    """Return the message's id where the address asks for one (``?wait=true``).

    Raises:
        Undelivered: it was not taken.
    """
    if not answer.ok:
        raise refusal(answer)
    try:
        return str(json.loads(answer.body)["id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _build(options: Any, surroundings: Surroundings) -> ChatSender:
    return ChatSender(options, surroundings, lambda message: dumped(write(message)), taken)


KIND = ChannelKind("discord", ChatOptions, _build, "")
