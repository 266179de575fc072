"""What the events of a crisis mean for the state."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sentinel.core import crisis_events as ce
from sentinel.core.after import after
from sentinel.core.crisis_state import NONE, CrisisState, Ticked
from sentinel.core.state import Incident


def _with(state: Incident, **changes: Any) -> Incident:
    return replace(state, crisis=replace(state.crisis or NONE, **changes))


@after.register
def _(event: ce.CrisisProposed, state: Incident) -> Incident:
    return _with(state, phase="proposed", trigger=event.trigger, why=event.why, proposed_at=event.at)


@after.register
def _(_event: ce.CrisisDeclined, state: Incident) -> Incident:
    return _with(state, phase="declined")


@after.register
def _(event: ce.CrisisOpened, state: Incident) -> Incident:
    before = state.crisis or NONE
    again = before.phase == "closed"  # What an earlier crisis of the same incident came to does not count.
    kept = _of_every_incident(state, before) if again else before
    return _with(
        replace(state, crisis=kept),
        phase="open",
        trigger=event.trigger or before.trigger,
        why=event.why or before.why,
        side=event.side,
        security=event.security,
        link=event.link,
        opened_by=event.by,
        opened_at=event.at,
        closed_by="",
        closed_at=None,
    )


def _of_every_incident(state: Incident, before: CrisisState) -> CrisisState:
    steps = state.plan.crisis.steps if state.plan.crisis else ()
    own = {step.id for step in steps if not step.needs}
    done = {step: ticked for step, ticked in before.done.items() if step in own}
    late = tuple(step for step in before.late if step in own)
    return CrisisState(done=done, late=late, spoke_for=before.spoke_for, messages=before.messages, deeds=before.deeds)


@after.register
def _(event: ce.StepDone, state: Incident) -> Incident:
    crisis = state.crisis or NONE
    return _with(state, done={**crisis.done, event.step: Ticked(event.at, event.by)})


@after.register
def _(event: ce.StepLate, state: Incident) -> Incident:
    return _with(state, late=(*(state.crisis or NONE).late, event.step))


@after.register
def _(event: ce.StepChecked, state: Incident) -> Incident:
    checked = (state.crisis or NONE).checked
    return _with(state, checked={**checked, event.step: (*checked.get(event.step, ()), event.item)})


@after.register
def _(event: ce.UpdateReminded, state: Incident) -> Incident:
    return _with(state, reminded_for=event.due_at)


@after.register
def _(event: ce.UpdateSent, state: Incident) -> Incident:
    return _with(state, spoke_for=event.due_at, messages=event.count, deeds=())


@after.register
def _(event: ce.UpdateLate, state: Incident) -> Incident:
    return _with(state, spoke_for=event.due_at)


@after.register
def _(event: ce.UpdatesPlanned, state: Incident) -> Incident:
    return _with(state, every=event.every)


@after.register
def _(event: ce.DrpDecided, state: Incident) -> Incident:
    return _with(state, drp="yes" if event.yes else "no", drp_by=event.by, drp_at=event.at)


@after.register
def _(_event: ce.DrpLate, state: Incident) -> Incident:
    return _with(state, drp_late=True)


@after.register
def _(event: ce.DrpStarted, state: Incident) -> Incident:
    return _with(state, drp_started_at=event.at)


@after.register
def _(event: ce.T0Corrected, state: Incident) -> Incident:
    return replace(state, t0=event.t0)


@after.register
def _(event: ce.LevelActivated, state: Incident) -> Incident:
    return _with(state, level=event.level)


@after.register
def _(event: ce.CellJoined, state: Incident) -> Incident:
    return _with(state, joined=(*(state.crisis or NONE).joined, event.person))


@after.register
def _(event: ce.CellLeft, state: Incident) -> Incident:
    return _with(state, joined=tuple(person for person in (state.crisis or NONE).joined if person != event.person))


@after.register
def _(event: ce.ChangeAttached, state: Incident) -> Incident:
    return _with(state, changes={**(state.crisis or NONE).changes, event.change: ""})


@after.register
def _(event: ce.ChangeApproved, state: Incident) -> Incident:
    return _with(state, changes={**(state.crisis or NONE).changes, event.change: event.by})


@after.register
def _(event: ce.CrisisClosed, state: Incident) -> Incident:
    crisis = state.crisis or NONE
    closing = state.plan.crisis.closing if state.plan.crisis else None
    done = {**crisis.done, closing.id: Ticked(event.at, event.by)} if closing else crisis.done
    return _with(state, phase="closed", closed_by=event.by, closed_at=event.at, done=done)
