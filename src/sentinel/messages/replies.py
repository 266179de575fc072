"""What Sentinel answers to who answered it or wrote to it: one SMS, or one short mail (rule DSP-6)."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from sentinel.channels.base import Message
from sentinel.core.model import Person, Priority
from sentinel.messages import gsm7
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import one_line
from sentinel.messages.gsm7 import Part

ReplyKind = Literal[
    "taken",
    "yours",
    "taken_by",
    "escalated",
    "resolved",
    "over",
    "which",
    "words",
    "nothing",
    "untold",
    "noted",
    "opened",
    "refused",
    "unproved",
    "full",
]

TITLE_MAX_CHARS: Final = 120
WHY_MAX_CHARS: Final = 120
SHOWN_MAX: Final = 3
CUT_TITLE_SEPTETS: Final = 24
PREFIX: Final = "INC-"
KEY: Final = "reply/"  # How the id of such a message begins.


class Choosable(msgspec.Struct, frozen=True):
    """An incident that an answer could be about."""

    number: str
    title: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One answer to one person. ``by`` is who has the incident, ``why`` what stands against what was asked.

    ``which`` holds those that could be meant, and ``code`` is the one that was sent.
    """

    id: str
    kind: ReplyKind
    at: datetime
    incident: str = ""
    title: str = ""
    priority: Priority | None = None
    by: str = ""
    why: str = ""
    code: str = "1"
    which: tuple[Choosable, ...] = ()
    url: str = ""


def write(reply: Reply, person: Person, *, to: str, site: str) -> Message:
    """Write an answer out in the person's language, in one segment and as a mail that reads alone."""
    voice = Voice(person.language, ZoneInfo(person.timezone))
    line = _line(reply, voice)
    blocks = [line, *(f"- {one.number} {one_line(one.title, TITLE_MAX_CHARS)}" for one in reply.which), reply.url]
    head = " ".join(filter(None, (reply.priority, one_line(reply.title, TITLE_MAX_CHARS), reply.incident)))
    footer = voice.word("footer", site=one_line(site, TITLE_MAX_CHARS), zone=voice.zone.key)
    return Message(
        id=reply.id,
        to=to,
        name=one_line(person.name, TITLE_MAX_CHARS),
        language=person.language,
        subject=" - ".join(filter(None, (one_line(reply.title, TITLE_MAX_CHARS), reply.incident))) or line,
        text="\n\n".join(filter(None, (line, head, *blocks[1:], f"-- \n{footer}"))) + "\n",
        html="",
        sms=_sms(reply, line),
        thread=reply.incident or reply.id,
        first_in_thread=not reply.incident,
        priority="",
        at=reply.at,
        facts={"kind": "reply", "reply": reply.kind, "incident": reply.incident},
    )


def _line(reply: Reply, voice: Voice) -> str:
    shape = voice.named("replies", reply.kind)
    number = reply.which[0].number.removeprefix(PREFIX) if reply.which else ""
    return shape.format(
        at=voice.phrase("at", reply.at, reply.at),
        by=one_line(reply.by, TITLE_MAX_CHARS),
        why=one_line(reply.why, WHY_MAX_CHARS),
        number=reply.incident or f"{PREFIX}?",
        code=reply.code,
        example=f"{reply.code} {number}",
    )


def _sms(reply: Reply, line: str) -> str:
    shown = "; ".join(
        f"{one.number} {gsm7.cut(gsm7.fold(one.title), CUT_TITLE_SEPTETS)}" for one in reply.which[:SHOWN_MAX]
    )
    rest = len(reply.which) - SHOWN_MAX
    if rest > 0:
        shown += f" +{rest}"
    return gsm7.fit(
        [
            Part(gsm7.cut(gsm7.fold(line), gsm7.SEGMENT_SEPTETS - len(reply.incident) - 1)),
            Part(shown, gives=1),
            Part(" ".join(filter(None, (reply.priority, one_line(reply.title, TITLE_MAX_CHARS)))), gives=2),
            Part("" if reply.incident in line else reply.incident),
        ]
    )


_decoder = msgspec.json.Decoder(Reply)


def read(body: bytes) -> Reply:
    """Read an answer back."""
    return _decoder.decode(body)
