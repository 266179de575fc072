"""Regular expressions of others, in RE2's dialect: linear in time whatever the text, so that none can stop Sentinel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

KNOWN_MAX = 1_000  # Compiled expressions that are kept.


def fits(text: str, pattern: str) -> bool:
    """Tell whether the whole of a text fits an expression; one that cannot be read fits nothing."""
    try:
        return compiled(pattern).fullmatch(text) is not None
    except ValueError:
        return False


@lru_cache(maxsize=KNOWN_MAX)
def compiled(pattern: str) -> Any:
    """Return an expression, compiled.

    Raises:
        ValueError: it is none; the text says why.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0]
        raise ValueError(why.decode("utf-8", "replace") if isinstance(why, bytes) else str(why)) from error
