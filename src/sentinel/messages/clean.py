"""Text from outside made harmless: what a terminal, a mail reader or a page could be fooled by is made visible."""

from __future__ import annotations

import unicodedata
from typing import Final

MARK: Final = "\ufffd"  # what stands where something dangerous was

# Joiners belong to scripts and emoji; a soft hyphen only says where a word may break.
HARMLESS_FORMATS: Final = frozenset("\u200c\u200d\u00ad")
LINE_ENDS: Final = frozenset("\n\v\f\x85\u2028\u2029")
# Blanks that French sets before a colon: no text is less plain for them, though Python calls them unprintable.
NO_BREAK: Final = "\u00a0"
NARROW_NO_BREAK: Final = "\u202f"


def _harmless(character: str) -> str:
    if character in LINE_ENDS:
        return "\n"
    if character == "\t":
        return " "
    match unicodedata.category(character):
        case "Cc" | "Cs" | "Co" | "Cn":
            return MARK
        case "Cf" if character not in HARMLESS_FORMATS:  # bidirectional overrides, zero-width blanks, tags
            return MARK
        case _:
            return character


def clean(text: str, max_chars: int) -> str:
    """Return text of several lines without controls, lone surrogates and direction changes, cut at a length.

    Each is replaced by U+FFFD, so that a reader sees that something was there (threats T17 and T35).
    """
    # Nearly all texts are plain, and a page has thousands of them.
    if len(text) <= max_chars and (text.isprintable() or _with_blanks(text).isprintable()):
        return text.strip()
    text = text[: 2 * max_chars]
    lines = text.split("\n")
    if not all(map(str.isprintable, lines)):
        lines = "".join(map(_harmless, text.replace("\r\n", "\n"))).split("\n")
    return shorten("\n".join(line.rstrip() for line in lines).strip(), max_chars)


def _with_blanks(text: str) -> str:
    return text.replace(NO_BREAK, " ").replace(NARROW_NO_BREAK, " ")


def one_line(text: str, max_chars: int) -> str:
    """Return text as ``clean`` does, on one line, with single blanks."""
    if len(text) <= max_chars and text.isascii() and text.isprintable() and " " not in text:  # A word.
        return text
    return shorten(" ".join(clean(text, 2 * max_chars).split()), max_chars)


def shorten(text: str, max_chars: int) -> str:
    """Cut text that is too long, and show that it was cut."""
    return text if len(text) <= max_chars else text[: max_chars - 1].rstrip() + "…"
