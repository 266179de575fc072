"""ICMP packets: made, and read with no trust in what they say (threat T7)."""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import NamedTuple

from sentinel.probes.net import IPAddress

# Types of RFC 792 and RFC 4443.
ECHO_REPLY_4, UNREACHABLE_4, TIME_EXCEEDED_4, ECHO_4 = 0, 3, 11, 8
UNREACHABLE_6, TOO_BIG_6, TIME_EXCEEDED_6, ECHO_6, ECHO_REPLY_6 = 1, 2, 3, 128, 129
HEADER = struct.Struct("!BBHHH")
IPV6_HEADER_BYTES = 40

TROUBLES_4 = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 4): "the packet is too big, and fragments are not allowed",
    (3, 9): "network prohibited",
    (3, 10): "host prohibited",
    (3, 13): "prohibited by a filter",
    (11, 0): "time to live exceeded",
}
TROUBLES_6 = {
    (1, 0): "no route",
    (1, 1): "prohibited by a filter",
    (1, 3): "address unreachable",
    (2, 0): "the packet is too big",
    (3, 0): "hop limit exceeded",
}


class Echo(NamedTuple):
    """A reply: who is answered, which number, and what the payload was."""

    identity: int
    sequence: int
    payload: bytes
    trouble: str = ""
    # The address a trouble is about: where our packet was going.
    about: IPAddress | None = None


def decode(packet: bytes, version: int, *, with_header: bool) -> Echo | None:
    """Read one ICMP packet; None when it is no reply to an echo, and no trouble with one.

    ``with_header``: an IPv4 header precedes it, as raw sockets have it.
    """
    if with_header:
        stripped = _after_ipv4(packet)
        if stripped is None:
            return None
        packet = stripped
    if len(packet) < HEADER.size:
        return None
    kind, code, _, identity, sequence = HEADER.unpack_from(packet)
    if kind == (ECHO_REPLY_4 if version == 4 else ECHO_REPLY_6):
        return Echo(identity, sequence, packet[HEADER.size :]) if code == 0 else None
    return _trouble(packet[HEADER.size :], version, kind, code)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    number = int.from_bytes(data + b"\0" if len(data) % 2 else data, "big")
    # Words added with their carries are the whole as one number, modulo 0xFFFF: one division instead of a loop.
    return ~(number % 0xFFFF or (0xFFFF if number else 0)) & 0xFFFF


def _after_ipv4(packet: bytes) -> bytes | None:
    """Return what an IPv4 packet of ICMP carries."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_ICMP:
        return None
    length = (packet[0] & 0x0F) * 4
    if length < 20 or len(packet) < length:
        return None
    return packet[length:]


def _after_ipv6(packet: bytes) -> bytes | None:
    if len(packet) < IPV6_HEADER_BYTES or packet[0] >> 4 != 6 or packet[6] != socket.IPPROTO_ICMPV6:
        return None
    return packet[IPV6_HEADER_BYTES:]


def _trouble(quote: bytes, version: int, kind: int, code: int) -> Echo | None:
    """Read the packet of ours that a router quotes when it complains."""
    four = version == 4
    if kind not in ((UNREACHABLE_4, TIME_EXCEEDED_4) if four else (UNREACHABLE_6, TOO_BIG_6, TIME_EXCEEDED_6)):
        return None
    inner = _after_ipv4(quote) if four else _after_ipv6(quote)
    if inner is None or len(inner) < HEADER.size:
        return None
    kind_inside, _, _, identity, sequence = HEADER.unpack_from(inner)
    if kind_inside != (ECHO_4 if four else ECHO_6):
        return None
    about = ipaddress.IPv4Address(quote[16:20]) if four else ipaddress.IPv6Address(quote[24:40])
    return Echo(identity, sequence, b"", spoken_trouble(version, kind, code), about)


def spoken_trouble(version: int, kind: int, code: int) -> str:
    """Say in words what a router complains of."""
    known = TROUBLES_4 if version == 4 else TROUBLES_6
    return known.get((kind, code), f"ICMP type {kind} code {code}")
