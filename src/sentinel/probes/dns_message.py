"""DNS messages from strangers: read within limits (threat T7), and written as lines to judge."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from sentinel.probes.tlsinfo import clean

if TYPE_CHECKING:
    from dns.message import Message

HEADER_BYTES = 12
RECORDS_MAX = 2000
# Names are compressed by pointers to earlier ones. No real server points at a pointer; a chain of them costs the
# reader thousands of steps for each name.
POINTER_CHAIN_MAX = 8


def decode(received: bytes) -> Message:
    """Read a message, within limits on records and on pointers to pointers.

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
    try:
        return dns.message.from_wire(received, one_rr_per_rrset=True, ignore_trailing=True)
    except (dns.exception.DNSException, struct.error, ValueError) as error:
        raise ValueError(clean(str(error), 200) or type(error).__name__) from error


def _check_pointers(received: bytes) -> None:
    """Refuse a message in which following a pointer leads from pointer to pointer."""
    depths: dict[int, int] = {}
    for found in re.finditer(rb"[\xc0-\xff](?=.)", received, re.DOTALL):
        at = found.start()
        target = (received[at] & 0x3F) << 8 | received[at + 1]
        depth = depths[at] = depths.get(target, 0) + 1 if target < at else 1
        if depth > POINTER_CHAIN_MAX:
            raise ValueError("names point to names that point to names")


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
