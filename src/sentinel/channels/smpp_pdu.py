"""What goes over the wire in SMPP 3.4: packets, their fields, and texts as an SMS has them. It touches nothing.

Numbers of sections and tables are those of "Short Message Peer to Peer Protocol Specification v3.4", 12-Oct-1999.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

HEADER: Final = struct.Struct(">IIII")
PDU_MAX_BYTES: Final = 70_000  # A text in an optional field may have 64 KiB.
VERSION: Final = 0x34

# Commands (5.1.2.1); an answer has the highest bit.
ANSWER: Final = 0x80000000
GENERIC_NACK: Final = 0x80000000
SUBMIT_SM: Final = 0x00000004
DELIVER_SM: Final = 0x00000005
UNBIND: Final = 0x00000006
BIND_TRANSCEIVER: Final = 0x00000009
ENQUIRE_LINK: Final = 0x00000015

# What is answered (5.1.3).
OK: Final = 0x00
INVALID_COMMAND: Final = 0x03
QUEUE_FULL: Final = 0x14
THROTTLED: Final = 0x58
LATER: Final = 0x64  # ESME_RX_T_APPN: we cannot take it now, and it is to be sent again.
BIND_REFUSED: Final = frozenset({0x0D, 0x0E, 0x0F})  # Bind failed, password, system_id.
# What speaks of this message or of what we are allowed to, and will be no other at the next try.
PERMANENT: Final = frozenset({
    0x01, 0x02, 0x06, 0x0A, 0x0B, 0x0C, 0x15, 0x33, 0x34, 0x40, 0x42, 0x43, 0x44, 0x48, 0x49, 0x50, 0x51, 0x53, 0x54,
    0x55, 0x61, 0x62, 0x63, 0x65, 0x66, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4,
})  # fmt: skip
STATUS: Final[Mapping[int, str]] = {
    0x01: "message length", 0x02: "command length", 0x03: "unknown command", 0x04: "not bound for that",
    0x05: "already bound", 0x06: "priority", 0x08: "system error", 0x0A: "source address",
    0x0B: "destination address", 0x0D: "bind failed", 0x0E: "wrong password", 0x0F: "unknown system_id",
    0x14: "queue full", 0x15: "service type", 0x40: "destination flag", 0x43: "esm_class",
    0x45: "submit failed", 0x48: "kind of source address", 0x50: "kind of destination address", 0x58: "throttled",
    0x61: "schedule", 0x62: "validity", 0x64: "later", 0x65: "never", 0x66: "refused", 0x88: "message lost",
    0xFF: "unknown error",
}  # fmt: skip

# Optional fields (5.3.2).
USER_MESSAGE_REFERENCE: Final = 0x0204
RECEIPTED_MESSAGE_ID: Final = 0x001E
MESSAGE_STATE: Final = 0x0427
MESSAGE_PAYLOAD: Final = 0x0424
# States (5.2.28), which the text of a receipt has as words (appendix B).
STATES: Final[Mapping[int, str]] = {
    1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD", 7: "UNKNOWN", 8: "REJECTD",
}  # fmt: skip

UDHI: Final = 0x40  # Of esm_class: a header stands before the text.
KIND_MASK: Final = 0x3C
RECEIPT: Final = 0x04
WANT_RECEIPT: Final = 0x01

SEGMENT_OCTETS: Final = 140
SEPTETS_ALONE: Final = 160
SEPTETS_OF_PART: Final = 153  # The header takes seven: six octets and a bit to fill them up.
PARTS_MAX: Final = 2
CONCATENATED: Final = (0x00, 0x08)  # Reference of one octet, of two (3GPP TS 23.040, 9.2.3.24).

Alphabet = Literal["gsm7", "latin1", "ucs2"]

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = {"\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E,
                     "|": 0x40, "€": 0x65}  # fmt: skip
_ESCAPE: Final = 0x1B
_OF_CHARACTER: Final = {one: bytes([at]) for at, one in enumerate(_BASIC) if at != _ESCAPE} | {
    one: bytes([_ESCAPE, code]) for one, code in _EXTENSION.items()
}
_OF_CODE: Final = {code: one for one, code in _EXTENSION.items()}


class Malformed(ValueError):  # noqa: N818  it is the other side's, and normal business
    """A packet that cannot be read."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One packet: what it is, what it says, and which request it belongs to."""

    command: int
    status: int = OK
    sequence: int = 0
    body: bytes = field(default=b"", repr=False)

    def written(self) -> bytes:
        """Return it as it goes over the wire."""
        return HEADER.pack(HEADER.size + len(self.body), self.command, self.status, self.sequence) + self.body

    def answer(self, status: int = OK, body: bytes = b"") -> Pdu:
        """Return the answer to it."""
        return Pdu(self.command | ANSWER, status, self.sequence, body)


