"""The mails of status pages: one that asks for a confirmation, and the news for those who have given it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from sentinel.channels.base import Message
from sentinel.core.model import Language
from sentinel.messages import gsm7, mail
from sentinel.messages.clean import clean, one_line
from sentinel.messages.gsm7 import Part
from sentinel.messages.wording import Fact

KEY: Final = "status/"  # How the id of such a message begins.
URL: Final = "{url}"  # Where the link goes in a mail that asks.
SUBJECT_MAX_CHARS: Final = 200
TEXT_MAX_CHARS: Final = 8_000


class Bulletin(msgspec.Struct, frozen=True, kw_only=True):
    """A mail to a subscriber, by their id: neither their address nor a link of theirs lies in the database."""

    subscriber: str
    page: str
    asks: bool
    language: Language
    subject: str
    text: str
    thread: str
    at: datetime


class Reader(NamedTuple):
    """To whom it goes, and their links: to confirm, or to end it; ``doors`` are those that the HTML shows by name."""

    to: str
    url: str
    footer: str = ""
    doors: tuple[Fact, ...] = ()


_decoder = msgspec.json.Decoder(Bulletin)


def read(body: bytes) -> Bulletin:
    """Read one back."""
    return _decoder.decode(body)


def write(message: str, bulletin: Bulletin, reader: Reader) -> Message:
    """Write one out for a subscriber."""
    text = clean(bulletin.text, TEXT_MAX_CHARS)
    if bulletin.asks:
        text = text.replace(URL, reader.url)
    subject = one_line(bulletin.subject, SUBJECT_MAX_CHARS)
    return Message(
        id=message,
        to=reader.to,
        name="",
        language=bulletin.language,
        subject=subject,
        text="\n\n".join(filter(None, (text, reader.footer and f"-- \n{reader.footer}"))) + "\n",
        html=_html(bulletin, subject, reader.doors),
        sms=gsm7.fit([Part(gsm7.fold(subject))]),
        thread=bulletin.thread,
        first_in_thread=True,
        priority="",
        at=bulletin.at,
        facts={"kind": "status", "page": bulletin.page, "language": bulletin.language},
        unsubscribe="" if bulletin.asks else reader.url,
    )


def _html(bulletin: Bulletin, subject: str, doors: tuple[Fact, ...]) -> str:
    """Return the same for whoever reads HTML: the link that the text writes out is a button there."""
    light, dark = mail.CALM
    lines = clean(bulletin.text, TEXT_MAX_CHARS).split("\n")
    return mail.render(
        language=bulletin.language,
        subject=subject,
        lead="",
        headline=subject,
        paragraphs=[line for line in lines if line and not (bulletin.asks and line == URL)],
        action=doors[0] if doors else None,
        page=doors[1] if len(doors) > 1 else None,
        facts=[],
        facts_title="",
        latest=[],
        latest_title="",
        footer="",
        light=light,
        dark=dark,
    )
