"""Flapping: an incident whose targets fail and recover too often stays one until they have come to rest (LIF-10)."""

from __future__ import annotations

from datetime import datetime

from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.hearing import quietly
from sentinel.core.model import Directory, Plan
from sentinel.core.state import Incident

RESTED = "nothing has failed or recovered any more for long enough"


def begins(state: Incident, key: str, now: datetime, directory: Directory) -> list[e.Event]:
    """Mark an incident as flapping, when the last changes of the target that just changed came too close together.

    Many targets that fail once, together, are an outage: each counts for itself.
    """
    plan = state.plan
    if state.flapping or not plan.flap_changes or not _flaps(state.signals[key].changes, plan):
        return []
    return [told(e.Flapped(at=now, on=True, changes=plan.flap_changes), quietly(state, directory))]


def _flaps(changes: tuple[datetime, ...], plan: Plan) -> bool:
    return len(changes) >= plan.flap_changes and changes[-1] - changes[0] <= plan.flap_within


def rests_at(state: Incident) -> datetime | None:
    """Return when a flapping incident is believed to have come to rest."""
    return state.changes[-1] + state.plan.flap_within if state.flapping and state.changes else None


def rests(state: Incident, now: datetime) -> list[e.Event]:
    """Say that an incident flaps no more, when that is due."""
    at = rests_at(state)
    return [e.Flapped(at=now, on=False)] if at and now >= at else []
