"""The dns probe: ask one server one question, over UDP, TCP or TLS, and judge its answer."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from sentinel.config.fields import Comparison, Duration, Flag, HostPort, OneOrMany, Regex, did_you_mean, quoted, wrong
from sentinel.config.words import ReadsText, read_text
from sentinel.probes import handshake
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.dns_message import decode, rcode, texts
from sentinel.probes.duration import check_duration
from sentinel.probes.net import IPAddress, family_of, literal, open_socket
from sentinel.probes.readiness import READ, readiness
from sentinel.probes.said import clean
from sentinel.probes.targets import TARGETS_MAX, HostOptions, check_targets
from sentinel.probes.tlscontext import TlsOptions, YesOrTls
from sentinel.probes.wire import Wire

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name

PORTS = {"udp": 53, "tcp": 53, "tls": 853}
MESSAGE_MAX_BYTES = 65_535
# Datagrams that answer another question are passed over; a flood of them is somebody guessing.
STRANGERS_MAX = 1000
PATTERNS_MAX = 20
RECORDS_SHOWN = 20
SERVERS_KEPT_MAX = 16_384
TRUNCATED, AUTHORITATIVE = 0x0200, 0x0400  # bits of the header (RFC 1035)


@dataclass(frozen=True)
class Server(ReadsText):
    """Whom to ask: ``host``, ``host:port`` or ``[v6]:port``; without a port it is the transport's own."""

    host: str
    port: int | None = None

    _SCHEMA = {"type": "string", "examples": ["192.0.2.53", "ns1.example.org:5353"]}

    @classmethod
    def read(cls, value: object) -> Server:
        """Read it; an IPv6 address without a port needs no brackets."""
        text = read_text(value, "a server", "write it as `192.0.2.53` or `ns1.example.org:53`")
        address = literal(text)
        if address is not None:
            return cls(str(address))
        found = HostPort.read(text if ":" in text else f"{text}:53")
        return cls(found.host, found.port if ":" in text else None)

    def __str__(self) -> str:
        return self.host if self.port is None else str(HostPort(self.host, self.port))


@lru_cache(maxsize=SERVERS_KEPT_MAX)
def server_of(target: str) -> Server:
    """Read a server that is asked again and again, as ``Server.read`` does."""
    return Server.read(target)


def _read_record(value: object) -> str:
    """Read a record type the DNS knows, or ``TYPE65``."""
    import dns.exception  # noqa: PLC0415  80 ms that only a configuration with a dns probe needs to pay
    import dns.rdatatype  # noqa: PLC0415  as above

    text = read_text(value, "a record type").upper()
    try:
        dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError):
        raise wrong(
            f"{quoted(value)} is not a record type", did_you_mean(text, [kind.name for kind in dns.rdatatype.RdataType])
        ) from None
    return text


def _read_rcode(value: object) -> str:
    import dns.rcode  # noqa: PLC0415  as above

    text = read_text(value, "a response code").upper()
    known = [code.name for code in dns.rcode.Rcode]
    if text not in known:
        raise wrong(f"{quoted(value)} is not a response code", did_you_mean(text, known) or "write `NOERROR`")
    return text


Record = Annotated[str, BeforeValidator(_read_record)]
Rcode = Annotated[str, BeforeValidator(_read_rcode)]
Patterns = Annotated[OneOrMany[Regex], Field(max_length=PATTERNS_MAX)]


class Rules(BaseModel):
    """What must be so of the records of one section, each written ``name TTL class type value`` with tabs between."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contains: Patterns = ()
    matches: Patterns = ()
    each: Patterns = ()
    not_matches: Patterns = ()


class Section(Rules):
    """The rules for the authority or the additional section."""

    count: Comparison | None = None


class Expect(Rules):
    """The rules for the answer section, and what must be so of the whole."""

    rcode: OneOrMany[Rcode] = ("NOERROR",)
    answers: Comparison | None = None
    authority: Section = Section()
    additional: Section = Section()
    serial: Comparison | None = None
    authoritative: Flag | None = None
    max_duration: Duration | None = None


class DnsOptions(HostOptions):
    """The options of the dns probe; ``server`` or ``targets`` name whom to ask."""

    server: Server | None = None
    many: OneOrMany[Server] = Field((), alias="targets", max_length=TARGETS_MAX)
    query: Annotated[str, Field(min_length=1, max_length=255)]
    record: Record = "A"
    class_: Annotated[Literal["IN", "CH", "HS", "ANY"], Field(alias="class")] = "IN"
    transport: Literal["udp", "tcp", "tls"] = "udp"
    recursion: Flag = True
    tls: YesOrTls = None
    source_ip_address: IPAddress | None = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _agrees(self) -> DnsOptions:
        import dns.exception  # noqa: PLC0415  as above

        check_targets(self.server, self.many, one_is="server")
        if self.tls is not None and self.transport != "tls":
            raise wrong("`tls` needs `transport: tls`")
        if self.expect.serial is not None and self.record != "SOA":
            raise wrong("`expect.serial` needs `record: SOA`")
        try:
            _ = self.name
        except (dns.exception.DNSException, ValueError) as error:
            raise wrong(f"{quoted(self.query)} is not a name: {error}") from None
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each server."""
        return (str(self.server),) if self.server is not None else tuple(str(server) for server in self.many)

    @cached_property
    def name(self) -> Name:
        """The name to ask for; an address stands for its reverse name when pointers are asked for."""
        import dns.name  # noqa: PLC0415  as above
        import dns.reversename  # noqa: PLC0415  as above

        address = literal(self.query) if self.record == "PTR" else None
        return dns.name.from_text(self.query) if address is None else dns.reversename.from_address(str(address))

    @cached_property
    def question(self) -> tuple[Message, bytes]:
        """The query without extensions, as blackbox_exporter makes it, and its bytes; each run has an id of its own."""
        import dns.flags  # noqa: PLC0415  as above
        import dns.message  # noqa: PLC0415  as above

        flags = dns.flags.RD if self.recursion else 0
        made = dns.message.make_query(self.name, self.record, self.class_, use_edns=False, id=0, flags=flags)
        return made, made.to_wire()


