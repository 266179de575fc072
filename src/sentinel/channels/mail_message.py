"""A message as RFC 5322 mail: the same bytes for the SMTP channel and the outbox folder."""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Iterator, Sequence
from datetime import UTC
from email.errors import HeaderParseError
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP, EmailPolicy, Policy
from email.utils import format_datetime
from functools import lru_cache
from secrets import token_hex
from typing import Any, Final, Self

from sentinel.channels.base import Attached, Message, Undelivered

LOCAL_PART_MAX_CHARS: Final = 200
LINE_MAX_CHARS: Final = 78  # RFC 5322, 2.1.1
KNOWN_MAX: Final = 4_096  # headers that are remembered as they were folded
ADDRESSED: Final = frozenset({"from", "to"})  # Read by the book, as what stands there decides who gets the mail.
MAILBOXES_MAX: Final = 4_096  # that are not read again
BOUNDARY_BYTES: Final = 12  # Nobody guesses it, so that no text can end its part.
BASE64_GROWTH: Final = 4 / 3
CRLF: Final = b"\r\n"
_UNSAFE = re.compile(r"[^a-z0-9.-]+")


class _Written(str):
    """The value of a header, and its lines as they go over the wire: neither read nor folded again."""

    __slots__ = ("lines", "name")
    lines: str
    name: str

    def __new__(cls, name: str, value: str, lines: str) -> Self:
        """Keep a value with its lines."""
        written = super().__new__(cls, value)
        written.name, written.lines = name, lines
        return written

    def fold(self, *, policy: Policy[Any]) -> str:  # noqa: ARG002  asked for so by the generator
        """Return the lines; every policy that writes them ends them alike."""
        return self.lines


class _Headers(HeaderRegistry):
    """The standard registry takes each header to pieces and folds the pieces: most of what a mail cost.

    What is plain ASCII on one line is its own line. The rest, names above all, is folded by the book, and remembered.
    The registry also makes a class for every header it meets; one for each name will do.
    """

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}
        self._known: dict[tuple[str, str], _Written] = {}

    def __getitem__(self, name: str) -> Any:
        found = self._made.get(name.lower())
        if found is None:
            found = self._made[name.lower()] = super().__getitem__(name)
        return found

    def __call__(self, name: str, value: Any) -> Any:
        """Return a header as it is to be written.

        Raises:
            ValueError: there is no way to write it; or one of those that the parser raises.
        """
        text = str(value)
        if name.lower() not in ADDRESSED and _plain(name, text):
            return _Written(name, text, f"{name}: {text}{SMTP.linesep}")
        known = self._known.get((name, text))
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            read = super().__call__(name, value)
            known = self._known[name, text] = _Written(name, str(read), read.fold(policy=POLICY))
        return known


def _plain(name: str, text: str) -> bool:
    """Tell whether a value stands on its line as it is; ``=?`` would begin an encoded word."""
    fits = len(name) + len(": ") + len(text) <= LINE_MAX_CHARS
    return fits and text.isascii() and text.isprintable() and "=?" not in text and text == text.strip()


def _policy() -> EmailPolicy[EmailMessage]:
    """Return SMTP's policy with 7-bit bodies, which every relay takes, and with ids of any length left in one piece."""
    headers = _Headers()
    for name in ("in-reply-to", "references"):
        headers.map_to_type(name, MessageIDHeader)  # type: ignore[arg-type]  # typeshed lacks the mixin
    return SMTP.clone(cte_type="7bit", header_factory=headers)


POLICY: Final = _policy()


def local_part(identifier: str) -> str:
    """Return the left side of a Message-ID for an identifier: ``INC-42/0/1/alice`` becomes ``inc-42.0.1.alice``."""
    return _UNSAFE.sub(".", identifier.casefold()).strip(".")[:LOCAL_PART_MAX_CHARS] or "message"


def message_id(identifier: str, hostname: str, proof: str = "") -> str:
    """Return the stable Message-ID of an identifier: sending again shows the same one (rule DSP-3)."""
    return f"<{local_part(identifier)}{proof and f'.{proof}'}@{hostname}>"


