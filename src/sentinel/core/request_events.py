"""What happens to a request that happens to no incident: a day is set for it, or it is refused."""

from __future__ import annotations

from datetime import date

from sentinel.core.deadlines import Deadline
from sentinel.core.happened import Happened


class Scheduled(Happened, frozen=True, kw_only=True, tag="scheduled"):
    """It is to be done on a day, as agreed; ``targets`` are those of now, where the day moves them."""

    by: str
    on: date
    text: str = ""
    targets: tuple[Deadline, ...] | None = None


class Declined(Happened, frozen=True, kw_only=True, tag="declined"):
    """It will not be done, and why; that is its end."""

    by: str
    why: str


RequestEvent = Scheduled | Declined