async def run(options: DnsOptions, sight: Sight) -> None:
    """Ask, and judge the answer. The caller sets the time limit.

    Raises:
        Failed: see ``REASONS``.
    """
    begun = time.perf_counter()
    sight.phases.update(resolve=0.0, connect=0.0, request=0.0)
    for section in ("answer", "authority", "additional"):
        sight.gauge(f"probe_dns_{section}_rrs", 0)
    sight.gauge("probe_dns_query_succeeded", 0)
    server = server_of(sight.target)
    address = await options.find(sight, server.host)
    client = _Client(options, sight, address, server.port or PORTS[options.transport])
    answer = await client.ask()
    sight.gauge("probe_dns_query_succeeded", 1)
    _record(options, sight, answer)
    _judge(options, sight, answer)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


class _Client:
    """Carries one question to one server."""

    def __init__(self, options: DnsOptions, sight: Sight, address: IPAddress, port: int) -> None:
        self._options = options
        self._sight = sight
        self._address = address
        self._port = port

    async def ask(self) -> Message:
        """Return the answer; a datagram that was cut is asked for again over TCP."""
        data = secrets.token_bytes(2) + self._options.question[1][2:]
        if self._options.transport != "udp":
            return await self._over_tcp(data)
        answer = await self._over_udp(data)
        if answer.flags & TRUNCATED:
            self._sight.fact("the answer was cut: asking again over TCP")
            return await self._over_tcp(data)
        return answer

    def _is_answer(self, data: bytes, answer: Message) -> bool:
        """Tell whether a message answers what was sent."""
        question = self._options.question[0]
        question.id = int.from_bytes(data[:2], "big")
        return question.is_response(answer)

    async def _over_udp(self, data: bytes) -> Message:
        """Send one datagram from a connected socket: the kernel drops what others send."""
        family = socket.AF_INET if family_of(self._address) == "ip4" else socket.AF_INET6
        waiting = readiness()
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as connection:
            try:
                with self._sight.phase("connect"):
                    if self._options.source_ip_address is not None:
                        connection.bind((str(self._options.source_ip_address), 0))
                    connection.connect((str(self._address), self._port))
                with self._sight.phase("request"):
                    connection.send(data)
                    for _ in range(STRANGERS_MAX):
                        await waiting.wait(connection.fileno(), READ)
                        try:
                            received = connection.recv(MESSAGE_MAX_BYTES)
                        except BlockingIOError:
                            continue  # The kernel has thrown it away: its checksum was wrong.
                        if received[:2] != data[:2]:
                            self._sight.fact("a datagram with another id was passed over")
                            continue
                        answer = self._read(received)
                        if self._is_answer(data, answer):
                            return answer
                        self._sight.fact("a datagram with another question was passed over")
            except OSError as error:
                raise Failed("connect", f"{self._sight.target}: {error.strerror or error}") from error
        raise Failed("protocol", f"{self._sight.target} sends answers to other questions")

    async def _over_tcp(self, data: bytes) -> Message:
        with await self._dial() as wire:
            if self._options.transport == "tls":
                await self._secure(wire)
            with self._sight.phase("request"):
                await wire.write(struct.pack("!H", len(data)) + data)
                head = await wire.read_exactly(2)
                received = await wire.read_exactly(int.from_bytes(head, "big"))
        if len(head) < 2 or len(received) < int.from_bytes(head, "big"):
            raise Failed("protocol", f"{self._sight.target} hangs up in the middle of its answer")
        answer = self._read(received)
        if not self._is_answer(data, answer):
            raise Failed("protocol", f"{self._sight.target} answers another question")
        return answer

    async def _dial(self) -> Wire:
        source = self._options.source_ip_address
        return Wire(await open_socket(self._sight, self._address, self._port, source), self._sight.target)

    async def _secure(self, wire: Wire) -> None:
        """Shake hands; the time it takes belongs to the connection, as in blackbox_exporter."""
        options = self._options.tls or TlsOptions()
        try:
            peer = await handshake.meet(self._sight, wire, options, Server.read(self._sight.target).host, self._dial)
        finally:
            self._sight.phases["connect"] += self._sight.phases.pop("tls", 0.0)
        handshake.record(self._sight, options, peer)
        if peer.error is not None:
            raise Failed("tls", f"{self._sight.target} {handshake.why(peer.error)}") from peer.error

    def _read(self, received: bytes) -> Message:
        try:
            return decode(received)
        except ValueError as error:
            raise Failed("protocol", f"{self._sight.target} answers what cannot be read: {error}") from error