@dataclass(frozen=True, slots=True)
class Sms:
    """What a deliver_sm holds: a text of somebody, or a receipt."""

    sender: str
    to: str
    esm_class: int
    coding: int
    octets: bytes
    options: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """One SMS to send: its esm_class, its data_coding, its octets."""

    esm_class: int
    coding: int
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of which text an SMS is."""

    reference: int
    total: int
    number: int


def length_of(header: bytes) -> tuple[int, Pdu]:
    """Return how many octets follow a header, and the packet without them.

    Raises:
        Malformed: no packet has that length.
    """
    length, command, status, sequence = HEADER.unpack(header)
    if not HEADER.size <= length <= PDU_MAX_BYTES:
        raise Malformed(f"a packet of {length} octets")
    return length - HEADER.size, Pdu(command, status, sequence)


def said(status: int) -> str:
    """Return a status in words; those of 0x400 and above are the centre's own."""
    return f"0x{status:02X}" + (f" ({STATUS[status]})" if status in STATUS else "")


def bind(system_id: str, password: str, system_type: str) -> bytes:
    """Write the body of a bind (4.1.5): no address range, which lets the centre take what the account has."""
    return _text(system_id) + _text(password) + _text(system_type) + bytes([VERSION, 0, 0]) + b"\0"


def submit(sender: str, to: str, segment: Segment, reference: int) -> bytes:
    """Write the body of a submit_sm (4.4.1) that asks for a receipt. ``reference`` is ours, of two octets."""
    octets = segment.octets
    assert len(octets) <= 254, "a segment has 140 octets, or 160 septets as octets"
    ton, npi = kind_of(sender)
    to_ton, to_npi = kind_of(to)
    return b"".join((
        _text(""), bytes([ton, npi]), _text(sender.removeprefix("+")), bytes([to_ton, to_npi]),
        _text(to.removeprefix("+")), bytes([segment.esm_class, 0, 0]), _text(""), _text(""),
        bytes([WANT_RECEIPT, 0, segment.coding, 0, len(octets)]), octets,
        struct.pack(">HHH", USER_MESSAGE_REFERENCE, 2, reference),
    ))  # fmt: skip


def kind_of(address: str) -> tuple[int, int]:
    """Return type of number and numbering plan (5.2.5): a name, an international number, a short one, or nothing."""
    if not address:
        return 0, 0
    if address.startswith("+"):
        return 1, 1
    return (3, 0) if address.isascii() and address.isdigit() else (5, 0)


def delivered(body: bytes) -> Sms:
    """Read the body of a deliver_sm (4.6.1); its text may stand in an optional field.

    Raises:
        Malformed: it is cut off.
    """
    reader = _Reader(body)
    reader.text()
    reader.octets(2)
    sender = reader.text()
    reader.octets(2)
    to = reader.text()
    esm_class = reader.octets(3)[0]
    reader.text()
    reader.text()
    _, _, coding, _, length = reader.octets(5)
    octets = reader.octets(length)
    options = reader.options()
    return Sms(sender, to, esm_class, coding, octets or options.get(MESSAGE_PAYLOAD, b""), options)


