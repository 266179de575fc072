"""A mail that came in, read with care: who wrote it, what it says, what it answers to. Nothing in it is trusted.

The parser of the standard library is lenient on purpose; what it cannot digest is `Unreadable`, never a crash.
"""

from __future__ import annotations

import email
import email.policy
import html.parser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parseaddr
from typing import Final

from sentinel.messages.clean import clean, one_line

MAIL_MAX_BYTES: Final = 700 * 1024  # Enough for every word that people write; attachments are not read.
PARTS_MAX: Final = 100
TEXT_MAX_CHARS: Final = 20_000
SUBJECT_MAX_CHARS: Final = 200
REFERENCES_MAX: Final = 100
RESULTS_MAX: Final = 20

AUTOMATIC_PRECEDENCE: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
AUTOMATIC_HEADERS: Final = ("X-Sentinel", "X-Autoreply", "X-Autorespond", "List-Id", "List-Unsubscribe", "Feedback-ID")
MACHINES: Final = frozenset({"mailer-daemon", "postmaster", "noreply", "no-reply", "do-not-reply"})
BLOCKS: Final = frozenset({"p", "div", "br", "tr", "li", "blockquote", "h1", "h2", "h3", "pre"})
HIDDEN: Final = frozenset({"style", "script", "head", "title"})

