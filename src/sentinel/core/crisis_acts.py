"""What people do while a crisis lasts: steps, messages, the recovery plan, the cell, changes (MAJ-4 to MAJ-7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sentinel.core import cell, chronogram, raci, status_messages
from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.crisis_plan import CrisisPlan
from sentinel.core.crisis_state import NONE, CrisisState
from sentinel.core.escalation import told
from sentinel.core.folding import evolve
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident

EVERY_MIN_S = 60.0
T0_BEFORE_MAX = timedelta(days=7)  # A typing error in the date would make everything late at once.


def of(state: Incident) -> CrisisState:
    """Return the crisis of an incident; without one, one that never was."""
    return state.crisis or NONE


def plan_of(state: Incident) -> CrisisPlan:
    """Return the plan of its crisis.

    Raises:
        Refused: it has none.
    """
    if state.plan.crisis is None or state.kind != "incident":
        raise Refused(f"{state.number} has no crisis plan: it is a request, or older than the plans.")
    return state.plan.crisis


def opened(state: Incident) -> CrisisPlan:
    """Return the plan of an open crisis.

    Raises:
        Refused: there is none.
    """
    plan = plan_of(state)
    if not of(state).open:
        raise Refused(f"There is no open crisis of {state.number}; declare it first.")
    return plan


def needs(text: str, why: str) -> None:
    """Refuse an act without the words it needs."""
    if not text.strip():
        raise Refused(why)


def _unapplied(state: Incident) -> str:
    if of(state).open:
        return "the disaster recovery plan was not started in time"
    return "there is no crisis" if chronogram.critical(state) else f"{state.number} is {state.priority}, {state.phase}"


def do_step(state: Incident, command: cc.DoStep, now: datetime, directory: Directory) -> list[e.Event]:
    """Tick a step, or a line of its checklist. Without a crisis anybody may: it is the way of every P1."""
    plan = plan_of(state)
    step = plan.step(command.step)
    if step is None:
        raise Refused(f"There is no step `{command.step}`; known: {', '.join(one.id for one in plan.steps)}.")
    if of(state).open:
        ends = step.done_when == "resolved"
        raci.check(state, command.by, ("solution",) if ends else ("cell_provider", "cell_customer"), directory)
    if command.item:
        if command.item not in step.checklist:
            raise Refused(f"The step `{step.id}` has no line `{command.item}`: {', '.join(step.checklist) or 'none'}.")
        if command.item in of(state).checked.get(step.id, ()):
            return []
        return [ce.StepChecked(at=now, step=step.id, item=command.item, by=command.by)]
    if chronogram.ticked(state, step):
        raise Refused(f"The step `{step.id}` is done already.")
    if step == plan.closing:
        raise Refused(f"The step `{step.id}` is done by closing the crisis.")
    if not chronogram.applies(state, step):
        raise Refused(f"The step `{step.id}` is not due: {_unapplied(state)}.")
    due = chronogram.due_at(state, step)
    done = ce.StepDone(
        at=now, step=step.id, title=step.title, due_at=due, by=command.by, text=command.text, announce=step.announce
    )
    # Doing it by hand, early or late, is telling whom it tells; what the system told already is not told again.
    return [told(done, chronogram.announced(state, step, directory), command.by)]


def decide_drp(state: Incident, command: cc.DecideDrp, now: datetime, directory: Directory) -> list[e.Event]:
    """Decide on the disaster recovery plan: yes or no, and why."""
    plan = opened(state)
    needs(command.why, "The decision on the disaster recovery plan needs a reason.")
    raci.check(state, command.by, ("cell_provider", "cell_customer"), directory)
    if of(state).drp_started_at:
        raise Refused(f"The disaster recovery plan of {state.number} is under way already.")
    decided = ce.DrpDecided(at=now, by=command.by, yes=command.yes, why=command.why, due_at=state.t0 + plan.drp_by)
    return [told(decided, cell.mail(cell.informed(state), directory), command.by)]


def start_drp(state: Incident, command: cc.StartDrp, now: datetime, directory: Directory) -> list[e.Event]:
    """Say that the disaster recovery plan is under way."""
    opened(state)
    raci.check(state, command.by, ("cell_provider", "teams_provider", "cell_customer"), directory)
    if of(state).drp != "yes":
        raise Refused(f"The disaster recovery plan of {state.number} was not decided; decide `yes` first.")
    if of(state).drp_started_at:
        raise Refused(f"The disaster recovery plan of {state.number} is under way already.")
    started = ce.DrpStarted(at=now, by=command.by, why=command.why)
    return [told(started, cell.mail(cell.informed(state), directory), command.by)]


def drp_late_at(state: Incident) -> datetime | None:
    """Return the last moment to decide on the recovery plan, while service is down and nobody has."""
    plan, crisis = state.plan.crisis, of(state)
    if plan is None or not crisis.open or crisis.drp or crisis.drp_late or not state.active:
        return None
    return state.t0 + plan.drp_by


def drp_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Say, once, that the last moment to decide on the recovery plan has passed."""
    at = drp_late_at(state)
    if at is None or now < at:
        return []
    return [ce.DrpLate(at=now, due_at=at, tell=cell.alert(cell.leaders(state), directory))]


