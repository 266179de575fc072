"""A conversation by lines on a stream: what may be said, when TLS begins, and how it is held; tcp and unix share it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from functools import cached_property
from socket import socket
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sentinel.config.fields import Count, Duration, Flag, Regex, wrong
from sentinel.probes import handshake, starttls
from sentinel.probes.base import Failed, Options, Sight
from sentinel.probes.said import clean
from sentinel.probes.starttls import Protocol
from sentinel.probes.tlscontext import TlsOptions, YesOrTls
from sentinel.probes.wire import LINE_MAX_BYTES, Wire

# Makes a new connection to the same peer.
Connect: TypeAlias = Callable[[], Awaitable[socket]]

STEPS_MAX = 50
LABELS_MAX = 10
FACTS_MAX = 50
LINE_ENDS = {"lf": "\n", "crlf": "\r\n", "none": ""}

# `$1`, `${1}`, `${name}`, and `$$` for a dollar sign, as Go expands them.
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(_Part):
    """A label of ``probe_expect_info``; the value may hold ``${1}``."""

    name: Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")]
    value: Annotated[str, Field(max_length=1024)]

    @model_validator(mode="after")
    def _is_free(self) -> Label:
        if self.name in {"probe", "service", "target", "site"} or self.name.startswith("__"):
            raise wrong(f"the label `{self.name}` is taken", "choose another name")
        return self


class Step(_Part):
    """Part of a conversation, in this order: wait for what matches, send, go on in TLS."""

    expect: Regex | None = None
    expect_bytes: Annotated[str, Field(max_length=LINE_MAX_BYTES)] = ""
    labels: Annotated[tuple[Label, ...], Field(max_length=LABELS_MAX)] = ()
    send: Annotated[str, Field(max_length=LINE_MAX_BYTES)] = ""
    starttls: Flag = False

    @model_validator(mode="after")
    def _does_something(self) -> Step:
        if not (self.expect or self.expect_bytes or self.send or self.starttls):
            raise wrong("the step does nothing", "write `expect`, `send` or `starttls`")
        if self.labels and not self.expect:
            raise wrong("`labels` need an `expect` to take their values from")
        return self


def _nothing(value: object) -> object:
    return None if value == "" else value


class Expect(_Part):
    """What must be so: an answer to one line, a time, a certificate that lasts."""

    send: Annotated[str, Field(max_length=LINE_MAX_BYTES)] = ""
    receive: Annotated[Regex | None, BeforeValidator(_nothing)] = None
    max_duration: Duration | None = None
    cert_days: Count | None = None


class TalkOptions(Options):
    """What is said on a connection, whatever it leads to."""

    tls: YesOrTls = None
    starttls: Protocol | None = None
    steps: Annotated[tuple[Step, ...], Field(max_length=STEPS_MAX)] = ()
    line_end: Annotated[str, Field(pattern="^(lf|crlf|none)$")] = "lf"
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.expect.cert_days is not None and not self.encrypts:
            raise wrong("`expect.cert_days` needs TLS", "write `tls: yes` or `starttls: smtp`")
        if self.steps and (self.expect.send or self.expect.receive):
            raise wrong("`steps` and `expect.send` or `expect.receive` exclude each other")
        return self

    @cached_property
    def encrypts(self) -> bool:
        """Tell whether the connection goes on in TLS at some point."""
        return self.tls is not None or self.starttls is not None or any(step.starttls for step in self.steps)

    @property
    def at_once(self) -> bool:
        """Tell whether TLS comes before the conversation."""
        return self.starttls is not None or (self.tls is not None and not any(step.starttls for step in self.steps))

    @cached_property
    def conversation(self) -> tuple[Step, ...]:
        """The steps, also when they were written as ``expect.send`` and ``expect.receive``."""
        steps = list(self.steps)
        if self.expect.send:
            steps.append(Step(send=self.expect.send))
        if self.expect.receive:
            steps.append(Step(expect=self.expect.receive))
        return tuple(steps)


class Talk:
    """One conversation with one target; ``host`` is the name that TLS asks for when the options say none."""

    def __init__(self, options: TalkOptions, sight: Sight, host: str, connect: Connect) -> None:
        self._options = options
        self._sight = sight
        self._host = host
        self._connect = connect
        self._facts = 0

    async def hold(self, wire: Wire) -> None:
        """Do everything that comes after the connection.

        Raises:
            Failed: one of ``TALK_REASONS``.
        """
        if self._options.starttls:
            await self._ask(wire)
        if self._options.at_once:
            await self._secure(wire, self._dial)
        with self._sight.phase("conversation"):
            for step in self._options.conversation:
                await self._step(wire, step)

    async def _dial(self) -> Wire:
        connection = await self._connect()
        wire = Wire(connection, self._sight.target)
        try:
            if self._options.starttls:
                await self._ask(wire)
        except BaseException:
            connection.close()
            raise
        return wire

    async def _ask(self, wire: Wire) -> None:
        if self._options.starttls:
            with self._sight.phase("starttls"):
                await starttls.ask(wire, self._options.starttls, self._host)

    async def _secure(self, wire: Wire, look_again: handshake.Dial | None = None) -> None:
        options = self._options.tls or TlsOptions()
        days = self._options.expect.cert_days
        await handshake.secure(self._sight, wire, options, self._host, look_again, cert_days=days)

    async def _step(self, wire: Wire, step: Step) -> None:
        send = step.send
        if step.expect:
            match = await self._expect(wire, step.expect)
            send = expand(send, match)
            if step.labels:
                labels = {label.name: clean(expand(label.value, match)) for label in step.labels}
                self._sight.gauge("probe_expect_info", 1, **labels)
        if step.expect_bytes:
            await self._expect_bytes(wire, step.expect_bytes.encode())
        if send:
            data = (send + LINE_ENDS[self._options.line_end]).encode("utf-8", "replace")
            self._fact(f"sent {len(data)} bytes")  # Never what: it may be a password.
            await wire.write(data)
        if step.starttls:
            await self._secure(wire)

    async def _expect(self, wire: Wire, pattern: Regex) -> Any:
        """Read lines until one matches; return the match."""
        first = None
        while (line := await wire.read_line()) is not None:
            text = line.decode("utf-8", "replace")
            first = text if first is None else first
            self._fact(f"received {clean(text, 200)}")
            match = pattern.search(text)
            if match:
                return match
        self._sight.gauge("probe_failed_due_to_regex", 1)
        got = "nothing" if first is None else f"“{clean(first, 120)}”"
        raise Failed("expect", f"{wire.name} sends {got} and ends; {str(pattern)!r} is expected")

    async def _expect_bytes(self, wire: Wire, wanted: bytes) -> None:
        got = await wire.read_exactly(len(wanted))
        if got != wanted:
            self._sight.gauge("probe_failed_due_to_bytes", 1)
            raise Failed("expect", f"{wire.name} sends {got[:60]!r}; {wanted[:60]!r} is expected")

    def _fact(self, text: str) -> None:
        self._facts += 1
        if self._facts <= FACTS_MAX:
            self._sight.fact(text)


def expand(text: str, match: Any) -> str:
    """Put what a pattern caught into a text; a group that does not exist, or took no part, is empty."""

    def caught(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        try:
            return str(match.group(int(name) if name.isdigit() else name) or "")
        except (IndexError, KeyError):
            return ""

    return _REFERENCE.sub(caught, text)


TALK_REASONS = frozenset({"cert_days", "connect", "expect", "protocol", "tls"})
