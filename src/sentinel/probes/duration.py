"""The rule that several kinds share: a run must not take too long."""

from __future__ import annotations

from datetime import timedelta

from sentinel.config.fields import write_duration
from sentinel.probes.base import Failed


def check_duration(what: str, took_s: float, limit: timedelta | None) -> None:
    """See to it that a run was quick enough.

    Raises:
        Failed: ``max_duration`` it was not.
    """
    if limit is not None and took_s > limit.total_seconds():
        raise Failed("max_duration", f"{what} took {took_s:.2f} s; {write_duration(limit)} is the limit")
