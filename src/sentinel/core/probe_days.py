"""What many runs come to: how a day went, and how long runs took."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class ProbeDay(NamedTuple):
    """How a day of a probe went: its runs, all targets together, and those that failed; see ``date.toordinal``."""

    day: int
    runs: int
    failed: int


class Pace(NamedTuple):
    """How long the runs of a target took in a piece of time that begins at ``at``; of those that failed, nothing."""

    at: datetime
    runs: int
    failed: int
    median_s: float | None
    longest_s: float | None
