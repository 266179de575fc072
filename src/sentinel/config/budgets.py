"""How many messages a channel may carry, as people write it: ``10/1h`` (rule DSP-7)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator

from sentinel.config.base import Section
from sentinel.config.fields import OneOrMany
from sentinel.config.quantities import read_duration
from sentinel.config.words import quoted, read_text, scalar, wrong
from sentinel.core.flow import Flow, Rate

MOST_MAX: Final = 100_000
WITHIN_MIN: Final = timedelta(minutes=1)
WITHIN_MAX: Final = timedelta(days=31)
SMS_PER_PERSON: Final = (Rate(10, timedelta(hours=1)),)

_RATE: Final = re.compile(r"([0-9]{1,9})\s*/\s*(\S+)", re.ASCII)
_SHAPE: Final = "write it as `10/1h`: so many messages in so long"


def read_rate(value: object) -> Rate:
    """Read ``10/1h``: at most so many messages in any stretch of that length, from a minute to 31 days."""
    if isinstance(value, Rate):
        return value
    found = _RATE.fullmatch(read_text(value, "a budget", _SHAPE).strip())
    if not found:
        raise wrong(f"{quoted(value)} is not a budget", _SHAPE)
    most, within = int(found[1]), read_duration(found[2])
    if not 1 <= most <= MOST_MAX:
        raise wrong(f"{quoted(value)} is not a budget", f"from 1 to {MOST_MAX} messages")
    if not WITHIN_MIN <= within <= WITHIN_MAX:
        raise wrong(f"{quoted(value)} is not a budget", "for a time from `1m` to `31d`")
    return Rate(most, within)


RateField = Annotated[
    Rate,
    BeforeValidator(read_rate),
    scalar("a budget", r"^[1-9][0-9]{0,5} */ *[0-9.]+(ms|[smhdwy])[0-9a-z.]*$", "10/1h"),
]


class BudgetEntry(Section):
    """How many messages a channel may carry to one person, and in all."""

    per_person: OneOrMany[RateField] = ()
    total: OneOrMany[RateField] = ()


def flow_of(entry: BudgetEntry, address: str) -> Flow | None:
    """Return what a channel may carry; nothing for one that reaches a place, as only people are flooded."""
    if not address:
        return None
    usual = SMS_PER_PERSON if address == "mobile" else ()
    return Flow(per_person=entry.per_person or usual, total=entry.total)
