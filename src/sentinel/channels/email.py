"""Mail by SMTP: STARTTLS or TLS, sign-in, and a second relay for when the first is not well.

| what happens | what it means |
|---|---|
| no connection, no TLS, a bad certificate, 4xx, 5xx before the sign-in | the next relay is tried; then again later |
| the sign-in is refused (535) | the next relay is tried; then never: only people can mend it |
| 5xx to the sender, the recipient or the text | never: this mail is refused, by any relay |
| silence after the text was sent | unknown: it may have been taken, so no other relay is tried at once |
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any, Final, Literal, cast

import aiosmtplib
from pydantic import Field, field_validator, model_validator

from sentinel.channels import addresses
from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.channels.mail_message import build
from sentinel.config.fields import Duration, Flag, Host, Mailbox, Port, Secret, quoted, wrong

PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
TIMEOUT: Final = timedelta(seconds=15)  # for one relay, from connecting to its last answer
ANSWER_MAX_CHARS: Final = 200
GOODBYE_MAX_S: Final = 2.0
TRY_LATER: Final = range(400, 500)


class Relay(Options):
    """A server that takes mail. ``require_tls: false`` lets STARTTLS be left out where it is not offered."""

    host: Host
    port: Port | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Secret | None = None
    ca_file: str = ""
    require_tls: Flag = True

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
    def _consistent(self) -> Relay:
        if bool(self.username) != bool(self.password):
            raise wrong("`username` and `password` go together")
        if self.username and self.security == "none":
            raise wrong("a password must not cross the network in clear", "use `security: starttls` or `tls`")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or PORTS[self.security]


class SmtpOptions(Relay):
    """A relay, the sender's mailbox, and the relay that stands in."""

    from_: Mailbox = Field(alias="from")
    fallback: Relay | None = None
    timeout: Duration = TIMEOUT


class _RelayUnwell(Exception):  # noqa: N818  normal business
    """This relay did not take the mail, but another may."""

    def __init__(self, undelivered: Undelivered) -> None:
        super().__init__(undelivered.why)
        self.undelivered = undelivered


class SmtpSender:
    """Sends one mail over one connection, bounded in time."""

    def __init__(self, options: SmtpOptions, surroundings: Surroundings) -> None:
        self._options = options
        self._surroundings = surroundings
        self._relays = (options, options.fallback) if options.fallback else (options,)
        self._tls = {
            relay.address: ssl.create_default_context(cafile=relay.ca_file or None)
            for relay in self._relays
            if relay.security != "none"
        }

    async def send(self, message: Message) -> str:
        """Hand the mail to the first relay that takes it, and return that relay's answer.

        Raises:
            Undelivered: no relay took it.
        """
        sender = Address(self._options.from_.name or self._surroundings.site, addr_spec=self._options.from_.address)
        mail = build(message, sender=sender, hostname=self._surroundings.hostname, site=self._surroundings.site)
        failures: list[Undelivered] = []
        for relay in self._relays:
            try:
                return await self._send_by(relay, mail, message.to)
            except _RelayUnwell as unwell:
                failures.append(unwell.undelivered)
        # One relay that may recover is worth coming back for, whatever the other one says.
        raise Undelivered(
            "; ".join(failure.why for failure in failures),
            permanent=all(failure.permanent for failure in failures),
        )

    async def check(self) -> None:
        """Connect and sign in to every relay.

        Raises:
            Undelivered: a relay is not well; the text names it.
        """
        for relay in self._relays:
            try:
                async with asyncio.timeout(self._options.timeout.total_seconds()):
                    client = await self._open(relay)
                    await _leave(client)
            except _RelayUnwell as unwell:
                raise unwell.undelivered from unwell
            except TimeoutError as error:
                raise Undelivered(f"{_named(relay)} does not answer") from error

    async def close(self) -> None:
        """Do nothing: a connection lasts one mail."""

    async def _send_by(self, relay: Relay, mail: EmailMessage, to: str) -> str:
        sent = False
        client: aiosmtplib.SMTP | None = None
        try:
            async with asyncio.timeout(self._options.timeout.total_seconds()):
                client = await self._open(relay)
                await client.mail(self._options.from_.address)
                await client.rcpt(to)
                sent = True
                answer = await client.data(mail.as_bytes())
            await _leave(client)
            return f"{_named(relay)} {answer.code} {answer.message}"[:ANSWER_MAX_CHARS]
        except aiosmtplib.SMTPResponseException as error:
            if client is not None:
                await _leave(client)
            raise _refusal(relay, error) from error
        except (aiosmtplib.SMTPException, OSError) as error:  # TimeoutError is an OSError
            if sent:
                why = f"{_named(relay)} fell silent after the text: it may have taken it"
                raise Undelivered(why, outcome="timeout") from error
            raise _RelayUnwell(Undelivered(f"{_named(relay)} does not answer: {_short(error)}")) from error
        finally:
            if client is not None:
                _drop(client)

    async def _open(self, relay: Relay) -> aiosmtplib.SMTP:
        """Connect, start TLS and sign in."""
        client = aiosmtplib.SMTP(
            hostname=relay.address[0],
            sock=await _reach(relay),
            use_tls=relay.security == "tls",
            start_tls=False,
            tls_context=self._tls.get(relay.address),
            local_hostname=self._surroundings.hostname,
            timeout=self._options.timeout.total_seconds(),
        )
        try:
            await client.connect()
            await client.ehlo()
            if relay.security == "starttls":
                await _start_tls(relay, client)
            if relay.username and relay.password:
                await client.login(relay.username, relay.password.reveal())
        except BaseException as error:
            _drop(client)
            match error:
                case aiosmtplib.SMTPAuthenticationError() if error.code not in TRY_LATER:
                    raise _RelayUnwell(_signed_out(relay, error)) from error
                case aiosmtplib.SMTPException() | OSError():
                    raise _RelayUnwell(Undelivered(f"{_named(relay)} is not well: {_short(error)}")) from error
            raise
        return client


