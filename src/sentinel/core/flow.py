"""How many messages a channel may carry, to one person and altogether (rule DSP-7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """At most so many in any stretch of time of that length."""

    most: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Flow:
    """What a channel that reaches people may carry; ``total`` never keeps a critical page back.

    Each of several rates holds: so many an hour, and so many a day.
    """

    per_person: tuple[Rate, ...] = ()
    total: tuple[Rate, ...] = ()
