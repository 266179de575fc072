"""Hours that change while an incident is open, and levels that are called by hand (rules ESC-1 to ESC-3)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import escalation, ladder
from sentinel.core import events as e
from sentinel.core.escalation import Cause
from sentinel.core.folding import evolve, fold
from sentinel.core.model import Directory, Plan, Priority, Refused, Watch
from sentinel.core.state import Incident


def decided(service: str, priority: Priority, plan: Plan, now: datetime, directory: Directory) -> Watch | None:
    """Return which ladder of a plan is in force now; nothing where nothing was agreed about hours."""
    terms = directory.terms
    return terms.watch_at(service, priority, plan, now) if terms and terms.watch_at else None


def renewed(state: Incident, now: datetime, directory: Directory) -> Watch | None:
    """Return which ladder is in force now, if other hours have begun since that was decided last."""
    watch = state.watch
    if watch is None or watch.until is None or now < watch.until:
        return None
    return decided(state.service, state.priority, state.plan, now, directory)


def changes_at(state: Incident) -> datetime | None:
    """Return when other hours begin; nothing while no step of any ladder would be taken whatever the hours."""
    watch = state.watch
    if watch is None or watch.until is None or state.over:
        return None
    if any(ladder.asked(step, state) for step in state.plan.ladder) or (state.gated and not state.laddered):
        return watch.until
    return None


def tell_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Bring other hours into force, when they have begun: pages of the old ladder that are on their way are dropped."""
    at = changes_at(state)
    return _changed(state, now, directory) if at and now >= at else []


def climb(state: Incident, decided_: list[e.Event], now: datetime, directory: Directory) -> list[e.Event]:
    """Take the steps that are due. At the opening that is said too which waited for it: that nobody is to be told."""
    if any(isinstance(event, e.HoursChanged) for event in decided_):
        return escalation.begin(state, (), now, directory)
    return escalation.climb(state, now, directory)


def escalate(state: Incident, command: c.Escalate, now: datetime, directory: Directory) -> list[e.Event]:
    """Call the next level now, whatever else would keep its step from being due: a person has looked (rule ESC-1)."""
    why = command.why.strip()
    if not why:
        raise Refused("Escalating needs a reason.")
    changed = _changed(state, now, directory)
    state = fold(state, changed)
    if ladder.following(state) is None:
        raise Refused(_nothing_left(state))
    return [*changed, *escalation.push(state, Cause(why, by=command.by), now, directory)]


def _changed(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    watch = renewed(state, now, directory)
    if watch is None:
        return []
    event = e.HoursChanged(at=now, watch=watch)
    return [replace(event, withdraw=escalation.unwanted(evolve(state, event)))]


def _nothing_left(state: Incident) -> str:
    steps = ladder.in_force(state)
    if not steps:
        return f"{state.number} has no escalation."
    if all(step.min_level > state.level for _, step in steps):
        return f"No step of the escalation is meant for level {state.level}: cascade {state.number} first."
    return f"The last step of the escalation has been taken already for {state.number}."


DECISIONS: dict[type[c.Command], Any] = {c.Escalate: escalate}
