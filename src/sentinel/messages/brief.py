"""A notice in a few lines: for chats and push, which have buttons for addresses; and as it is read out on the phone."""

from __future__ import annotations

from typing import Final

from sentinel.messages.clean import one_line, shorten
from sentinel.messages.wording import Wording

BRIEF_MAX_CHARS: Final = 2_500
SPOKEN_MAX_CHARS: Final = 600  # Half a minute: nobody listens longer before they act.
DETAIL_MAX_CHARS: Final = 120


def write(wording: Wording) -> str:
    """Return who does what by when, what is wrong since when, what somebody wrote, and the facts without addresses."""
    colon = wording.voice.word("colon")
    facts = [f"{fact.label}{colon}{fact.value}" for fact in wording.facts() if not fact.link]
    blocks = (wording.lead, _what(wording), wording.text, "\n".join(facts))
    return shorten("\n\n".join(filter(None, blocks)), BRIEF_MAX_CHARS)


def spoken(wording: Wording) -> str:
    """Return what a voice says: whose call it is, what is wrong, and which key does what."""
    notice, voice = wording.notice, wording.voice
    said = [" ".join(filter(None, (voice.word("spoken_start"), notice.priority)))]
    said += [_what(wording), one_line(wording.detail, DETAIL_MAX_CHARS) if wording.asking else wording.lead]
    sentences = [part.strip().rstrip(".") for part in said if part.strip()]
    text = shorten(". ".join(sentences), SPOKEN_MAX_CHARS) + "."
    return f"{text} {voice.word('spoken_keys')}" if wording.action() else text


def _what(wording: Wording) -> str:
    return " ".join(filter(None, (wording.what, wording.when)))
