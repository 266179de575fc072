"""Values that a target writes as text, some of which are numbers."""

from __future__ import annotations

import math
from typing import Final

from sentinel.probes.expect import Wanted

DIGITS_MAX: Final = 64


def number_in(text: str | None) -> float | None:
    """Return the number that a text is, with or without a percent sign; None when it is none, or no finite one."""
    if text is None or len(text) > DIGITS_MAX:
        return None
    try:
        number = float(text.strip().removesuffix("%"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def holds(wanted: Wanted, text: str) -> bool:
    """Tell whether a text is as wanted, by itself or as the number that it is."""
    number = number_in(text)
    return wanted.holds(text) or (number is not None and wanted.holds(number))
