"""Crises in numbers, looked up when the metrics page is written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sentinel.core import chronogram, status_messages
from sentinel.core.state import Incident

Sample = tuple[tuple[str, ...], float]


def steps_late(open_: Iterable[Incident], now: datetime) -> list[Sample]:
    """Return for each service with a time line under way how late its most overdue step is, in seconds."""
    late: dict[str, float] = {}
    for state in open_:
        if chronogram.critical(state) or (state.crisis is not None and state.crisis.open):
            late[state.service] = max(late.get(state.service, 0.0), chronogram.overdue_s(state, now))
    return [((service,), overdue_s) for service, overdue_s in late.items()]


def updates_due(open_: Iterable[Incident]) -> list[Sample]:
    """Return for each service when its next status message is due."""
    due: dict[str, float] = {}
    for state in open_:
        at = status_messages.due_at(state)
        if at is not None:
            due[state.service] = min(due.get(state.service, at.timestamp()), at.timestamp())
    return [((service,), at) for service, at in due.items()]