def written(message: Message, *, sender: Address, hostname: str, site: str) -> bytes:
    """Write a message out as mail, text first and HTML as its alternative, with nothing to be fetched.

    All mails of an incident refer to one root, which no mail bears: that is what makes a thread of them in every
    mailbox, whoever got which.

    Raises:
        Undelivered: the address or a header cannot be written; trying again cannot help.
    """
    try:
        head = "".join(_lines(*header) for header in _headers(message, sender, hostname, site)).encode("ascii")
    except (ValueError, HeaderParseError, IndexError) as error:  # IndexError: the parser's way to refuse an empty part
        raise Undelivered(f"the mail cannot be written: {error}", permanent=True, outcome="refused") from error
    body = _part("plain", message.text)
    if message.html:
        body = _together("alternative", [body, _part("html", message.html)])
    if message.attachments:
        body = _together("mixed", [body, *map(_attached, message.attachments)])
    return head + body


def _headers(message: Message, sender: Address, hostname: str, site: str) -> Iterator[tuple[str, str | Address]]:
    """Yield all headers but those that say how the body is written."""
    root = message_id(message.thread, hostname)
    yield "From", sender
    yield "To", _recipient(message)
    yield "Subject", message.subject if message.first_in_thread else f"Re: {message.subject}"
    yield "Date", format_datetime(message.at.astimezone(UTC))
    yield "Message-ID", message_id(message.id, hostname, message.proof)
    if not message.first_in_thread:
        yield "In-Reply-To", root
    yield "References", root
    yield "List-Id", f"{site or 'Sentinel'} <sentinel.{hostname}>"
    yield "Auto-Submitted", "auto-generated"  # RFC 3834: no holiday notice answers a page
    yield "X-Auto-Response-Suppress", "All"
    if message.unsubscribe:  # RFC 8058: mail programs offer to end it by one click.
        yield "List-Unsubscribe", f"<{message.unsubscribe}>"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
    if message.priority == "P1":
        yield "Importance", "high"
    yield "Content-Language", message.language
    yield "MIME-Version", "1.0"


def _part(subtype: str, text: str) -> bytes:
    """Return text with the headers that say how it is written: in ASCII that every relay takes, in short lines.

    What the standard library does is right and takes ten times as long; it is left to it where it is rare.
    """
    lines = text.encode("utf-8").splitlines()
    body = CRLF.join(lines) + CRLF
    encoding = "7bit"
    if not (body.isascii() and max(map(len, lines), default=0) <= LINE_MAX_CHARS):
        encoding, body = _encoded(body)
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + body


def _encoded(body: bytes) -> tuple[str, bytes]:
    """Return the shorter way to write what is not plain."""
    quoted = b2a_qp(body, istext=True)
    if len(quoted) <= len(body) * BASE64_GROWTH:
        return "quoted-printable", quoted
    return "base64", encodebytes(body).replace(b"\n", CRLF)


def _together(subtype: str, parts: Sequence[bytes]) -> bytes:
    boundary = f"=_{token_hex(BOUNDARY_BYTES)}"
    begin, end = f"--{boundary}\r\n".encode(), f"--{boundary}--\r\n".encode()
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return head + b"".join(begin + part + CRLF for part in parts) + end


def _attached(attached: Attached) -> bytes:
    part = MIMEPart(policy=POLICY)
    _, _, subtype = attached.content_type.partition("/")
    part.set_content(
        attached.content, subtype=subtype, charset="utf-8", disposition="attachment", filename=attached.name
    )
    return part.as_bytes()


def _lines(name: str, value: str | Address) -> str:
    """Return a header as it goes over the wire.

    Raises:
        ValueError: it would become two, or there is no way to write it; or one of those that the parser raises.
    """
    if len(str(value).splitlines()) > 1:
        raise ValueError(f"the header {name} would become two")
    lines: str = POLICY.header_factory(name, value).lines
    return lines


def _recipient(message: Message) -> Address:
    if not message.to.isascii() or any(character.isspace() for character in message.to):
        raise ValueError("the recipient's address is not plain ASCII")
    return mailbox(message.name, message.to)


@lru_cache(MAILBOXES_MAX)
def mailbox(name: str, address: str) -> Address:
    """Return an address as it stands in a header.

    Raises:
        ValueError: it cannot; or one of those that the parser raises.
    """
    return Address(name, addr_spec=address)