async def _reach(relay: Relay) -> socket.socket:
    try:
        return await addresses.connect(*relay.address)
    except OSError as error:
        raise _RelayUnwell(Undelivered(f"{_named(relay)} cannot be reached: {_short(error)}")) from error


async def _start_tls(relay: Relay, client: aiosmtplib.SMTP) -> None:
    if client.supports_extension("starttls"):
        await client.starttls()
        await client.ehlo()
    elif relay.require_tls or relay.username:  # A password never goes out in clear, whatever was stripped on the way.
        raise _RelayUnwell(Undelivered(f"{_named(relay)} offers no STARTTLS"))


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye where somebody still listens; what was taken is taken, whatever comes back."""
    transport = client.transport
    try:
        if client.is_connected:
            await client.quit(timeout=GOODBYE_MAX_S)
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        _drop(client, transport)


def _drop(client: aiosmtplib.SMTP, transport: asyncio.BaseTransport | None = None) -> None:
    """Close the connection at once: closing TLS by the book would wait for the other side, for up to 30 s."""
    transport = transport or client.transport
    client.close()
    if transport is not None:
        cast(asyncio.WriteTransport, transport).abort()  # uvloop's do not inherit from asyncio's


def _refusal(relay: Relay, error: aiosmtplib.SMTPResponseException) -> Exception:
    """Return what a numbered answer to sender, recipient or text means."""
    why = f"{_named(relay)} answered {error.code} {' '.join(error.message.split())}"[:ANSWER_MAX_CHARS]
    if error.code in TRY_LATER:
        return _RelayUnwell(Undelivered(why))
    return Undelivered(why, permanent=True)


def _signed_out(relay: Relay, error: aiosmtplib.SMTPAuthenticationError) -> Undelivered:
    # Nobody but a person can mend a password, and trying it again may lock the account: the next channel goes at once.
    return Undelivered(f"{_named(relay)} refused the sign-in with {error.code}", permanent=True)


def _named(relay: Relay) -> str:
    host, port = relay.address
    return f"{host}:{port}"


def _short(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {cause.verify_message}"
    return (" ".join(str(cause).split()) or type(cause).__name__)[:ANSWER_MAX_CHARS]


def _build(options: Any, surroundings: Surroundings) -> SmtpSender:
    return SmtpSender(options, surroundings)


KIND = ChannelKind("smtp", SmtpOptions, _build, "email")
