"""What a canary says: to who reads its mailbox that it is no alarm, to Sentinel its mark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sentinel.channels.base import Message
from sentinel.core.model import Language
from sentinel.messages import gsm7
from sentinel.messages.catalogue import Voice
from sentinel.messages.clean import one_line
from sentinel.messages.gsm7 import Part

SITE_MAX_CHARS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Cage:
    """Where it goes, and for whom it is written."""

    to: str
    site: str
    language: Language
    timezone: str


def write(message: str, mark: str, at: datetime, cage: Cage) -> Message:
    """Write a canary out, as a mail and in one segment; its mark stands in every form of it."""
    voice = Voice(cage.language, ZoneInfo(cage.timezone))
    site = one_line(cage.site, SITE_MAX_CHARS)
    about = voice.word("canary", site=site)
    footer = voice.word("footer", site=site, zone=voice.zone.key)
    return Message(
        id=message,
        to=cage.to,
        name="",
        language=cage.language,
        subject=f"{about} {mark}",
        text=f"{mark}\n\n{voice.word('canary_detail', at=voice.phrase('at', at, at))}\n\n-- \n{footer}\n",
        html="",
        sms=gsm7.fit([Part(mark), Part(gsm7.fold(about), gives=1)]),
        thread=message,
        first_in_thread=True,
        priority="",
        at=at,
        facts={"kind": "canary", "mark": mark},
    )
