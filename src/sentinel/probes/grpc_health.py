"""The two messages of grpc.health.v1, as bytes: what asks, and what answers."""

from __future__ import annotations

from sentinel.probes.base import Failed

SERVING = "SERVING"
STATUSES = ("UNKNOWN", SERVING, "NOT_SERVING", "SERVICE_UNKNOWN")

# The ways in which protocol buffers write a value, and the one field of both messages.
VARINT, EIGHT_BYTES, COUNTED, FOUR_BYTES = 0, 1, 2, 5
FIELD = 1
VARINT_MAX_BYTES = 10


def frame(service: str) -> bytes:
    """Return a HealthCheckRequest as gRPC frames it: not compressed, its length, itself."""
    name = service.encode()
    message = bytes([FIELD << 3 | COUNTED]) + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def serving_status(name: str, body: bytes) -> str:
    """Return the status that a framed HealthCheckResponse holds; unknown fields are passed over.

    Raises:
        Failed: ``protocol`` it is none, or more than one.
    """
    if len(body) < 5 or body[0] != 0 or int.from_bytes(body[1:5], "big") != len(body) - 5:
        raise Failed("protocol", f"{name} answers with what is not one message of gRPC")
    number, at = 0, 5
    try:
        while at < len(body):
            key, at = _read_varint(body, at)
            if key == FIELD << 3 | VARINT:
                number, at = _read_varint(body, at)
            else:
                at = _skip(body, at, key & 7)
    except ValueError as error:
        raise Failed("protocol", f"{name} answers with a broken message: {error}") from error
    return STATUSES[number] if number < len(STATUSES) else STATUSES[0]


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    """Return a number and what comes behind it."""
    number = 0
    for place, byte in enumerate(body[at : at + VARINT_MAX_BYTES]):
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError("a number has no end")


def _skip(body: bytes, at: int, way: int) -> int:
    """Return what comes behind a value that means nothing here."""
    if way == VARINT:
        return _read_varint(body, at)[1]
    size, at = _read_varint(body, at) if way == COUNTED else ({EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(way, -1), at)
    if size < 0 or at + size > len(body):
        raise ValueError("a field is cut off, or of no known type")
    return at + size