def send_update(state: Incident, command: cc.SendUpdate, now: datetime, directory: Directory) -> list[e.Event]:
    """Send a status message: the author's text, or the draft."""
    plan = plan_of(state)
    if of(state).open:
        raci.check(state, command.by, ("communication", "hierarchy"), directory)
    elif not chronogram.critical(state):
        raise Refused(f"{state.number} has no crisis and is {state.priority}, {state.phase}: no message is due.")
    if not cell.informed(state):
        raise Refused(f"Nobody is to be told: {state.number} has neither a cell nor a contact `operations`.")
    due = status_messages.due_at(state)
    remind = plan.updates.remind_before
    # Sent when its author was reminded of it, it stands for the one that is due; otherwise it begins a new hour.
    slot = due if due is not None and due - remind <= now <= due else now
    return [status_messages.sent(state, command, slot, now, directory)]


def plan_updates(state: Incident, command: cc.PlanUpdates, now: datetime, directory: Directory) -> list[e.Event]:
    """Send status messages more often; never less often than planned (rule MAJ-6)."""
    plan = opened(state)
    raci.check(state, command.by, ("cell_provider", "cell_customer"), directory)
    minutes = int(plan.updates.every.total_seconds() // 60)
    if not command.every or command.every > plan.updates.every or command.every.total_seconds() < EVERY_MIN_S:
        raise Refused(f"Status messages go out at least every {minutes} min, at most every minute.")
    return [ce.UpdatesPlanned(at=now, by=command.by, every=command.every)]


def correct_t0(state: Incident, command: cc.CorrectT0, now: datetime, directory: Directory) -> list[e.Event]:
    """Say when the outage began; due times move, what is done stays done."""
    plan_of(state)
    needs(command.why, "Correcting T0 needs a reason.")
    if of(state).open:
        raci.check(state, command.by, ("crisis_state",), directory)
    if command.t0 > now:
        raise Refused("T0 cannot be in the future.")
    if command.t0 < state.opened_at - T0_BEFORE_MAX:
        raise Refused(
            f"T0 cannot be more than {T0_BEFORE_MAX.days} days before the opening, which was on "
            f"{state.opened_at:%Y-%m-%d at %H:%M} UTC; look at the date."
        )
    if command.t0 == state.t0:
        return []
    moved = ce.T0Corrected(at=now, by=command.by, why=command.why, t0=command.t0, was=state.t0)
    return [told(moved, cell.mail(cell.leaders(state), directory), command.by)]


def activate(state: Incident, command: cc.ActivateLevel, now: datetime, directory: Directory) -> list[e.Event]:
    """Call a higher level of the cell, on both sides (rule MAJ-4)."""
    opened(state)
    raci.check(state, command.by, ("escalation", "cell_customer"), directory)
    if command.level <= of(state).level:
        raise Refused(f"Level {command.level} of the cell is activated already.")
    event = ce.LevelActivated(at=now, by=command.by, level=command.level, why=command.why)
    before, after = set(cell.permanent(state)), cell.permanent(evolve(state, event))
    fresh = [who for who in after if who not in before]
    return [told(event, cell.alert(fresh, directory), command.by)]


def join(state: Incident, command: cc.JoinCell, now: datetime, directory: Directory) -> list[e.Event]:
    """Let somebody take part in the cell."""
    opened(state)
    person = directory.people.get(command.person)
    if person is None:
        raise Refused(f"There is no person `{command.person}`.")
    raci.check(state, command.by, ("teams_customer",) if person.side == "customer" else ("teams_provider",), directory)
    if command.person in of(state).joined:
        return []
    joined = ce.CellJoined(at=now, by=command.by, person=command.person)
    return [told(joined, cell.alert((command.person,), directory), command.by)]


def leave(state: Incident, command: cc.LeaveCell, now: datetime, directory: Directory) -> list[e.Event]:
    """Let somebody go who had joined."""
    opened(state)
    if command.person not in of(state).joined:
        raise Refused(f"{command.person} has not joined the cell.")
    person = directory.people.get(command.person)
    customer = person is not None and person.side == "customer"
    if command.by != command.person:
        raci.check(state, command.by, ("teams_customer",) if customer else ("teams_provider",), directory)
    return [ce.CellLeft(at=now, by=command.by, person=command.person)]


def attach(state: Incident, command: cc.AttachChange, now: datetime, directory: Directory) -> list[e.Event]:
    """Ask for an urgent change (rule MAJ-7)."""
    opened(state)
    needs(command.change, "An urgent change needs its reference.")
    raci.check(state, command.by, ("teams_provider", "cell_customer"), directory)
    if command.change in of(state).changes:
        raise Refused(f"The change {command.change} is attached already.")
    asked = ce.ChangeAttached(at=now, by=command.by, change=command.change, text=command.text)
    return [told(asked, cell.mail(cell.leaders(state), directory), command.by)]


def approve(state: Incident, command: cc.ApproveChange, now: datetime, directory: Directory) -> list[e.Event]:
    """Approve an urgent change inside the crisis."""
    opened(state)
    raci.check(state, command.by, ("cell_provider", "cell_customer"), directory)
    if command.change not in of(state).changes:
        raise Refused(f"The change {command.change} is not attached; attach it first.")
    if of(state).changes[command.change]:
        raise Refused(f"The change {command.change} is approved already.")
    approved = ce.ChangeApproved(at=now, by=command.by, change=command.change)
    return [told(approved, cell.mail(cell.members(state), directory), command.by)]


DECISIONS: dict[type[c.Command], Any] = {
    cc.DoStep: do_step,
    cc.SendUpdate: send_update,
    cc.PlanUpdates: plan_updates,
    cc.DecideDrp: decide_drp,
    cc.StartDrp: start_drp,
    cc.CorrectT0: correct_t0,
    cc.ActivateLevel: activate,
    cc.JoinCell: join,
    cc.LeaveCell: leave,
    cc.AttachChange: attach,
    cc.ApproveChange: approve,
}
