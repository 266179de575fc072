"""The two paths of an opening: done at once within ten minutes, or received with a pre-qualification (LIF-2, LIF-3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.hearing import by_mail
from sentinel.core.model import Directory, Page
from sentinel.core.state import Incident

EXPECTED = "the runbook expects it to be over soon"
RECEIVED = "received"
LATE = "not over within the time that was expected"


def route(state: Incident, paged: Iterable[Page], now: datetime, directory: Directory) -> list[e.Event]:
    """Decide the path of an incident just opened. Who was ``paged`` is not told again to do it."""
    plan = state.plan
    if plan.expected is not None and plan.expected < plan.immediate_within:
        known = {page.person for page in paged}
        pages = [page for page in by_mail(plan.intervention, directory) if page.person not in known]
        until = now + plan.immediate_within if plan.operations else None
        return [told(e.Routed(at=now, path="immediate", why=EXPECTED, until=until), pages)]
    return _received(state, RECEIVED, now, directory)


def fall_at(state: Incident) -> datetime | None:
    """Return when an immediate incident falls to the other path; never once a raise left it nobody to send that to."""
    return state.path_until if state.active and state.plan.operations else None


def fall_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Send the receipt of an immediate incident that is not over, when its time is (rule LIF-3)."""
    until = fall_at(state)
    return _received(state, LATE, now, directory) if until and now >= until else []


def _received(state: Incident, why: str, now: datetime, directory: Directory) -> list[e.Event]:
    if not state.plan.operations:
        return []
    return [told(e.Routed(at=now, path="receipt", why=why), by_mail(state.plan.operations, directory))]