def _record(options: DnsOptions, sight: Sight, answer: Message) -> None:
    """Record how much there is in each section, and the zone's serial number when it was asked for."""
    import dns.rdatatype  # noqa: PLC0415  as above

    sight.gauge("probe_dns_answer_rrs", len(answer.answer))
    sight.gauge("probe_dns_authority_rrs", len(answer.authority))
    sight.gauge("probe_dns_additional_rrs", len(answer.additional))
    if options.record == "SOA":
        serials = [rrset[0].serial for rrset in answer.answer if rrset.rdtype == dns.rdatatype.SOA]
        sight.gauge("probe_dns_serial", serials[-1] if serials else 0)
    sight.fact(lambda: f"{rcode(answer)}, {len(answer.answer)} answers")
    for number in range(min(len(answer.answer), RECORDS_SHOWN)):
        sight.fact(partial(_shown, answer, number))


def _shown(answer: Message, number: int) -> str:
    """Write one of the answers for people."""
    return clean(texts(answer, "answer")[number].replace("\t", " "), 300)


def _judge(options: DnsOptions, sight: Sight, answer: Message) -> None:
    """Compare the answer with what is expected, in the order of blackbox_exporter.

    Raises:
        Failed: ``rcode``, ``authoritative``, ``answers``, ``authority``, ``additional``, ``serial``.
    """
    expect, asked = options.expect, f"{options.query} {options.record}"
    code = rcode(answer)
    if code not in expect.rcode:
        wanted = " or ".join(expect.rcode)
        raise Failed("rcode", f"{sight.target} answers {code} for {asked}; {wanted} is expected")
    if expect.authoritative is not None and bool(answer.flags & AUTHORITATIVE) != expect.authoritative:
        raise Failed("authoritative", f"{sight.target} is {'not ' * expect.authoritative}an authority for {asked}")
    for reason, section, rules, count in (
        ("answers", "answer", expect, expect.answers),
        ("authority", "authority", expect.authority, expect.authority.count),
        ("additional", "additional", expect.additional, expect.additional.count),
    ):
        if count is None and not (rules.contains or rules.matches or rules.each or rules.not_matches):
            continue
        records = texts(answer, section)
        trouble = _trouble(rules, records)
        if count is not None and not count.holds(len(records)):
            trouble = f"{len(records)} records; {count} is asked for"
        if trouble:
            raise Failed(reason, f"{sight.target} for {asked}, {section} section: {trouble}")
    if expect.serial is not None:
        serial = sight.samples[("probe_dns_serial", ())]
        if not expect.serial.holds(serial):
            wanted = f"{expect.serial.operator or '=='} {expect.serial.number:.0f}"
            raise Failed("serial", f"{sight.target} has serial {serial:.0f} of {asked}; {wanted} is asked for")


def _trouble(rules: Rules, records: list[str]) -> str:
    """Say what is wrong with the records of a section; nothing when nothing is."""
    for pattern in rules.not_matches:
        if found := _first(text for text in records if pattern.search(text)):
            return f"{found} matches {str(pattern)!r}"
    for pattern in (*rules.matches, *rules.each):
        if found := _first(text for text in records if not pattern.search(text)):
            return f"{found} does not match {str(pattern)!r}"
    if rules.matches and not records:
        return "no record"
    for pattern in rules.contains:
        if not any(pattern.search(text) for text in records):
            return f"none of {len(records)} records matches {str(pattern)!r}"
    return ""


def _first(found: Iterable[str]) -> str:
    return next((f"“{clean(text.replace(chr(9), ' '), 120)}”" for text in found), "")


REASONS = frozenset(
    {
        "dns",
        "denied",
        "connect",
        "tls",
        "timeout",
        "protocol",
        "rcode",
        "authoritative",
        "answers",
        "authority",
        "additional",
        "serial",
        "max_duration",
    }
)

KIND = ProbeKind("dns", DnsOptions, run, REASONS, phase_metric="probe_dns_duration_seconds")
