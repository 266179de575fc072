"""The websocket probe: shake hands, exchange messages when asked, ping."""

from __future__ import annotations

import time
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, Flag, OneOrMany, Regex, Secret, quoted, wrong
from sentinel.probes import handshake
from sentinel.probes.base import Failed, Labels, ProbeKind, Sight
from sentinel.probes.conversation import STEPS_MAX, expand
from sentinel.probes.duration import check_duration
from sentinel.probes.http_message import Link
from sentinel.probes.http_options import TOKEN, BasicAuth, Headers, authorization
from sentinel.probes.net import open_socket
from sentinel.probes.patience import Patience
from sentinel.probes.said import quote
from sentinel.probes.targets import TARGETS_MAX, HostOptions, check_targets
from sentinel.probes.tlscontext import TlsOptions
from sentinel.probes.websocket_frames import TEXT, Messages
from sentinel.probes.websocket_handshake import OURS, Wish, link_of, upgrade
from sentinel.probes.wire import LINE_MAX_BYTES, Wire

PROTOCOLS_MAX = 10
AT_FIRST_0: dict[tuple[str, Labels], float] = {
    ("probe_websocket_connection_upgraded", ()): 0.0,
    ("probe_websocket_failed_due_to_regex", ()): 0.0,
    ("probe_websocket_status_code", ()): 0.0,
}


def _read_url(value: object) -> str:
    text = value if isinstance(value, str) else ""
    scheme = text.partition("://")[0].lower()
    if "@" in text.partition("://")[2].partition("/")[0]:  # Not quoted: a password may be in it.
        raise wrong("the address of a WebSocket must not hold a user name or password", "write `basic_auth`")
    if scheme not in {"ws", "wss"}:
        raise wrong(f"{quoted(value)} is not the address of a WebSocket", "write it as `wss://host/path`")
    try:
        link_of(text)
    except ValueError as error:
        raise wrong(f"{quoted(value)}: {error}", "write it as `wss://host/path`") from None
    return text


WsUrl = Annotated[str, BeforeValidator(_read_url), Field(json_schema_extra={"pattern": "^wss?://"})]


class Message(BaseModel):
    """Part of a conversation: the next message must match, then one is sent, in which ``${1}`` is what matched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expect: Regex | None = None
    send: Annotated[str, Field(max_length=LINE_MAX_BYTES)] = ""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.expect or self.send):
            raise wrong("the step does nothing", "write `expect` or `send`")
        return self


class Expect(BaseModel):
    """What must be so besides the handshake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: Annotated[str, Field(pattern=TOKEN.pattern)] | None = None
    max_duration: Duration | None = None
    cert_days: Count | None = None


class WebsocketOptions(HostOptions):
    """The options of the websocket probe: ``url`` or ``targets``, ``ws://`` or ``wss://``."""

    url: WsUrl | None = None
    many: OneOrMany[WsUrl] = Field((), alias="targets", max_length=TARGETS_MAX)
    headers: Headers = Field({})
    basic_auth: BasicAuth | None = None
    bearer: Secret | None = None
    protocols: Annotated[
        OneOrMany[Annotated[str, Field(pattern=f"^{TOKEN.pattern}$")]], Field(max_length=PROTOCOLS_MAX)
    ] = ()
    tls: TlsOptions = TlsOptions()
    steps: Annotated[tuple[Message, ...], Field(max_length=STEPS_MAX)] = ()
    ping: Flag = True
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _complete(self) -> Self:
        check_targets(self.url, self.many, "url")
        if taken := next((name for name in self.headers if name.lower() in OURS), ""):
            raise wrong(f"the header {taken} is not for a configuration to set")
        if self.expect.cert_days is not None and not all(url.lower().startswith("wss:") for url in self.targets()):
            raise wrong("`expect.cert_days` needs TLS", "write the address as `wss://…`")
        return self

    @property
    def wish(self) -> Wish:
        """What is said in the handshake."""
        headers = authorization(self.basic_auth, self.bearer)
        headers |= {name: value.reveal() for name, value in self.headers.items()}
        return Wish(headers, self.protocols, self.expect.protocol)

    def targets(self) -> tuple[str, ...]:
        """Name each address."""
        return (self.url,) if self.url is not None else self.many


async def run(options: WebsocketOptions, sight: Sight) -> None:
    """Shake hands, exchange what the steps say, ping. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``.
    """
    begun = time.perf_counter()
    sight.samples |= AT_FIRST_0
    link = link_of(sight.target)
    with Patience(sight) as patience:
        address = await options.find(sight, link.host)
        with Wire(await open_socket(sight, address, link.port), link.shown.replace("http", "ws", 1)) as wire:
            with sight.phase("processing"):
                if link.secure:
                    patience.waiting_for = "the TLS handshake"
                    await _secure(options, sight, link, wire)
                patience.waiting_for = "the WebSocket handshake"
                await upgrade(wire, sight, link, options.wish)
            messages = Messages(wire)
            if options.steps or options.ping:
                with sight.phase("transfer"):
                    await _exchange(options, sight, messages, patience)
            await messages.close()
    check_duration(wire.name, time.perf_counter() - begun, options.expect.max_duration)


async def _secure(options: WebsocketOptions, sight: Sight, link: Link, wire: Wire) -> None:
    try:
        await handshake.secure(sight, wire, options.tls, link.host, cert_days=options.expect.cert_days)
    finally:
        sight.phases.pop("tls", None)  # Part of the processing, as blackbox_exporter counts.


async def _exchange(options: WebsocketOptions, sight: Sight, messages: Messages, patience: Patience) -> None:
    for number, step in enumerate(options.steps, 1):
        send = step.send
        if step.expect is not None:
            patience.waiting_for = f"the message of step {number}"
            text = (await messages.receive()).decode("utf-8", "replace")
            sight.fact(f"received {quote(text)}")
            match = step.expect.search(text)
            if match is None:
                sight.gauge("probe_websocket_failed_due_to_regex", 1)
                raise Failed("expect", f"step {number} receives {quote(text)}; {str(step.expect)!r} is expected")
            send = expand(send, match)
        if send:
            await messages.send(TEXT, send.encode())
            sight.fact(f"sent a message of {len(send)} characters")  # Never what: it may be a password.
    if options.ping:
        patience.waiting_for = "the pong"
        await messages.ping()
        sight.fact("the ping is answered")


REASONS = frozenset(
    {
        "cert_days", "closed", "connect", "denied", "dns", "expect", "max_duration", "protocol", "status", "timeout",
        "tls",
    }
)  # fmt: skip

KIND = ProbeKind("websocket", WebsocketOptions, run, REASONS, "probe_websocket_duration_seconds")
