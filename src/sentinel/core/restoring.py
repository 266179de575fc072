"""Data that is lost or damaged: restored within a time, and none damaged at all, as a service says (rule SLA-5)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sentinel.core import events as e
from sentinel.core.deadlines import Deadline, WarnAt
from sentinel.core.escalation import told
from sentinel.core.hearing import by_mail, listeners
from sentinel.core.model import Directory, Plan, Priority, Signal
from sentinel.core.state import Incident

WARN_AT_PERCENT: Final = (50.0, 80.0)
WHOLE_PERCENT: Final = 100
CHECKED: Final = ("integrity", "yes")  # The label of a probe that looks at data.
# What says that data must come back: a request for it, a report that it is lost, a check that finds it damaged.
LOST: Final = (("category", "file_restore"), ("data_loss", "yes"), CHECKED)


def starting(signal: Signal, plan: Plan, priority: Priority, now: datetime) -> tuple[Deadline, ...]:
    """Return the clock of restoring data, if the signal starts one. It runs by the wall clock, and never stops."""
    within = plan.restore_within
    if within is None or not any(signal.labels.get(label) == value for label, value in LOST):
        return ()
    warns = tuple(WarnAt(percent, now + within * (percent / WHOLE_PERCENT)) for percent in WARN_AT_PERCENT)
    return (Deadline(clock="restore", priority=priority, due_at=now + within, warn_at=warns),)


def joining(state: Incident, signal: Signal, now: datetime) -> tuple[Deadline, ...]:
    """Return the clock that another signal starts; one that runs already stays as it is."""
    return () if "restore" in state.clocks else starting(signal, state.plan, state.priority, now)


def standing(state: Incident) -> tuple[Deadline, ...]:
    """Return the clock as it was set: another priority does not change it."""
    found = state.clocks.get("restore")
    return (found.deadline,) if found is not None else ()


def damaged(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Say, once, that data is damaged of which none may be."""
    if not state.plan.integrity_kept or state.integrity_lost_at is not None:
        return []
    label, value = CHECKED
    found = [signal for signal in state.failing() if signal.labels.get(label) == value]
    if not found:
        return []
    first = min(found, key=lambda signal: signal.since)
    pages = (*by_mail(state.plan.manager, directory), *listeners(state, "sla_breach", directory))
    lost = e.IntegrityLost(at=now, began_at=min(first.since, now), detail=first.detail or first.title)
    return [told(lost, pages)]
