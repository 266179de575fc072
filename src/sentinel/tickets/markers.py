"""By what it is seen that a ticket has not changed, where the back-end counts in whole seconds.

A ticket may change twice within one second. So its moment alone is trusted only once that second is over there.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from sentinel.channels.http import Answer

DIGEST_CHARS: Final = 16
SECOND_OVER: Final = timedelta(seconds=2)
CALM_MAX: Final = 5_000
SETTLED: Final = "="
MOVING: Final = "~"


def served_at(answer: Answer) -> datetime | None:
    """Return the moment of an answer by its server's clock, if it says so."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def marker_of(updated: datetime, content: object, served: datetime | None) -> str:
    """Return the marker of a ticket that was read whole."""
    digest = hashlib.sha256(msgspec.json.encode(content)).hexdigest()[:DIGEST_CHARS]
    over = served is not None and served - updated >= SECOND_OVER
    return f"{updated.timestamp():.0f}{SETTLED if over else MOVING}{digest}"


class Calm:
    """Remembers which tickets were read again once their second was over, and were as before."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, float]] = {}

    def is_settled(self, reference: str, known: str, updated: datetime) -> bool:
        """Tell by the moment alone that a ticket is as it was when the marker was made."""
        at = updated.timestamp()
        return known.startswith(f"{at:.0f}{SETTLED}") or self._known.get(reference) == (known, at)

    def is_same(self, reference: str, known: str, marker: str, updated: datetime) -> bool:
        """Tell by what was read that a ticket is as it was when the marker was made."""
        if not known or known.replace(MOVING, SETTLED) != marker.replace(MOVING, SETTLED):
            return False
        if SETTLED in marker:
            self._known[reference] = (known, updated.timestamp())
            if len(self._known) > CALM_MAX:
                del self._known[next(iter(self._known))]
        return True
