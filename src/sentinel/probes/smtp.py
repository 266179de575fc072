"""The smtp probe: greet a mail server, go on in TLS, sign in; a mail is sent only when its mailbox is known."""

from __future__ import annotations

import base64
import time
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, Flag, HostPort, MailAddress, Regex, Secret, wrong
from sentinel.probes import handshake
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.hiding import hide
from sentinel.probes.net import open_socket
from sentinel.probes.patience import Patience
from sentinel.probes.said import QUOTE_MAX_CHARS, clean, quote
from sentinel.probes.smtp_loop import Letter, Mailbox, opened
from sentinel.probes.targets import PortOptions
from sentinel.probes.tlscontext import TlsOptions, YesOrTls
from sentinel.probes.wire import Wire

LINES_MAX = 100
HELLO_MAX_CHARS = 255


class Expect(BaseModel):
    """What must be so besides good answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    banner: Regex | None = None
    max_duration: Duration | None = None
    cert_days: Count | None = None
    delivered_within: Duration | None = None


class SmtpOptions(PortOptions):
    """The options of the smtp probe: TLS from the start (``tls``) or asked for (``starttls``), a name to sign in.

    With ``from``, ``to`` and ``mailbox`` a mail is sent, waited for in its mailbox, and deleted there.
    """

    tls: YesOrTls = None
    starttls: Flag = False
    username: Annotated[str, Field(max_length=HELLO_MAX_CHARS)] = ""
    password: Secret = Secret("")
    hello: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-\[\]:]+$", max_length=HELLO_MAX_CHARS)] = "sentinel.invalid"
    sender: MailAddress | None = Field(None, alias="from")
    to: MailAddress | None = None
    mailbox: Mailbox | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None and not (self.starttls or self.tls):
            raise wrong("`expect.cert_days` needs TLS", "write `starttls: yes`")
        if self.username and not (self.starttls or self.tls):
            raise wrong("a password would travel in the clear", "write `starttls: yes`, or `tls: yes`")
        loop = (self.sender, self.to, self.mailbox)
        if any(loop) and not all(loop):
            raise wrong("`from`, `to` and `mailbox` need each other", "write all three, or none")
        if self.expect.delivered_within is not None and self.mailbox is None:
            raise wrong("`expect.delivered_within` needs a `mailbox`")
        return self


async def run(options: SmtpOptions, sight: Sight) -> None:
    """Greet, encrypt and sign in as the options ask, and take leave. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    with Patience(sight) as patience:
        if options.mailbox is None:
            await _visit(options, sight, patience)
        else:
            letter, within = Letter(), options.expect.delivered_within
            async with opened(options.mailbox, sight, patience) as box:
                await _visit(options, sight, patience, letter)
                await box.take(letter, within.total_seconds() if within else None)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


async def _visit(options: SmtpOptions, sight: Sight, patience: Patience, letter: Letter | None = None) -> None:
    target = HostPort.read(sight.target)
    patience.waiting_for = "the connection"
    address = await options.find(sight, target.host)
    with Wire(await open_socket(sight, address, target.port), sight.target) as wire:
        await _Visit(options, sight, target, patience).pay(wire, letter)


