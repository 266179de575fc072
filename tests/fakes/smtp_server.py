"""A mail relay on 127.0.0.1: STARTTLS and AUTH as real ones do, refusals and silences on demand."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import warnings
from dataclasses import dataclass, field
from email.message import EmailMessage
from types import TracebackType
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "sentinel", "correct horse"


@dataclass
class SmtpServer:
    """Takes mails into ``mails``. ``answers`` maps MAIL, RCPT, AUTH or DATA to the answer it gives instead.

    ``silent`` keeps every mail after its text without ever answering; ``greeting`` closes with a line of its own.
    """

    tls: ssl.SSLContext | None = None
    auth: bool = False
    starttls: bool = True
    implicit_tls: bool = False
    answers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    greeting: str = ""
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> SmtpServer:
        loop = asyncio.get_running_loop()
        self._release = asyncio.Event()
        self._transports: list[asyncio.BaseTransport] = []
        context = self.tls if self.implicit_tls else None
        self._server = await loop.create_server(self._protocol, "127.0.0.1", 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release.set()
        self._server.close()
        for transport in self._transports:
            if not transport.is_closing():
                cast(asyncio.Transport, transport).abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # let aborted connections tell their protocols

    @property
    def connections(self) -> int:
        """Return how many there were so far."""
        return len(self._transports)

    @property
    def open_connections(self) -> int:
        """Return how many there are."""
        return sum(not transport.is_closing() for transport in self._transports)

    def hang_up(self) -> None:
        """Close every connection, as a relay does that has waited for long enough."""
        for transport in self._transports:
            cast(asyncio.Transport, transport).close()

    @property
    def mails(self) -> list[EmailMessage]:
        """Return what was taken, parsed."""
        return [self._parsed(envelope) for envelope in self.envelopes]

    @staticmethod
    def _parsed(envelope: Envelope) -> EmailMessage:
        content = cast(bytes, envelope.content)
        return cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default))

    def _protocol(self) -> asyncio.BaseProtocol:
        if self.greeting:
            return _Closed(self.greeting, self._transports)
        with warnings.catch_warnings():
            # aiosmtpd does not see that the password is protected when TLS is there from the first byte.
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return self._smtp()

    def _smtp(self) -> SMTP:
        return _Recorded(
            self._transports,
            self,
            hostname="relay.example.org",
            ident="fake",
            tls_context=self.tls if self.starttls and not self.implicit_tls else None,
            authenticator=self._authenticate if self.auth else None,
            auth_required=self.auth,
            auth_require_tls=not self.implicit_tls,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        if "AUTH" in self.answers:
            return AuthResult(success=False, handled=False, message=self.answers["AUTH"])
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False, auth_data=USER)

    async def handle_MAIL(  # noqa: N802  the names and orders are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.envelopes.append(envelope)
        self.encrypted.append(session.ssl is not None or self.implicit_tls)
        if self.silent:
            await self._release.wait()
        return f"250 2.0.0 queued as {len(self.envelopes):04d}"


class _Recorded(SMTP):
    """aiosmtpd's own server, with its connections known, so that none outlives the test."""

    def __init__(self, transports: list[asyncio.BaseTransport], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._known = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._known.append(transport)
        super().connection_made(transport)


class _Closed(asyncio.Protocol):
    """Says one line and hangs up."""

    def __init__(self, line: str, transports: list[asyncio.BaseTransport]) -> None:
        self._line = line
        self._known = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._known.append(transport)
        writable = cast(asyncio.Transport, transport)
        writable.write(f"{self._line}\r\n".encode())
        writable.close()
