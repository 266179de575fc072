"""Acknowledge links: a short code that only Sentinel can make, for one message to one person (rule DSP-6).

The code names the incident and the event that told, and a part of an HMAC over the message's id, which has the person
in it. Whoever has the link is whom the message was for; what it may still do the reader of the code decides.

The part is 128 bits (threat T21). It once was 56: what was told in those days may still be answered, nothing since.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sentinel.core.model import Page
from sentinel.core.sending import message_id

MAC_BYTES: Final = 16
SHORT_MAC_BYTES: Final = 7  # With its two numbers, of 15 bytes at most, such a code is never as long as one of now.
KEY_BYTES: Final = 32
CODE_MAX_CHARS: Final = 40
PREFIX: Final = "INC-"


@dataclass(frozen=True, slots=True)
class Told:
    """What a code is about: the ``sequence``-th event of an incident, and the proof for one of those it told."""

    number: str
    sequence: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links and knows its own. ``url`` is where pages are found; before ``long_since`` codes were shorter."""

    key: bytes = field(repr=False)
    url: str
    long_since: datetime | None = None

    def at(self, url: str | None) -> Links | None:
        """Return the same for pages at an address; nothing without one, or without a key."""
        return replace(self, url=url) if self.key and url else None

    def to(self, number: str, sequence: int, page: Page) -> str:
        """Return the link for a message; empty when it cannot have one."""
        digits = number.removeprefix(PREFIX)
        if not (self.url and page.person and number.startswith(PREFIX) and digits.isdecimal()):
            return ""
        packed = _varint(int(digits)) + _varint(sequence) + self._mac(number, sequence, page)
        return f"{self.url.rstrip('/')}/a/{_written(packed)}"

    def is_for(self, told: Told, page: Page, at: datetime) -> bool:
        """Tell whether a code was made for this page, told at a moment; takes the same time for every wrong one."""
        mac = self._mac(told.number, told.sequence, page)[: len(told.mac)]
        return hmac.compare_digest(told.mac, mac) and self._long_enough(len(told.mac), at)

    def proof(self, message: str) -> str:
        """Return what stands in the Message-ID of a mail, so that who answers it shows that they have seen it."""
        return _written(self._proof(message))

    def proves(self, message: str, proof: str, at: datetime) -> bool:
        """Tell whether that is the proof of a message that was owed at a moment."""
        if hmac.compare_digest(self.proof(message).encode(), proof.encode()):
            return True
        short = _written(self._proof(message)[:SHORT_MAC_BYTES])
        return hmac.compare_digest(short.encode(), proof.encode()) and self._long_enough(SHORT_MAC_BYTES, at)

    def _long_enough(self, mac_bytes: int, at: datetime) -> bool:
        return mac_bytes == MAC_BYTES or (self.long_since is not None and at < self.long_since)

    def _proof(self, message: str) -> bytes:
        return hmac.digest(self.key, f"mail/{message}".encode(), "sha256")[:MAC_BYTES]

    def _mac(self, number: str, sequence: int, page: Page) -> bytes:
        return hmac.digest(self.key, message_id(number, sequence, page).encode(), "sha256")[:MAC_BYTES]


def read(code: str) -> Told | None:
    """Read a code; nothing when it is none."""
    if len(code) > CODE_MAX_CHARS or not code.isascii():
        return None
    try:
        packed = base64.b32decode(code.upper() + "=" * (-len(code) % 8))
    except (binascii.Error, ValueError):
        return None
    length = MAC_BYTES if len(packed) > MAC_BYTES + 1 else SHORT_MAC_BYTES
    if len(packed) <= length + 1:
        return None
    head, mac = packed[:-length], packed[-length:]
    ordinal, used = _read_varint(head)
    sequence, rest = _read_varint(head[used:])
    if not (ordinal and sequence and used + rest == len(head)):
        return None
    return Told(f"{PREFIX}{ordinal}", sequence, mac)


def _written(data: bytes) -> str:
    """Write bytes so that they pass by telephone, and can be read aloud: letters and digits of one case."""
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()


def _varint(number: int) -> bytes:
    """Write a number in as few bytes as it needs, seven bits each, the lowest first."""
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _read_varint(data: bytes) -> tuple[int, int]:
    """Return a number and how many bytes it took; 0 and 0 when there is none."""
    number = 0
    for place, byte in enumerate(data):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, place + 1
    return 0, 0
