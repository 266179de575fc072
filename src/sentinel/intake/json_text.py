"""JSON as others write it: a half of a character, which no text holds, is marked instead of losing the alert."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

# Every escape is one match, so that the second half of a pair, or a backslash that is text, is never taken for a half.
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
_HALF: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
MARK: Final = rb"\ufffd"


def decode(content: bytes) -> Any:
    """Return what JSON says. A text that was cut within a character has U+FFFD in place of the half that is left.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deep.
    """
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        if not _HALF.search(content):
            raise
    return msgspec.json.decode(_ESCAPE.sub(_whole, content))


def _whole(found: re.Match[bytes]) -> bytes:
    return MARK if _HALF.fullmatch(found[0]) else found[0]
