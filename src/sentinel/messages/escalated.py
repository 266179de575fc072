"""What an escalation says to whom it calls: why they are called, which is not always that nobody has taken charge."""

from __future__ import annotations

from datetime import datetime

from sentinel.core import events as e
from sentinel.core.clocks import MISSED
from sentinel.core.state import Incident
from sentinel.messages.notice import NoticeKind


def kind_of(state: Incident, event: e.Escalated) -> NoticeKind:
    """Return what kind of notice a step is."""
    if event.by:
        return "called"
    if event.clock:
        return "overdue" if event.why == MISSED else "at_risk"
    if state.acknowledged_by:
        return "unresolved"
    if event.repeat:
        return "repeated"
    return "escalated" if event.place else "opened"


def due_of(state: Incident, event: e.Escalated) -> datetime | None:
    """Return when the target falls due that calls the next level."""
    one = state.clocks.get(event.clock) if event.clock else None
    return one.deadline.due_at if one else None
