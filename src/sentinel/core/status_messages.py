"""The status messages of a crisis, and of a confirmed P1: when they are due, who writes, who reads (MAJ-1, MAJ-6).

One falls due every so often from T0 on. Its author is reminded; the system sends the draft when nobody has.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sentinel.core import cell, chronogram
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.crisis_plan import CrisisPlan
from sentinel.core.crisis_state import NONE
from sentinel.core.escalation import told
from sentinel.core.folding import evolve
from sentinel.core.model import Directory
from sentinel.core.state import Incident


def running(state: Incident) -> bool:
    """Tell whether status messages go out: in a crisis to its end, otherwise of a P1 that somebody has confirmed.

    Whoever has taken it and left it a P1 has confirmed it (rule MAJ-1).
    """
    if state.plan.crisis is None or not cell.informed(state):
        return False
    return (state.crisis or NONE).open or (chronogram.critical(state) and bool(state.acknowledged_by))


def due_at(state: Incident) -> datetime | None:
    """Return when the next status message is due; pending changes nothing of it."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    if plan is None or not running(state):
        return None
    every, first = every_of(state, plan), state.t0 + plan.updates.start
    if crisis.spoke_for is not None and crisis.spoke_for >= first - plan.updates.remind_before:
        return crisis.spoke_for + every
    began = (crisis.opened_at if crisis.open else state.acknowledged_at) or state.opened_at
    return first if began <= first else first + -(-(began - first) // every) * every


def every_of(state: Incident, plan: CrisisPlan) -> timedelta:
    """Return how often they are due: as planned, or as the crisis call has said."""
    return (state.crisis or NONE).every or plan.updates.every


def next_at(state: Incident) -> datetime | None:
    """Return when the author is reminded, or the message is due."""
    plan, due = state.plan.crisis, due_at(state)
    if plan is None or due is None:
        return None
    remind = due - plan.updates.remind_before
    reminded = not plan.updates.remind_before or (state.crisis or NONE).reminded_for == due
    return due if reminded else remind


def fall_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Remind the author, or send what is due; after a stop one message stands for all that were missed."""
    decided: list[e.Event] = []
    while (at := next_at(state)) is not None and at <= now:  # After a late message the next reminder may be due too.
        decided.append(_due(state, now, directory))
        state = evolve(state, decided[-1])
    return decided


def _due(state: Incident, now: datetime, directory: Directory) -> e.Event:
    plan, due = state.plan.crisis, due_at(state)
    assert plan is not None, "without a plan nothing is due"
    assert due is not None, "something is due"
    if now < due:
        return ce.UpdateReminded(at=now, due_at=due, tell=cell.alert(cell.leaders(state), directory))
    every = every_of(state, plan)
    slot = due + (now - due) // every * every
    if plan.updates.automatic:
        return sent(state, cc.SendUpdate(by=""), slot, now, directory)
    return ce.UpdateLate(at=now, due_at=slot, tell=cell.alert(cell.leaders(state), directory))


def sent(state: Incident, command: cc.SendUpdate, slot: datetime, now: datetime, directory: Directory) -> ce.UpdateSent:
    """Return the message of one moment: somebody's text, and what was done and is left."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    assert plan is not None, "without a plan nothing is due"
    whom = (*cell.informed(state), *(() if command.by else cell.leaders(state)))
    event: ce.UpdateSent = told(
        ce.UpdateSent(
            at=now,
            count=crisis.messages + 1,
            by=command.by,
            text=command.text,
            done=crisis.deeds,
            left=chronogram.remaining(state),
            due_at=slot,
            next_at=slot + every_of(state, plan),
        ),
        cell.mail(whom, directory),
    )
    return event
