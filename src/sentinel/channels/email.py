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
from typing import Any, Final, Literal, cast

import aiosmtplib
from pydantic import Field, field_validator, model_validator

from sentinel.channels import addresses
from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.channels.mail_message import mailbox, written
from sentinel.config.fields import Duration, Flag, Host, Mailbox, Port, Secret, quoted, wrong

PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
TIMEOUT: Final = timedelta(seconds=15)  # for one relay, from connecting to its last answer
ANSWER_MAX_CHARS: Final = 200
GOODBYE_MAX_S: Final = 2.0
KEPT_FOR_S: Final = 1.0  # after the last mail, when mails come so fast
CARRIED_MAX: Final = 100  # mails over one connection: relays count them, and some take offence
TRY_LATER: Final = range(400, 500)
OF_MAILBOXES: Final = frozenset({550, 551, 552, 553})
OF_POLICY: Final = "5.7."  # An enhanced code: "relay access denied" says nothing of who is there.
TAKEN: Final = frozenset({250, 251})  # Anything else means that this mail does not go.


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


class _Line:
    """A connection that is signed in, and how many mails went over it."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.carried = 0
        self.sent = False  # The text has left: what comes of it may stay unknown.
        self.well = False  # The last mail was taken, and nothing is under way.


class SmtpSender:
    """Sends mails, each bounded in time. While they come fast, connections are used again; then none is kept."""

    def __init__(self, options: SmtpOptions, surroundings: Surroundings) -> None:
        self._options = options
        self._surroundings = surroundings
        self._relays = (options, options.fallback) if options.fallback else (options,)
        self._tls = {
            relay.address: ssl.create_default_context(cafile=relay.ca_file or None)
            for relay in self._relays
            if relay.security != "none"
        }
        self._carried_at = float("-inf")
        self._goodbye: asyncio.TimerHandle | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._idle: dict[tuple[str, int], list[_Line]] = {relay.address: [] for relay in self._relays}

    async def send(self, message: Message) -> str:
        """Hand the mail to the first relay that takes it, and return that relay's answer.

        Raises:
            Undelivered: no relay took it.
        """
        sender = mailbox(self._options.from_.name or self._surroundings.site, self._options.from_.address)
        mail = written(message, sender=sender, hostname=self._surroundings.hostname, site=self._surroundings.site)
        return await self._send(mail, message.to)

    async def _send(self, mail: bytes, to: str) -> str:
        failures: list[Undelivered] = []
        for relay in self._relays:
            try:
                return await self._send_by(relay, mail, to)
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
        """Say goodbye on every connection that is kept."""
        if self._goodbye is not None:
            self._goodbye.cancel()
        for idle in self._idle.values():
            while idle:
                await _leave(idle.pop().client)

    async def _send_by(self, relay: Relay, mail: bytes, to: str) -> str:
        line: _Line | None = None
        try:
            async with asyncio.timeout(self._options.timeout.total_seconds()):
                line = await self._line(relay)
                answer = await self._carry(line, mail, to)
            return f"{_named(relay)} {answer.code} {answer.message}"[:ANSWER_MAX_CHARS]
        except aiosmtplib.SMTPResponseException as error:
            if line is not None:
                await _leave(line.client)
            raise _refusal(relay, error) from error
        except (aiosmtplib.SMTPException, OSError) as error:  # TimeoutError is an OSError
            if line is not None and line.sent:
                why = f"{_named(relay)} fell silent after the text: it may have taken it"
                raise Undelivered(why, outcome="timeout") from error
            raise _RelayUnwell(Undelivered(f"{_named(relay)} does not answer: {_short(error)}")) from error
        finally:
            if line is not None:
                await self._put_away(relay, line)

    async def _line(self, relay: Relay) -> _Line:
        """Return a connection that waits for a sender's name: one that is kept and still well, or a new one."""
        idle = self._idle[relay.address]
        while idle:
            line = idle.pop()
            try:
                await _begin(line.client, self._options.from_.address)
            except (aiosmtplib.SMTPException, OSError):  # It was closed meanwhile, which says nothing of this mail.
                _drop(line.client)
            except BaseException:
                _drop(line.client)
                raise
            else:
                return line
        line = _Line(await self._open(relay))
        try:
            await _begin(line.client, self._options.from_.address)
        except aiosmtplib.SMTPResponseException:
            await _leave(line.client)
            raise
        except BaseException:
            _drop(line.client)
            raise
        return line

    async def _carry(self, line: _Line, mail: bytes, to: str) -> aiosmtplib.SMTPResponse:
        """Send a mail; the caller's limit holds for all of it, so that no command needs one of its own."""
        line.well = False
        await _address(line.client, to)
        line.sent = True
        answer = await line.client.data(mail, timeout=None)
        line.sent, line.well = False, True
        line.carried += 1
        return answer

    async def _put_away(self, relay: Relay, line: _Line) -> None:
        """Keep a connection that is well for a moment, if mails come fast: nobody needs it after a single page."""
        loop = asyncio.get_running_loop()
        well, fast = line.well and line.client.is_connected, loop.time() - self._carried_at < KEPT_FOR_S
        self._carried_at = loop.time()
        if not well:
            _drop(line.client)
        elif not fast or line.carried >= CARRIED_MAX:
            await _leave(line.client)
        else:
            self._idle[relay.address].append(line)
            if self._goodbye is not None:
                self._goodbye.cancel()
            self._goodbye = loop.call_later(KEPT_FOR_S, self._leave_all)

    def _leave_all(self) -> None:
        leaving = asyncio.get_running_loop().create_task(self.close())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

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


async def _begin(client: aiosmtplib.SMTP, sender: str) -> None:
    """Name the sender. Whoever wrote the headers has read the address: the library would take it to pieces again."""
    answer = await client.execute_command(b"MAIL", b"FROM:<%s>" % sender.encode("ascii"), timeout=None)
    if answer.code not in TAKEN:
        raise aiosmtplib.SMTPSenderRefused(answer.code, answer.message, sender)


async def _address(client: aiosmtplib.SMTP, to: str) -> None:
    """Name the recipient."""
    answer = await client.execute_command(b"RCPT", b"TO:<%s>" % to.encode("ascii"), timeout=None)
    if answer.code not in TAKEN:
        raise aiosmtplib.SMTPRecipientRefused(answer.code, answer.message, to)


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
    return Undelivered(why, permanent=True, nobody_there=_nobody_there(error))


def _nobody_there(error: aiosmtplib.SMTPResponseException) -> bool:
    """Tell whether it is the recipient's address that takes nothing, and not us, our text or our ways (RFC 3463)."""
    refused = isinstance(error, aiosmtplib.SMTPRecipientRefused) and error.code in OF_MAILBOXES
    return refused and not error.message.lstrip().startswith(OF_POLICY)


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