def taken_as(body: bytes) -> str:
    """Read the id by which a message was taken; empty when there is none."""
    return body.partition(b"\0")[0].decode("latin-1").strip()


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._rest = memoryview(body)

    def octets(self, count: int) -> bytes:
        if len(self._rest) < count:
            raise Malformed("a packet that is cut off")
        taken, self._rest = bytes(self._rest[:count]), self._rest[count:]
        return taken

    def text(self) -> str:
        found, zero, _ = bytes(self._rest).partition(b"\0")
        if not zero:
            raise Malformed("a text without an end")
        self.octets(len(found) + 1)
        return found.decode("latin-1")

    def options(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        while len(self._rest) >= 4:
            tag, length = struct.unpack(">HH", self.octets(4))
            found[tag] = self.octets(length)
        return found


def _text(value: str) -> bytes:
    return value.encode("ascii", "replace").replace(b"\0", b"") + b"\0"


# Receipts -----------------------------------------------------------------------------------------------------------

_ID = re.compile(r"\bid:\s*(\S+)", re.IGNORECASE)
_STAT = re.compile(r"\bstat:\s*([A-Z]+)", re.IGNORECASE)
_ERROR = re.compile(r"\berr:\s*(\S+)", re.IGNORECASE)

IdForm = Literal["text", "hex", "decimal"]


def receipt(sms: Sms) -> tuple[str, str, str]:
    """Return of which message a receipt is, its state as a word, and its error; from its fields, or else its text."""
    text = sms.octets.decode("latin-1")
    fields = sms.options
    named = fields.get(RECEIPTED_MESSAGE_ID, b"").partition(b"\0")[0].decode("latin-1").strip()
    state = STATES.get(int.from_bytes(fields.get(MESSAGE_STATE, b""), "big"), "")
    found = [pattern.search(text) for pattern in (_ID, _STAT, _ERROR)]
    of_text = [one[1] if one else "" for one in found]
    return named or of_text[0], state or of_text[1].upper(), of_text[2]


def same_id(name: str, form: IdForm) -> str:
    """Return an id so that one side's hexadecimal and the other's decimal compare equal; what is no number stays."""
    try:
        return str(int(name, {"hex": 16, "decimal": 10}[form])) if form != "text" else name
    except ValueError:
        return name


# Texts --------------------------------------------------------------------------------------------------------------


def parts_of(text: str, alphabet: Alphabet, reference: int) -> list[Segment]:
    """Return a text as one SMS or two; what is beyond two is left out.

    With ``gsm7`` each septet is an octet of its own, unpacked, as SMPP has it; the centre packs them. A text that the
    alphabet cannot write is written in UCS-2.
    """
    units, coding, (alone, of_part) = _units(text, alphabet)
    if sum(map(len, units)) <= alone:
        return [Segment(0, coding, b"".join(units))]
    pieces: list[bytearray] = [bytearray()]
    for unit in units:
        if len(pieces[-1]) + len(unit) > of_part:
            if len(pieces) == PARTS_MAX:
                break
            pieces.append(bytearray())
        pieces[-1] += unit
    heads = (bytes([5, 0, 3, reference & 0xFF, len(pieces), number]) for number in range(1, len(pieces) + 1))
    return [Segment(UDHI, coding, head + bytes(piece)) for head, piece in zip(heads, pieces, strict=True)]


def _units(text: str, alphabet: Alphabet) -> tuple[list[bytes], int, tuple[int, int]]:
    """Return what must not be cut, the data_coding, and how many octets go into an SMS alone and into a part."""
    head = 6
    if alphabet == "gsm7" and all(one in _OF_CHARACTER for one in text):
        return [_OF_CHARACTER[one] for one in text], 0, (SEPTETS_ALONE, SEPTETS_OF_PART)
    if alphabet == "latin1" and all(ord(one) < 256 for one in text):
        return [one.encode("latin-1") for one in text], 3, (SEGMENT_OCTETS, SEGMENT_OCTETS - head)
    units = [one.encode("utf-16-be", "replace") for one in text]
    return units, 8, (SEGMENT_OCTETS, SEGMENT_OCTETS - head)


def read_text(sms: Sms, default: Alphabet) -> tuple[str, Part | None]:
    """Return what an SMS says, and which part of a text it is; ``default`` is what the centre means by coding 0."""
    octets, part = sms.octets, None
    if sms.esm_class & UDHI and octets:
        head, octets = octets[1 : 1 + octets[0]], octets[1 + octets[0] :]
        part = _part(head)
    if sms.coding == 0 or (sms.coding & 0xF4 == 0xF0):
        return (_from_gsm7(octets) if default == "gsm7" else octets.decode("latin-1")), part
    if sms.coding == 8 or sms.coding & 0xCC == 0x08:
        return octets.decode("utf-16-be", "replace"), part
    return octets.decode("latin-1"), part


def _part(head: bytes) -> Part | None:
    at = 0
    while at + 2 <= len(head):
        kind, length = head[at], head[at + 1]
        value = head[at + 2 : at + 2 + length]
        if kind in CONCATENATED and length == len(value) == 3 + CONCATENATED.index(kind):
            return Part(int.from_bytes(value[:-2], "big"), value[-2], value[-1])
        at += 2 + length
    return None


def _from_gsm7(octets: bytes) -> str:
    found, escaped = [], False
    for octet in octets:
        if octet == _ESCAPE and not escaped:
            escaped = True
            continue
        found.append(_OF_CODE.get(octet, " ") if escaped else _BASIC[octet & 0x7F])
        escaped = False
    return "".join(found)
