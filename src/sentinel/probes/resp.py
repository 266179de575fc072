"""The protocol of Redis, as far as a client needs it that asks for a line or a text (RESP, version 2)."""

from __future__ import annotations

from typing import Final, TypeAlias

from sentinel.probes.base import Failed
from sentinel.probes.said import clean
from sentinel.probes.wire import Wire

BULK_MAX_BYTES: Final = 256 * 1024
HEAD_MAX_CHARS: Final = 20
QUOTE_MAX_CHARS: Final = 120

Reply: TypeAlias = "str | int | None"


class Refusal(Exception):  # noqa: N818  what a server says no to is no error of ours
    """The server answered with an error, whose text may repeat what it was sent; ``code`` is its first word."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


def encode(*words: str) -> bytes:
    """Return a command as an array of texts: nothing in them can end it early."""
    parts = [word.encode("utf-8", "surrogateescape") for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


async def read(wire: Wire) -> Reply:
    """Return the next answer: a text, a number, or nothing.

    Raises:
        Refusal: the server answers with an error.
        Failed: ``protocol`` what comes is no answer of Redis, or larger than 256 KiB; ``connect`` it hangs up.
    """
    line = await wire.read_line()
    if line is None:
        raise Failed("connect", f"{wire.name} hangs up")
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return _text(rest)
    if kind == b"-":
        raise Refusal(_text(rest))
    if kind == b":":
        return _number(wire, rest)
    if kind == b"$":
        return await _bulk(wire, _number(wire, rest))
    raise Failed("protocol", f"{wire.name} does not answer as Redis does: “{clean(_text(line), QUOTE_MAX_CHARS)}”")


async def _bulk(wire: Wire, size_bytes: int) -> str | None:
    if size_bytes == -1:
        return None
    if not 0 <= size_bytes <= BULK_MAX_BYTES:
        raise Failed("protocol", f"{wire.name} announces {size_bytes} bytes; {BULK_MAX_BYTES} are the limit")
    data = await wire.read_exactly(size_bytes + 2)
    if len(data) < size_bytes + 2:
        raise Failed("connect", f"{wire.name} hangs up in the middle of its answer")
    if not data.endswith(b"\r\n"):
        raise Failed("protocol", f"{wire.name} sends more than it announced")
    return _text(data[:-2])


def _number(wire: Wire, text: bytes) -> int:
    digits = text[1:] if text[:1] in {b"-", b"+"} else text
    if len(text) > HEAD_MAX_CHARS or not (digits.isascii() and digits.isdigit()):
        shown = clean(_text(text), QUOTE_MAX_CHARS)
        raise Failed("protocol", f"{wire.name} sends a length that is no number: “{shown}”")
    return int(text)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
