"""A message as RFC 5322 mail: the same bytes for the SMTP channel and the outbox folder."""

from __future__ import annotations

import re
from datetime import UTC
from email.errors import HeaderParseError
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from typing import Any, Final

from sentinel.channels.base import Message, Undelivered

LOCAL_PART_MAX_CHARS: Final = 200
_UNSAFE = re.compile(r"[^a-z0-9.-]+")


class _Headers(HeaderRegistry):
    """The standard registry makes a class for every header it meets; one for each name will do."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        found = self._made.get(name.lower())
        if found is None:
            found = self._made[name.lower()] = super().__getitem__(name)
        return found


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


def build(message: Message, *, sender: Address, hostname: str, site: str) -> EmailMessage:
    """Write a message out as mail, text first and HTML as its alternative, with nothing to be fetched.

    All mails of an incident refer to one root, which no mail bears: that is what makes a thread of them in every
    mailbox, whoever got which.

    Raises:
        Undelivered: the address or a header cannot be written; trying again cannot help.
    """
    mail = EmailMessage(policy=POLICY)
    try:
        _write_headers(mail, message, sender, hostname, site)
    except (ValueError, HeaderParseError, IndexError) as error:  # IndexError: the parser's way to refuse an empty part
        raise Undelivered(f"the mail cannot be written: {error}", permanent=True, outcome="refused") from error
    mail.set_content(message.text, subtype="plain", charset="utf-8")
    if message.html:
        mail.add_alternative(message.html, subtype="html", charset="utf-8")
    for attached in message.attachments:
        _, _, subtype = attached.content_type.partition("/")
        mail.add_attachment(attached.content, subtype=subtype, charset="utf-8", filename=attached.name)
    mail["Content-Language"] = message.language
    return mail


def _write_headers(mail: EmailMessage, message: Message, sender: Address, hostname: str, site: str) -> None:
    root = message_id(message.thread, hostname)
    mail["From"] = sender
    mail["To"] = _recipient(message)
    mail["Subject"] = message.subject if message.first_in_thread else f"Re: {message.subject}"
    mail["Date"] = message.at.astimezone(UTC)
    mail["Message-ID"] = message_id(message.id, hostname, message.proof)
    if not message.first_in_thread:
        mail["In-Reply-To"] = root
    mail["References"] = root
    mail["List-Id"] = f"{site or 'Sentinel'} <sentinel.{hostname}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice answers a page
    mail["X-Auto-Response-Suppress"] = "All"
    if message.unsubscribe:  # RFC 8058: mail programs offer to end it by one click.
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if message.priority == "P1":
        mail["Importance"] = "high"


def _recipient(message: Message) -> Address:
    if not message.to.isascii() or any(character.isspace() for character in message.to):
        raise ValueError("the recipient's address is not plain ASCII")
    return Address(message.name, addr_spec=message.to)
