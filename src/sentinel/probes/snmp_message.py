"""Messages of SNMP, versions 1 and 2c: a question for values, and the answer (RFC 1157, RFC 3416)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from sentinel.probes import ber
from sentinel.probes.ber import Malformed, Reader

VERSIONS: Final = {"1": 0, "2c": 1}
GET, RESPONSE = 0xA0, 0xA2
COUNTER_32, GAUGE_32, TICKS, COUNTER_64 = 0x41, 0x42, 0x43, 0x46
ADDRESS, OPAQUE = 0x40, 0x44
ABSENT: Final = {0x80: "no such object", 0x81: "no such instance", 0x82: "end of the view"}
UNSIGNED: Final = frozenset({COUNTER_32, GAUGE_32, TICKS, COUNTER_64})
VALUES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: an error and which object it is about (from 1), or each object's value as text, None for none."""

    error: int
    place: int
    values: tuple[tuple[str, str | None], ...]


def question(version: str, community: bytes, number: int, oids: Sequence[str]) -> bytes:
    """Return a message that asks for the values of some objects."""
    wanted = (ber.encoded(ber.SEQUENCE, ber.encoded_oid(oid), ber.encoded(ber.NULL)) for oid in oids)
    numbers = ber.encoded_number(number), ber.encoded_number(0), ber.encoded_number(0)
    pdu = ber.encoded(GET, *numbers, ber.encoded(ber.SEQUENCE, *wanted))
    named = ber.encoded(ber.OCTETS, community)
    return ber.encoded(ber.SEQUENCE, ber.encoded_number(VERSIONS[version]), named, pdu)


def decode(data: bytes, version: str, number: int) -> Response | None:
    """Read an answer to the question of that number; None for a message that is about something else.

    Raises:
        Malformed: it is no message of SNMP.
    """
    message = Reader(Reader(data).take(ber.SEQUENCE))
    if message.number() != VERSIONS[version]:
        return None
    message.take(ber.OCTETS)
    tag, content = message.next()
    pdu = Reader(content)
    if tag != RESPONSE or pdu.number() != number:
        return None
    error, place, found = pdu.number(), pdu.number(), Reader(pdu.take(ber.SEQUENCE))
    values: list[tuple[str, str | None]] = []
    while not found.ended:
        if len(values) >= VALUES_MAX:
            raise Malformed("the answer holds too many values")
        pair = Reader(found.take(ber.SEQUENCE))
        values.append((ber.oid(pair.take(ber.OID)), _value(*pair.next())))
    return Response(error, place, tuple(values))


def _value(tag: int, content: bytes) -> str | None:
    if tag == ber.INTEGER:
        return str(ber.number(content))
    if tag in UNSIGNED:
        return str(ber.number(content, signed=False))
    if tag in ABSENT or tag == ber.NULL:
        return None
    if tag == ber.OID:
        return ber.oid(content)
    if tag == ADDRESS and len(content) == 4:
        return str(IPv4Address(content))
    if tag in {ber.OCTETS, OPAQUE, ADDRESS}:
        text = content.decode("utf-8", "replace")
        return text if text.isprintable() else content.hex(":")
    raise Malformed(f"a value has the unknown tag {tag:#x}")
