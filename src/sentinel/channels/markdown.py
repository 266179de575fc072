"""Text from outside where a chat reads Markdown: every sign is escaped, and nothing can mention anybody."""

from __future__ import annotations

import re
from typing import Final

JOINER: Final = "\u2060"  # Word joiner: takes no room, allows no line break, and parts a sign from its meaning.
# What opens markup anywhere in a line. Blanks before a line's first sign are dropped: four of them would be code.
_SIGNS: Final = re.compile(r"([\\`*_{}\[\]()<>#+!|~^=:-])")
_LIST: Final = re.compile(r"^(\d+)([.)])", re.MULTILINE)
_MENTIONS: Final = re.compile(r"([@#])(?=\S)")
_BLANKS: Final = re.compile(r"^[ \t]+", re.MULTILINE)
_LINK_UNSAFE: Final = {"(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "[": "%5B", "]": "%5D", "\\": "%5C"}


def escaped(text: str) -> str:
    """Return text that is shown as it stands, in Mattermost and Discord."""
    signs = _SIGNS.sub(r"\\\1", _BLANKS.sub("", text))
    return _MENTIONS.sub(rf"\1{JOINER}", _LIST.sub(r"\1\\\2", signs))


def link(label: str, url: str) -> str:
    """Return a link of ours: its address cannot end the brackets it stands in."""
    return f"[{escaped(label)}]({''.join(_LINK_UNSAFE.get(character, character) for character in url)})"
