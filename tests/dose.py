"""How much is run of what could go on for ever: a part of it each time, all of it by ``make faults``."""

from __future__ import annotations

import os
from typing import Final, TypeVar

T = TypeVar("T")

ALL: Final = os.environ.get("SENTINEL_FAULTS") == "all"


def dose(part: T, whole: T) -> T:
    """Return how much is to be run this time."""
    return whole if ALL else part
