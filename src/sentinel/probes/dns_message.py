"""DNS messages from strangers: read within limits (threat T7), and written as lines to judge."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from sentinel.probes.said import clean

if TYPE_CHECKING:
    from dns.message import Message

HEADER_BYTES = 12
RECORDS_MAX = 2000
# Names are compressed by pointers to earlier ones. No real server points at a pointer; a chain of them costs the
# reader thousands of steps for each name.
POINTER_CHAIN_MAX = 8
# Two bytes can stand for a name of 127 labels. This is how many a message may have with all its names written out,
# and up to which size it cannot have more.
LABELS_MAX = 20_000
HARMLESS_BYTES = 512
NAME_MAX_LABELS = 127
POINTER = re.compile(rb"[\xc0-\xff](?=.)", re.DOTALL)
# Values without names (A, TXT, AAAA, DS, SSHFP, DNSKEY, NSEC3, TLSA, CAA): what looks like a pointer there is none.
NAMELESS = frozenset({1, 16, 28, 43, 44, 48, 50, 52, 257})
RRSIG, RRSIG_NAME = 46, slice(18, 64)  # What follows the signer's name is noise.


def decode(received: bytes) -> Message:
    """Read a message, within limits on records, on pointers to pointers and on what all names come to.

    Raises:
        ValueError: it cannot be read.
    """
    import dns.exception  # noqa: PLC0415  as above
    import dns.message  # noqa: PLC0415  as above

    if len(received) < HEADER_BYTES:
        raise ValueError(f"{len(received)} bytes are no DNS message")
    if sum(struct.unpack_from("!4H", received, 4)) > RECORDS_MAX:
        raise ValueError(f"more than {RECORDS_MAX} records")
    _check_pointers(received)
    if len(received) > HARMLESS_BYTES:
        _check_names(received)
    try:
        return dns.message.from_wire(received, one_rr_per_rrset=True, ignore_trailing=True)
    except (dns.exception.DNSException, struct.error, ValueError) as error:
        raise ValueError(clean(str(error), 200) or type(error).__name__) from error


def _check_pointers(received: bytes) -> None:
    """Refuse a message in which following a pointer leads from pointer to pointer."""
    depths: dict[int, int] = {}
    for found in POINTER.finditer(received):
        at = found.start()
        target = (received[at] & 0x3F) << 8 | received[at + 1]
        depth = depths[at] = depths.get(target, 0) + 1 if target < at else 1
        if depth > POINTER_CHAIN_MAX:
            raise ValueError("names point to names that point to names")


def _check_names(received: bytes) -> None:
    """Refuse a message whose names share so much that reading them would take seconds, and many times its size."""
    questions, *records = struct.unpack_from("!4H", received, 4)
    at, total = HEADER_BYTES, 0
    for _ in range(questions):
        at = _after_name(received, at) + 4
    for _ in range(sum(records)):
        total += _labels(received, at)
        at = _after_name(received, at)
        if at + 10 > len(received):
            return  # It ends in the middle, and the reader will say so.
        kind, _, _, size = struct.unpack_from("!HHIH", received, at)
        value = slice(at + 10, at + 10 + size)
        at = value.stop
        if kind not in NAMELESS:
            names = slice(value.start + RRSIG_NAME.start, value.start + RRSIG_NAME.stop) if kind == RRSIG else value
            found = POINTER.finditer(received, names.start, min(names.stop, value.stop))
            total += sum(_labels(received, each.start()) for each in found)
        if total > LABELS_MAX:
            raise ValueError(f"the names in it come to more than {LABELS_MAX} labels")


def _after_name(received: bytes, at: int) -> int:
    """Return where a name ends as it stands."""
    while at < len(received) and 0 < received[at] < 0x40:
        at += 1 + received[at]
    return at + (2 if at < len(received) and received[at] >= 0xC0 else 1)


def _labels(received: bytes, at: int) -> int:
    """Count the labels of a name, those it points at among them."""
    labels = jumps = 0
    while at + 1 < len(received) and received[at] and labels <= NAME_MAX_LABELS and jumps <= POINTER_CHAIN_MAX:
        if received[at] >= 0xC0:
            at = (received[at] & 0x3F) << 8 | received[at + 1]
            jumps += 1
        else:
            at += 1 + received[at]
            labels += 1
    return labels


def texts(answer: Message, section: str) -> list[str]:
    """Write each record of a section on a line, tabs between its parts, as Go's DNS library does."""
    import dns.rdataclass  # noqa: PLC0415  as above
    import dns.rdatatype  # noqa: PLC0415  as above

    return [
        "\t".join(
            (
                rrset.name.to_text(),
                str(rrset.ttl),
                dns.rdataclass.to_text(rrset.rdclass),
                dns.rdatatype.to_text(rrset.rdtype),
                rdata.to_text(),
            )
        )
        for rrset in getattr(answer, section)
        for rdata in rrset
    ]


def rcode(answer: Message) -> str:
    """Name the response code."""
    import dns.rcode  # noqa: PLC0415  as above

    return dns.rcode.to_text(answer.rcode())
