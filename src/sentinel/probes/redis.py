"""The redis probe: sign in, PING, and what INFO says compared with what is expected."""

from __future__ import annotations

import time
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, HostPort, Secret, quoted, wrong
from sentinel.probes import handshake, resp
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.expect import Wanted
from sentinel.probes.hiding import hide
from sentinel.probes.net import open_socket
from sentinel.probes.reading import holds, number_in
from sentinel.probes.said import clean
from sentinel.probes.targets import PortOptions
from sentinel.probes.tlscontext import YesOrTls
from sentinel.probes.wire import Wire

FIELDS_MAX: Final = 50
INFO_LINES_MAX: Final = 5_000
QUOTE_MAX_CHARS: Final = 120
NO_SIGN_IN: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})

InfoField = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class Expect(BaseModel):
    """What must be so of the fields of INFO, and how long all may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    info: Annotated[dict[InfoField, Wanted], Field(max_length=FIELDS_MAX)] = {}
    max_duration: Duration | None = None
    cert_days: Count | None = None


class RedisOptions(PortOptions):
    """The options of the redis probe: ``value`` names the field of INFO that is kept as the probe's value."""

    tls: YesOrTls = None
    username: Annotated[str, Field(max_length=255)] = ""
    password: Secret = Secret("")
    value: InfoField | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None and self.tls is None:
            raise wrong("`expect.cert_days` needs TLS", "write `tls: yes`")
        if self.username and not self.password:
            raise wrong(f"`username` {quoted(self.username)} needs a `password`")
        return self


async def run(options: RedisOptions, sight: Sight) -> None:
    """Encrypt and sign in as the options ask, PING, and compare. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``; ``loading`` it is not ready yet, ``info`` a field is not as expected.
    """
    begun = time.perf_counter()
    target = HostPort.read(sight.target)
    address = await options.find(sight, target.host)
    with Wire(await open_socket(sight, address, target.port), sight.target) as wire:
        if options.tls is not None:
            await handshake.secure(sight, wire, options.tls, target.host, cert_days=options.expect.cert_days)
        if options.password:
            with sight.phase("auth"):
                await _say(wire, "AUTH", *filter(None, [options.username]), options.password.reveal())
        with sight.phase("ping"):
            answer = await _say(wire, "PING")
        if answer != "PONG":
            raise Failed("protocol", f"{wire.name} answers “{clean(str(answer), QUOTE_MAX_CHARS)}” to PING")
        if options.expect.info or options.value:
            with sight.phase("info"):
                said = await _say(wire, "INFO", "everything")
            _judge(options, sight, fields(str(said)))
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


async def _say(wire: Wire, command: str, *arguments: str) -> resp.Reply:
    """Send a command and return the answer; what it was sent with is a secret."""
    await wire.write(resp.encode(command, *arguments))
    try:
        return await resp.read(wire)
    except resp.Refusal as refusal:
        reason = "auth" if command == "AUTH" or refusal.code in NO_SIGN_IN else "refused"
        reason = "loading" if refusal.code in {"LOADING", "MASTERDOWN"} else reason
        # Who does not know AUTH quotes its arguments.
        shown = clean(hide(str(refusal), arguments if command == "AUTH" else ()), QUOTE_MAX_CHARS)
        raise Failed(reason, f"{wire.name} answers “{shown}” to {command}") from refusal


def fields(text: str) -> dict[str, str]:
    """Read what INFO says: ``name:value`` a line; a field of a compound, ``db0:keys=3,…``, is ``db0.keys``."""
    found: dict[str, str] = {}
    for line in text.split("\r\n", INFO_LINES_MAX)[:INFO_LINES_MAX]:
        name, colon, value = line.partition(":")
        if not colon or name.startswith("#"):
            continue
        found[name] = value
        if "=" in value:
            parts = (each.partition("=") for each in value.split(","))
            found |= {f"{name}.{key}": part for key, equals, part in parts if equals}
    return found


def _judge(options: RedisOptions, sight: Sight, found: dict[str, str]) -> None:
    if options.value is not None:
        sight.value = number_in(found.get(options.value))
        if sight.value is None:
            raise Failed("info", f"{sight.target} has no number {options.value} in INFO")
    for name, wanted in options.expect.info.items():
        text = found.get(name)
        if text is None:
            raise Failed("info", f"{sight.target} has no {name} in INFO; {wanted} is expected")
        sight.fact(f"{name} is {clean(text, QUOTE_MAX_CHARS)}")
        if not holds(wanted, text):
            raise Failed("info", f"{name} is {clean(text, QUOTE_MAX_CHARS)} at {sight.target}; {wanted} is expected")


REASONS = frozenset(
    {
        "auth", "cert_days", "connect", "denied", "dns", "info", "loading", "max_duration", "protocol", "refused",
        "timeout", "tls",
    }
)  # fmt: skip

KIND = ProbeKind("redis", RedisOptions, run, REASONS)
