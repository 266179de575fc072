"""The tolerated outage: an outage that lasts longer breaches the availability of its service (rule SLA-5)."""

from __future__ import annotations

from datetime import datetime

from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.hearing import by_mail, listeners
from sentinel.core.model import Directory
from sentinel.core.state import Incident


def exceeds_at(state: Incident) -> datetime | None:
    """Return when an outage lasts longer than is tolerated, from its T0 on; an incident that blocks is an outage."""
    tolerated = state.plan.outage_tolerated
    if tolerated is None or state.outage_exceeded or state.severity != "blocking" or not state.active:
        return None
    return state.t0 + tolerated


def tell_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Say, once, that an outage lasts longer than is tolerated."""
    at = exceeds_at(state)
    if at is None or now < at:
        return []
    pages = (*by_mail(state.plan.manager, directory), *listeners(state, "sla_breach", directory))
    return [told(e.OutageExceeded(at=now, began_at=state.t0, tolerated_until=at), pages)]
