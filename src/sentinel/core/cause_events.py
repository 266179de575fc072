"""What is said of the change that caused an incident (rule CHG-1)."""

from __future__ import annotations

from datetime import timedelta

from sentinel.core.happened import Happened


class ChangeLinked(Happened, frozen=True, kw_only=True, tag="change-linked"):
    """A change is taken for the cause, by somebody or because the incident followed it; an empty ``change`` is none.

    Over within ``tolerated``, it counts neither as an outage nor against targets.
    """

    by: str
    change: str
    title: str = ""
    tolerated: timedelta | None = None
