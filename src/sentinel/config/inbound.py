"""The sections ``intake.mail`` and ``intake.sms``: mail that comes in, and what reports by either are about (SRC-6)."""

from __future__ import annotations

import ssl
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from sentinel.config.base import Section
from sentinel.config.fields import Duration, Host, Port, Secret, quoted, wrong

EVERY_MIN: Final = timedelta(seconds=5)
EVERY_MAX: Final = timedelta(minutes=15)


class ImapEntry(Section):
    """A mailbox that is read. ``every`` is how often, where the server does not say by itself what is new.

    A password crosses the network in clear only with ``security: none``, which is for this machine.
    """

    host: Host
    port: Port | None = None
    security: Literal["tls", "starttls", "none"] = "tls"
    username: Annotated[str, Field(min_length=1, max_length=200)]
    password: Secret
    folder: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\r\n\x00]+$")] = "INBOX"
    every: Annotated[Duration, Field(ge=EVERY_MIN, le=EVERY_MAX)] = timedelta(seconds=30)
    ca_file: str = ""

    @field_validator("ca_file")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            if value:
                ssl.create_default_context(cafile=value)
        except OSError as error:  # SSLError is one
            raise wrong(f"{quoted(value)} holds no certificates: {error.strerror or error}") from None
        return value

    @model_validator(mode="after")
    def _not_in_clear(self) -> ImapEntry:
        if self.security == "none" and str(self.host) not in {"127.0.0.1", "::1", "localhost"}:
            raise wrong("a password must not cross the network in clear", "use `security: tls` or `starttls`")
        return self


class MailEntry(Section):
    """Mail that comes in, by ``sentinel mail-in`` or from a mailbox.

    ``vouched_by`` names the mail server whose ``Authentication-Results`` count: then nothing is believed of a sender
    for whom it does not vouch. ``service`` is what a report is about.
    """

    vouched_by: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{0,253}$")] = ""
    service: str = ""
    imap: ImapEntry | None = None


class SmsEntry(Section):
    """SMS that come in: ``service`` is what a report is about."""

    service: str = ""
