"""How numbers of a country begin, as people write it (threat T20)."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

from sentinel.config.words import quoted, read_text, scalar, wrong

PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,6}")
_SHAPE: Final = 'how numbers of the country begin, `"+33"`'


def read_prefix(value: object) -> str:
    """Read how numbers of a country begin: ``+33``, or more of them for a part of it."""
    text = read_text(value, "a country's prefix", _SHAPE).strip()
    if not PREFIX.fullmatch(text):
        raise wrong(f"{quoted(value)} is not a country's prefix", _SHAPE)
    return text


PrefixField = Annotated[str, BeforeValidator(read_prefix), scalar("a country's prefix", rf"^{PREFIX.pattern}$", "+33")]
