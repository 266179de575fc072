"""The smtp probe: greet a mail server, go on in TLS, sign in; no mail is sent."""

from __future__ import annotations

import base64
import time
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, Flag, HostPort, Regex, Secret, wrong
from sentinel.probes import handshake, tlsinfo
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.net import IPAddress, open_socket
from sentinel.probes.targets import PortOptions
from sentinel.probes.tlscontext import TlsOptions, YesOrTls
from sentinel.probes.wire import Wire

LINES_MAX = 100
QUOTE_MAX_CHARS = 120
HELLO_MAX_CHARS = 255


class Expect(BaseModel):
    """What must be so besides good answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    banner: Regex | None = None
    max_duration: Duration | None = None
    cert_days: Count | None = None


class SmtpOptions(PortOptions):
    """The options of the smtp probe: TLS from the start (``tls``) or asked for (``starttls``), a name to sign in."""

    tls: YesOrTls = None
    starttls: Flag = False
    username: Annotated[str, Field(max_length=HELLO_MAX_CHARS)] = ""
    password: Secret = Secret("")
    hello: Annotated[str, Field(pattern=r"^[A-Za-z0-9.\-\[\]:]+$", max_length=HELLO_MAX_CHARS)] = "sentinel.invalid"
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None and not (self.starttls or self.tls):
            raise wrong("`expect.cert_days` needs TLS", "write `starttls: yes`")
        if self.username and not (self.starttls or self.tls):
            raise wrong("a password would travel in the clear", "write `starttls: yes`, or `tls: yes`")
        return self


async def run(options: SmtpOptions, sight: Sight) -> None:
    """Greet, encrypt and sign in as the options ask, and take leave. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    target = HostPort.read(sight.target)
    address = await options.find(sight, target.host)
    with Wire(await open_socket(sight, address, target.port), sight.target) as wire:
        await _Visit(options, sight, target, address).pay(wire)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


class _Visit:
    """One conversation with one mail server."""

    def __init__(self, options: SmtpOptions, sight: Sight, target: HostPort, address: IPAddress) -> None:
        self._options = options
        self._sight = sight
        self._target = target
        self._address = address

    async def pay(self, wire: Wire) -> None:
        options = self._options
        if options.tls is not None and not options.starttls:
            await self._secure(wire)
        with self._sight.phase("banner"):
            banner = await self._say(wire, "", "220")
        if options.expect.banner is not None and not options.expect.banner.search(banner):
            raise Failed(
                "banner", f"{wire.name} greets with {_quote(banner)}; {str(options.expect.banner)!r} is expected"
            )
        with self._sight.phase("hello"):
            offers = await self._hello(wire)
        if options.starttls:
            await self._upgrade(wire, offers)
            offers = await self._hello(wire)
        if options.username:
            with self._sight.phase("auth"):
                await self._sign_in(wire, offers)
        await self._say(wire, "QUIT", "221", end=True)

    async def _hello(self, wire: Wire) -> str:
        return (await self._say(wire, f"EHLO {self._options.hello}", "250")).upper()

    async def _upgrade(self, wire: Wire, offers: str) -> None:
        if "STARTTLS" not in offers:
            raise Failed("starttls", f"{wire.name} does not offer STARTTLS")
        await self._say(wire, "STARTTLS", "220", reason="starttls")
        await self._secure(wire)

    async def _secure(self, wire: Wire) -> None:
        options = self._options.tls or TlsOptions()
        peer = await handshake.meet(self._sight, wire, options, self._target.host)
        handshake.record(self._sight, options, peer, cipher=False)
        if peer.error is not None:
            raise Failed("tls", f"{self._sight.target} {handshake.why(peer.error)}") from peer.error
        if self._options.expect.cert_days is not None:
            tlsinfo.check_days(self._sight, self._target.host, peer.chain, self._options.expect.cert_days)

    async def _sign_in(self, wire: Wire, offers: str) -> None:
        ways = {word for line in offers.splitlines() if line[4:].startswith("AUTH") for word in line[4:].split()[1:]}
        name, password = self._options.username, self._options.password.reveal()
        if "PLAIN" in ways:
            await self._say(wire, f"AUTH PLAIN {_base64(f'{chr(0)}{name}{chr(0)}{password}')}", "235", reason="auth")
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
        self._sight.fact(f"received {tlsinfo.clean(lines[-1], QUOTE_MAX_CHARS)}")
        if not lines[-1].startswith(good):
            raise Failed(reason, f"{wire.name} answers {_quote(lines[-1])} to {asked}")
        return "\n".join(lines)


def _quote(text: str) -> str:
    return f"“{tlsinfo.clean(text, QUOTE_MAX_CHARS)}”"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


TALK_REASONS = frozenset({"auth", "banner", "cert_days", "max_duration", "protocol", "starttls"})
REASONS = TALK_REASONS | {"connect", "denied", "dns", "timeout", "tls"}

KIND = ProbeKind("smtp", SmtpOptions, run, REASONS)