class _Visit:
    """One conversation with one mail server."""

    def __init__(self, options: SmtpOptions, sight: Sight, target: HostPort, patience: Patience) -> None:
        self._options = options
        self._sight = sight
        self._target = target
        self._patience = patience
        self._secrets: tuple[str, ...] = ()

    async def pay(self, wire: Wire, letter: Letter | None) -> None:
        options = self._options
        if options.tls is not None and not options.starttls:
            await self._secure(wire)
        with self._sight.phase("banner"):
            banner = await self._say(wire, "", "220")
        if options.expect.banner is not None and not options.expect.banner.search(banner):
            raise Failed(
                "banner", f"{wire.name} greets with {quote(banner)}; {str(options.expect.banner)!r} is expected"
            )
        with self._sight.phase("hello"):
            offers = await self._hello(wire)
        if options.starttls:
            await self._upgrade(wire, offers)
            offers = await self._hello(wire)
        if options.username:
            with self._sight.phase("auth"):
                await self._sign_in(wire, offers)
        if letter is not None:
            with self._sight.phase("send"):
                await self._send(wire, letter)
        await self._say(wire, "QUIT", "221", end=True)

    async def _send(self, wire: Wire, letter: Letter) -> None:
        sender, to = str(self._options.sender), str(self._options.to)
        await self._say(wire, f"MAIL FROM:<{sender}>", "250", reason="refused")
        await self._say(wire, f"RCPT TO:<{to}>", "25", reason="refused")
        await self._say(wire, "DATA", "354", reason="refused")
        text = letter.written(sender, to, self._sight.now).replace(b"\r\n.", b"\r\n..")
        await wire.write(text)
        await self._say(wire, ".", "250", reason="refused")

    async def _hello(self, wire: Wire) -> str:
        return (await self._say(wire, f"EHLO {self._options.hello}", "250")).upper()

    async def _upgrade(self, wire: Wire, offers: str) -> None:
        if "STARTTLS" not in offers:
            raise Failed("starttls", f"{wire.name} does not offer STARTTLS")
        await self._say(wire, "STARTTLS", "220", reason="starttls")
        await self._secure(wire)

    async def _secure(self, wire: Wire) -> None:
        self._patience.waiting_for = "the TLS handshake"
        options, days = self._options.tls or TlsOptions(), self._options.expect.cert_days
        await handshake.secure(self._sight, wire, options, self._target.host, cert_days=days)

    async def _sign_in(self, wire: Wire, offers: str) -> None:
        ways = {word for line in offers.splitlines() if line[4:].startswith("AUTH") for word in line[4:].split()[1:]}
        name, password = self._options.username, self._options.password.reveal()
        pair = _base64(f"{chr(0)}{name}{chr(0)}{password}")
        self._secrets = (password, _base64(password), pair)
        if "PLAIN" in ways:
            await self._say(wire, f"AUTH PLAIN {pair}", "235", reason="auth")
        elif "LOGIN" in ways:
            await self._say(wire, "AUTH LOGIN", "334", reason="auth")
            await self._say(wire, _base64(name), "334", reason="auth")
            await self._say(wire, _base64(password), "235", reason="auth")
        else:
            raise Failed("auth", f"{wire.name} offers neither AUTH PLAIN nor AUTH LOGIN")

    async def _say(self, wire: Wire, line: str, good: str, *, reason: str = "protocol", end: bool = False) -> str:
        """Send a line, unless it is empty, and return the reply, which must begin with ``good``."""
        if line:
            await wire.write(line.encode("utf-8") + b"\r\n")
        asked = line.split(maxsplit=1)[0] if line and reason != "auth" else "the password" if line else "the connection"
        self._patience.waiting_for = f"the answer to {asked}"
        lines: list[str] = []
        while len(lines) < LINES_MAX:
            raw = await wire.read_line()
            if raw is None:
                if end:  # It has heard us; some do not take leave.
                    return ""
                raise Failed(reason, f"{wire.name} hangs up on {asked}")
            lines.append(raw.decode("utf-8", "replace"))
            if lines[-1][3:4] != "-":
                break
        else:
            raise Failed("protocol", f"{wire.name} answers {asked} with more than {LINES_MAX} lines")
        shown = hide(lines[-1], self._secrets)  # A server that repeats the password must not make us do so.
        self._sight.fact(f"received {clean(shown, QUOTE_MAX_CHARS)}")
        if not lines[-1].startswith(good):
            raise Failed(reason, f"{wire.name} answers {quote(shown)} to {asked}")
        return "\n".join(lines)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


REASONS = frozenset(
    {
        "auth", "banner", "cert_days", "connect", "delivery", "denied", "dns", "mailbox", "max_duration", "protocol",
        "refused", "starttls", "timeout", "tls",
    }
)  # fmt: skip

KIND = ProbeKind("smtp", SmtpOptions, run, REASONS)
