"""What happens when an incident changes hands: it is given back, or given to somebody."""

from __future__ import annotations

from sentinel.core.happened import Happened
from sentinel.core.model import Watch


class HandedBack(Happened, frozen=True, kw_only=True, tag="handed-back"):
    """An acknowledgement, ``whose`` it was, was taken back; the ladder starts again."""

    by: str
    whose: str
    why: str = ""
    watch: Watch | None = None


class Assigned(Happened, frozen=True, kw_only=True, tag="assigned"):
    """Somebody gave it to a person, ``to``: who had taken it, if anybody, has it no longer."""

    by: str
    to: str
    why: str = ""


HandingEvent = HandedBack | Assigned