_ID: Final = re.compile(r"<([^<>\s@]{1,250}@[^<>\s@]{1,250})>")
_ADDRESS: Final = re.compile(r"[^\s@<>\"]{1,100}@[^\s@<>\"]{1,200}")
_RE: Final = re.compile(r"^(?:\s*(?:re|rép|rep|tr|fw|fwd|aw|wg)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
# Where what is quoted begins: as mail programs write it in the languages of our readers.
_QUOTES: Final = re.compile(
    r"^(?:>|\s*-{2,}\s*(?:original message|message d['’]origine|forwarded message|message transféré)\b"
    r"|\s*_{10,}\s*$|\s*(?:le|on)\b.{5,300}?(?:a écrit|wrote)\s*:\s*$|(?:from|de)\s*:\s.{3,200}$)",
    re.IGNORECASE,
)
_SIGNATURE: Final = re.compile(r"^-- ?$")


class Unreadable(Exception):  # noqa: N818  it is an answer, not a fault
    """This is no mail, or one that cannot be read."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A mail server says that a mail of ours did not arrive: ``original`` is its Message-ID."""

    original: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as far as it matters. ``text`` is without what it quotes, ``whole`` with it.

    ``references`` holds the ids that it answers to, the nearest first, without their brackets. ``results`` are what
    mail servers found out about its sender, the latest first: each with the name of the server first.
    """

    id: str
    sender: str
    subject: str
    text: str
    whole: str
    references: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    automatic: bool = False
    failure: Failure | None = None


def read(data: bytes) -> Mail:
    """Read a mail; what is longer than ``MAIL_MAX_BYTES`` is cut.

    Raises:
        Unreadable: it has no header, or is made so that nobody can read it.
    """
    try:
        message = email.message_from_bytes(data[:MAIL_MAX_BYTES], policy=email.policy.compat32)
        if not message.keys() or message["From"] is None:
            raise Unreadable("this is no mail: it has no sender")
        return _read(message)
    except (RecursionError, ValueError, LookupError, HeaderParseError, TypeError, AttributeError) as error:
        # The last four are how the parser of the standard library meets what nobody would write by accident.
        raise Unreadable(f"the mail cannot be read: {type(error).__name__}") from error


def _read(message: Message) -> Mail:
    whole = _body(message)
    return Mail(
        id="".join(_ids(message, "Message-ID")[:1]),
        sender=_sender(message),
        subject=one_line(_RE.sub("", _header(message, "Subject")), SUBJECT_MAX_CHARS),
        text=unquoted(whole),
        whole=whole,
        references=tuple(dict.fromkeys((*_ids(message, "In-Reply-To"), *reversed(_ids(message, "References")))))[
            :REFERENCES_MAX
        ],
        results=tuple(_plain(one) for one in (message.get_all("Authentication-Results") or [])[:RESULTS_MAX]),
        automatic=_automatic(message),
        failure=_failure(message),
    )


def _plain(value: object) -> str:
    return " ".join(str(value).split())[:2000]


def _header(message: Message, name: str) -> str:
    """Return a header in plain words."""
    value = message.get(name)
    if value is None:
        return ""
    words = []
    try:
        for part, charset in decode_header(str(value)):
            words.append(_decoded(part, charset) if isinstance(part, bytes) else part)
    except (HeaderParseError, ValueError):
        return _plain(value)
    return "".join(words)


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):
        return data.decode("latin-1")


def _ids(message: Message, name: str) -> list[str]:
    return _ID.findall(_plain(message.get(name, "")))


def _sender(message: Message) -> str:
    """Return the one address that the mail is from; empty when it names several, or none that can be told."""
    named = message.get_all("From") or []
    if len(named) != 1:
        return ""
    _, address = parseaddr(_plain(named[0]))
    return address.casefold() if _ADDRESS.fullmatch(address) else ""


def _automatic(message: Message) -> bool:
    """Tell whether a program wrote it: an answer to it would be read by nobody, and could go round for ever."""
    submitted = _plain(message.get("Auto-Submitted", "no")).partition(";")[0].strip().casefold()
    local = _sender(message).partition("@")[0]
    return (
        submitted not in {"", "no"}
        or _plain(message.get("Precedence", "")).casefold() in AUTOMATIC_PRECEDENCE
        or any(name in message for name in AUTOMATIC_HEADERS)
        or _plain(message.get("Return-Path", "-")) == "<>"
        or local in MACHINES
        or message.get_content_type() == "multipart/report"
    )


def _parts(message: Message) -> Iterator[Message]:
    """Yield the first parts, those of mails within not among them."""
    waiting, count = [message], 0
    while waiting and count < PARTS_MAX:
        part = waiting.pop(0)
        count += 1
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting = [*(inner for inner in payload if isinstance(inner, Message)), *waiting][:PARTS_MAX]
        else:
            yield part


def _body(message: Message) -> str:
    """Return the first text; of a mail that has only HTML, its words."""
    page = ""
    for part in _parts(message):
        if part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind == "text/plain" and (text := _text(part)).strip():
            return clean(text, TEXT_MAX_CHARS)
        if kind == "text/html" and not page:
            page = _words(_text(part)[: 10 * TEXT_MAX_CHARS])
    return clean(page, TEXT_MAX_CHARS)


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return _decoded(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""


class _Words(html.parser.HTMLParser):
    """Collects the words of a page; what is quoted in it is marked as in a plain mail. Links keep their address."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._hidden = 0
        self._quoted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in HIDDEN
        self._quoted += tag == "blockquote"
        if tag in BLOCKS:
            self.words.append("\n> " if self._quoted else "\n")
        href = dict(attrs).get("href")
        if tag == "a" and href:
            self.words.append(f" {href} ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in HIDDEN))
        self._quoted = max(0, self._quoted - (tag == "blockquote"))
        if tag in BLOCKS:
            self.words.append("\n> " if self._quoted else "\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data.replace("\n", " "))


def _words(page: str) -> str:
    reader = _Words()
    try:
        reader.feed(page)
        reader.close()
    except AssertionError:  # how html.parser meets a broken declaration
        pass
    return "".join(reader.words)


def unquoted(text: str) -> str:
    """Return what somebody wrote, without what they answer to and without their signature."""
    kept: list[str] = []
    lines = text.split("\n")
    for place, line in enumerate(lines):
        joined = f"{line} {lines[place + 1]}" if place + 1 < len(lines) else line  # Attributions are often wrapped.
        if _SIGNATURE.match(line) or _QUOTES.match(line) or (len(line) > 20 and _QUOTES.match(joined)):
            break
        kept.append(line)
    return "\n".join(kept).strip()


def _failure(message: Message) -> Failure | None:
    """Return what a delivery report says (RFC 3464); nothing when it is none, or one of no failure."""
    if message.get_content_type() != "multipart/report":
        return None
    failed, why, original = False, "", ""
    for part in _parts(message):
        kind, payload = part.get_content_type(), part.get_payload()
        if kind == "message/delivery-status" and isinstance(payload, list):
            for block in (one for one in payload[:PARTS_MAX] if isinstance(one, Message)):
                # Only for good: what is delayed, relayed or expanded may still arrive.
                if _plain(block.get("Action", "")).casefold() == "failed":
                    failed = True
                    why = _plain(block.get("Diagnostic-Code", "") or block.get("Status", "")) or why
        elif kind == "message/rfc822" and isinstance(payload, list) and isinstance(payload[0], Message):
            original = "".join(_ids(payload[0], "Message-ID")[:1])
        elif kind in {"text/rfc822-headers", "message/rfc822-headers"}:
            original = "".join(_ids(email.message_from_string(_text(part)), "Message-ID")[:1])
    return Failure(original, one_line(why, SUBJECT_MAX_CHARS)) if failed and original else None
