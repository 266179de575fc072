"""How each protocol is asked to go on in TLS. Every talk ends with the wire ready for the handshake, or fails."""

from __future__ import annotations

import re
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sentinel.probes.base import Failed
from sentinel.probes.said import quote
from sentinel.probes.wire import LINE_MAX_BYTES, Wire

# A reply of more lines than this is no reply any more.
LINES_MAX = 100

Protocol: TypeAlias = Literal[
    "ftp", "imap", "ldap", "lmtp", "mysql", "nntp", "pop3", "postgres", "sieve", "smtp", "xmpp"
]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something to say (nothing: the peer greets) and how a good reply ends."""

    say: str
    good: str
    # A line that is not the last of its reply.
    more: str = r"(?!)"


CODED = r"\d{3}-|(?!\d{3})"  # SMTP, FTP and their like: `250-` goes on, and so does what has no code.
UNTAGGED = r"[*+]"
NO_WORD = r"(?!OK|NO|BYE)"  # Sieve lists its capabilities before the word that ends a reply.

TEXT: dict[str, tuple[Exchange, ...]] = {
    "smtp": (
        Exchange("", "220", CODED),
        Exchange("EHLO sentinel.invalid", "250", CODED),
        Exchange("STARTTLS", "220", CODED),
    ),
    "lmtp": (
        Exchange("", "220", CODED),
        Exchange("LHLO sentinel.invalid", "250", CODED),
        Exchange("STARTTLS", "220", CODED),
    ),
    "imap": (Exchange("", r"\* (?:OK|PREAUTH)"), Exchange("a1 STARTTLS", "a1 OK", UNTAGGED)),
    "pop3": (Exchange("", r"\+OK"), Exchange("STLS", r"\+OK")),
    "ftp": (Exchange("", "220", CODED), Exchange("AUTH TLS", "234", CODED)),
    "nntp": (Exchange("", "20[01]"), Exchange("STARTTLS", "382")),
    "sieve": (Exchange("", "OK", NO_WORD), Exchange("STARTTLS", "OK", NO_WORD)),
}


async def ask(wire: Wire, protocol: Protocol, host: str) -> None:
    """Talk the peer into TLS.

    Raises:
        Failed: ``protocol`` the peer speaks something else or has no TLS, ``connect`` it broke the connection.
    """
    if protocol in TEXT:
        for exchange in TEXT[protocol]:
            await _exchange(wire, exchange)
    else:
        await BINARY[protocol](wire, host)


async def _exchange(wire: Wire, exchange: Exchange) -> None:
    if exchange.say:
        await wire.write(exchange.say.encode("ascii") + b"\r\n")
    asked = exchange.say or "the connection"
    for _ in range(LINES_MAX):
        line = await wire.read_line()
        if line is None:
            raise Failed("protocol", f"{wire.name} hangs up on {asked}")
        text = line.decode("utf-8", "replace")
        if re.match(exchange.more, text):
            continue
        if not re.match(exchange.good, text):
            raise Failed("protocol", f"{wire.name} answers {quote(text)} to {asked}")
        return
    raise Failed("protocol", f"{wire.name} answers {asked} with more than {LINES_MAX} lines")


async def _postgres(wire: Wire, _host: str) -> None:
    """Send an SSLRequest: one byte comes back, S or N."""
    await wire.write(struct.pack("!II", 8, 80877103))
    answer = await wire.read_exactly(1)
    if answer != b"S":
        why = "has no TLS" if answer == b"N" else "does not speak PostgreSQL"
        raise Failed("protocol", f"{wire.name} {why}")


MYSQL_TLS = 0x0800
MYSQL_FLAGS = MYSQL_TLS | 0x0200 | 0x8000  # and the 4.1 protocol, and its authentication
MYSQL_PACKET_MAX_BYTES = 4096


async def _mysql(wire: Wire, _host: str) -> None:
    """Read the greeting, see whether it offers TLS, and answer with the short form of the log-in."""
    head = await wire.read_exactly(4)
    size = int.from_bytes(head[:3], "little")
    if len(head) < 4 or not 0 < size <= MYSQL_PACKET_MAX_BYTES:
        raise Failed("protocol", f"{wire.name} does not speak MySQL")
    greeting = await wire.read_exactly(size)
    if greeting[:1] == b"\xff":
        raise Failed("protocol", f"{wire.name} answers {quote(greeting[3:].decode('utf-8', 'replace'))}")
    # Version 10, the server's own version up to a zero, then 4 + 8 + 1 bytes before what it can do.
    at = greeting.find(b"\0") + 1 + 4 + 8 + 1
    if greeting[:1] != b"\x0a" or len(greeting) < at + 2 or at == 13:
        raise Failed("protocol", f"{wire.name} does not speak MySQL")
    if not int.from_bytes(greeting[at : at + 2], "little") & MYSQL_TLS:
        raise Failed("protocol", f"{wire.name} has no TLS")
    await wire.write(b"\x20\x00\x00\x01" + struct.pack("<IIB23x", MYSQL_FLAGS, 1 << 24, 45))


LDAP_STARTTLS = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"
LDAP_EXTENDED = 0x78
LDAP_ENUMERATED = b"\x0a\x01"


async def _ldap(wire: Wire, _host: str) -> None:
    """Send the extended request of RFC 4511 and read its result code, a BER enumeration that must be 0."""
    await wire.write(LDAP_STARTTLS)
    head = await wire.read_exactly(2)
    if len(head) < 2 or head[0] != 0x30:
        raise Failed("protocol", f"{wire.name} does not speak LDAP")
    size = head[1]
    if size & 0x80:
        size = int.from_bytes(await wire.read_exactly(size & 0x7F if size & 0x7F <= 4 else 0), "big")
    if not 0 < size <= LINE_MAX_BYTES:
        raise Failed("protocol", f"{wire.name} does not speak LDAP")
    body = await wire.read_exactly(size)
    # The message's number takes three bytes; the response's own length one to five.
    code = body.find(LDAP_ENUMERATED, 4, 12)
    if body[3:4] != bytes([LDAP_EXTENDED]) or code < 0 or len(body) < code + 3:
        raise Failed("protocol", f"{wire.name} does not speak LDAP")
    if body[code + 2]:
        raise Failed("protocol", f"{wire.name} refuses TLS with LDAP result {body[code + 2]}")


async def _xmpp(wire: Wire, host: str) -> None:
    """Open a stream, see `starttls` among the features, and ask for it."""
    await wire.write(
        f"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{host}' "
        "version='1.0'>".encode()
    )
    if not any(tag.startswith(b"<starttls") for tag in await _tags(wire, b"</stream:features")):
        raise Failed("protocol", f"{wire.name} has no TLS")
    await wire.write(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    await _tags(wire, b"<proceed")


async def _tags(wire: Wire, last: bytes) -> list[bytes]:
    """Read XML tags up to one that begins so."""
    tags: list[bytes] = []
    while len(tags) < LINES_MAX:
        tag = await wire.read_until(b">")
        if tag is None or not tag.endswith(b">"):
            raise Failed("protocol", f"{wire.name} does not speak XMPP")
        tag = tag[max(tag.rfind(b"<"), 0) :]
        tags.append(tag)
        if tag.startswith(last):
            return tags
        if tag.startswith((b"<failure", b"<stream:error")):
            raise Failed("protocol", f"{wire.name} refuses TLS")
    raise Failed("protocol", f"{wire.name} answers with more than {LINES_MAX} XML tags")


BINARY: dict[str, Callable[[Wire, str], Awaitable[None]]] = {
    "ldap": _ldap,
    "mysql": _mysql,
    "postgres": _postgres,
    "xmpp": _xmpp,
}
