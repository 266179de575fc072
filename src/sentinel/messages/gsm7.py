"""The alphabet of one SMS: folding into it, counting in it, and fitting a text into one segment.

A character outside GSM-7 turns the whole SMS into UCS-2, 70 characters instead of 160, so nothing outside may leave
here. Alphabet and extension table: 3GPP TS 23.038, section 6.2.1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SEGMENT_SEPTETS: Final = 160
ELLIPSIS: Final = ".."
SHORTEST_CUT_SEPTETS: Final = 12  # a part cut below this says nothing any more, and goes

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = frozenset("^{}\\[~]|€")  # each takes an escape before it: two septets
UNKNOWN: Final = "?"

FOLDED: Final = {
    "œ": "oe", "Œ": "OE", "’": "'", "‘": "'", "‚": "'", "′": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"',
    "«": '"', "»": '"', "‹": "'", "›": "'", "–": "-", "—": "-", "‑": "-", "‐": "-", "−": "-", "…": "...", "•": "-",
    "·": "-", "→": "->", "←": "<-", "⇒": "=>", "≥": ">=", "≤": "<=", "≠": "<>", "×": "x", "°": "o", "µ": "u",
    "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i", "©": "(c)", "®": "(r)",
    "✓": "OK", "✗": "KO",
}  # fmt: skip
_EXTENDED = re.compile(f"[{re.escape(''.join(sorted(EXTENSION)))}]")
# Most texts can be written as they are, but for their blanks.
_KNOWN = re.compile(f"[{re.escape(''.join(sorted(BASIC | EXTENSION)))}]*")
_QUOTES = re.compile(r"«[\s\u00a0\u202f]*|[\s\u00a0\u202f]*»")


def _fold_one(character: str) -> str:
    if character in BASIC or character in EXTENSION:
        return character
    if character in FOLDED:
        return FOLDED[character]
    if character.isspace():
        return " "
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return ""
    bare = "".join(part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part))
    folded = "".join(part if part in BASIC or part in EXTENSION else FOLDED.get(part, "") for part in bare)
    return folded or UNKNOWN


def fold(text: str) -> str:
    """Return the nearest text that GSM-7 can write, on one line; what it has nothing for becomes ``?``."""
    if _KNOWN.fullmatch(text):
        return " ".join(text.split())
    composed = unicodedata.normalize("NFC", _QUOTES.sub('"', text))
    known = (_fold_one(character) if character not in "\r\n" else " " for character in composed)
    # A family emoji is several characters, and one question mark is enough; those people wrote are kept.
    marked = "".join(
        "\0" if one == UNKNOWN and was != UNKNOWN else one for was, one in zip(composed, known, strict=True)
    )
    return " ".join(re.sub("\0+", UNKNOWN, marked).split())


def septets(text: str) -> int:
    """Count the septets of folded text."""
    return len(text) + len(_EXTENDED.findall(text))


def cut(text: str, max_septets: int) -> str:
    """Return folded text of at most so many septets, ending in ``..`` when something is gone."""
    if septets(text) <= max_septets:
        return text
    room = max_septets - len(ELLIPSIS)
    if room <= 0:
        return ""
    end = used = 0
    for character in text:
        used += 2 if character in EXTENSION else 1
        if used > room:
            break
        end += 1
    return text[:end].rstrip(" .,;:-(") + ELLIPSIS


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an SMS. The highest ``gives`` gives way first, and 0 never; a ``whole`` part goes rather than be cut.

    ``around`` is written before and after, and survives a cut.
    """

    text: str
    gives: int = 0
    whole: bool = False
    around: tuple[str, str] = ("", "")

    def __str__(self) -> str:
        return self.text and f"{self.around[0]}{self.text}{self.around[1]}"


def fit(parts: Sequence[Part], max_septets: int = SEGMENT_SEPTETS) -> str:
    """Join parts with blanks into one segment, shortening and then dropping those that may give way.

    The parts are folded here. Those that never give way must fit by themselves.
    """
    kept = [Part(fold(part.text), part.gives, part.whole, part.around) for part in parts]
    kept = [part for part in kept if part.text]
    while (excess := septets(" ".join(map(str, kept))) - max_septets) > 0:
        index = max(range(len(kept)), key=lambda at: (kept[at].gives, at))
        part = kept[index]
        assert part.gives > 0, "what never gives way is longer than a segment"
        room = septets(part.text) - excess
        if part.whole or room < SHORTEST_CUT_SEPTETS:
            del kept[index]
        else:
            kept[index] = Part(cut(part.text, room), part.gives, whole=True, around=part.around)
    return " ".join(map(str, kept))
