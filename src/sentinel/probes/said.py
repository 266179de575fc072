"""What peers say, made fit to be shown: in a label, in a sentence, in quotation marks."""

from __future__ import annotations

import re
from typing import Final

LABEL_MAX_CHARS: Final = 1024
QUOTE_MAX_CHARS: Final = 120

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def clean(text: str, limit: int = LABEL_MAX_CHARS) -> str:
    """Make a foreign text fit for a label or a sentence: no control characters, no lone surrogates, not too long."""
    text = _UNSEEN.sub("\ufffd", text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def quote(text: str) -> str:
    """Return the beginning of a foreign text, in quotation marks."""
    return f"“{clean(text, QUOTE_MAX_CHARS)}”"
