"""What SNMP needs of the basic encoding rules (X.690): written whole, read with every length checked."""

from __future__ import annotations

from typing import Final

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
LONG_FORM: Final = 0x80
LENGTH_MAX_BYTES: Final = 4
NUMBER_MAX_BYTES: Final = 9  # 64 bits without a sign, and the zero byte that says so.
ARCS_MAX: Final = 128
ARC_MAX: Final = 2**32 - 1
ARC_MAX_DIGITS: Final = 10


class Malformed(ValueError):  # noqa: N818  what others send is no error of ours
    """The bytes are no such encoding."""


class Reader:
    """Reads values one after the other from bytes that anybody may have sent."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        """Tell whether everything has been read."""
        return self._at >= len(self._data)

    def next(self) -> tuple[int, bytes]:
        """Return the tag and the content of the next value.

        Raises:
            Malformed: there is none, or it is longer than what is there.
        """
        tag, first = self._byte(), self._byte()
        size = first
        if first >= LONG_FORM:
            count = first & 0x7F
            if not 0 < count <= LENGTH_MAX_BYTES:
                raise Malformed("a length is written in a form that is not allowed")
            size = int.from_bytes(bytes(self._byte() for _ in range(count)), "big")
        if size > len(self._data) - self._at:
            raise Malformed("a value is longer than the message")
        self._at += size
        return tag, self._data[self._at - size : self._at]

    def take(self, tag: int) -> bytes:
        """Return the content of the next value, which must have this tag.

        Raises:
            Malformed: it has another.
        """
        found, content = self.next()
        if found != tag:
            raise Malformed(f"a value has the tag {found:#x} instead of {tag:#x}")
        return content

    def number(self) -> int:
        """Return the next value, a number.

        Raises:
            Malformed: it is none.
        """
        return number(self.take(INTEGER))

    def _byte(self) -> int:
        if self.ended:
            raise Malformed("the message ends in the middle")
        self._at += 1
        return self._data[self._at - 1]


def number(content: bytes, *, signed: bool = True) -> int:
    """Return the number that a content holds, of at most 64 bits.

    Raises:
        Malformed: it holds none, or a larger one.
    """
    if not 0 < len(content) <= NUMBER_MAX_BYTES:
        raise Malformed("a number is empty or too large")
    return int.from_bytes(content, "big", signed=signed)


def oid(content: bytes) -> str:
    """Return the object identifier that a content holds: ``1.3.6.1.2.1.1.3.0``.

    Raises:
        Malformed: it holds none.
    """
    arcs: list[int] = []
    arc = 0
    for byte in content:
        arc = arc << 7 | byte & 0x7F
        # The first number holds two arcs: forty times the first, which is at most 2, and the second.
        if arc > ARC_MAX + 80 or len(arcs) > ARCS_MAX:
            raise Malformed("an object identifier is too large")
        if byte < LONG_FORM:
            arcs.append(arc)
            arc = 0
    if not arcs or content[-1] >= LONG_FORM:
        raise Malformed("an object identifier ends in the middle")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def encoded(tag: int, *contents: bytes) -> bytes:
    """Return a value with its tag and length."""
    content = b"".join(contents)
    size = len(content)
    if size < LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, LONG_FORM | len(length))) + length + content


def encoded_number(value: int) -> bytes:
    """Return a number, in as few bytes as it needs."""
    return encoded(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def encoded_oid(text: str) -> bytes:
    """Return an object identifier that ``is_oid`` lets pass."""
    first, second, *rest = (int(arc) for arc in text.split("."))
    return encoded(OID, b"".join(map(_arc, (40 * first + second, *rest))))


def _arc(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | LONG_FORM)
    return bytes(reversed(parts))


def is_oid(text: str) -> bool:
    """Tell whether a text is an object identifier that can be encoded."""
    parts = text.split(".")
    if not 2 <= len(parts) <= ARCS_MAX:
        return False
    if not all(part.isascii() and part.isdigit() and len(part) <= ARC_MAX_DIGITS for part in parts):
        return False
    arcs = [int(part) for part in parts]
    return max(arcs) <= ARC_MAX and arcs[0] <= 2 and (arcs[0] == 2 or arcs[1] < 40)
