"""What an event of a crisis tells: the kind of its notice, and what that says besides the incident."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from sentinel.core import chronogram
from sentinel.core import crisis as crisis_core
from sentinel.core import crisis_events as ce
from sentinel.core.crisis_state import NONE, Deed, Remaining
from sentinel.core.events import Event
from sentinel.core.model import Directory
from sentinel.core.state import Incident
from sentinel.messages.notice import NoticeKind
from sentinel.messages.status import Status

KINDS: Final[dict[type[Any], NoticeKind]] = {
    ce.CrisisProposed: "crisis_proposed",
    ce.CrisisDeclined: "crisis_declined",
    ce.CrisisOpened: "crisis_opened",
    ce.StepLate: "step_late",
    ce.UpdateReminded: "update_reminder",
    ce.UpdateSent: "update",
    ce.UpdateLate: "update_late",
    ce.DrpLate: "drp_late",
    ce.DrpStarted: "drp_started",
    ce.T0Corrected: "t0_corrected",
    ce.LevelActivated: "level_activated",
    ce.CellJoined: "cell_joined",
    ce.ChangeAttached: "change_attached",
    ce.ChangeApproved: "change_approved",
    ce.CrisisClosed: "crisis_closed",
}
# What a step announces, by the id of its message.
ANNOUNCED: Final[dict[str, NoticeKind]] = {
    "": "step_due",
    "p1-opened": "p1_opened",
    "crisis-request": "crisis_request",
    "crisis-open": "crisis_cell",
    "crisis-plan": "crisis_plan",
    "crisis-closed": "crisis_closed",
}


def kind_of(event: Event) -> NoticeKind | None:
    """Return the kind of notice that an event of a crisis is; nothing for another event."""
    if isinstance(event, ce.StepDone):
        return ANNOUNCED[event.announce]
    if isinstance(event, ce.DrpDecided):
        return "drp_yes" if event.yes else "drp_no"
    return KINDS.get(type(event))


def as_now(state: Incident, at: datetime) -> Event | None:
    """Return the event that says where the crisis stands: proposed or open; nothing when there is none."""
    crisis = state.crisis or NONE
    starts_at = crisis_core.starts_at(state)
    if starts_at is not None:
        return ce.CrisisProposed(at=at, trigger=crisis.trigger, why=crisis.why, answer_by=starts_at)
    if not crisis.open:
        return None
    return ce.CrisisOpened(
        at=at, by=crisis.opened_by, why=crisis.why, trigger=crisis.trigger, side=crisis.side, link=crisis.link
    )


def text_of(event: Event) -> str:
    """Return what somebody said."""
    match event:
        case ce.UpdateSent(text=text) | ce.CrisisClosed(text=text) | ce.StepDone(text=text):
            return text
        case ce.ChangeAttached(text=text):
            return text
        case ce.CrisisOpened(why=why) | ce.CrisisDeclined(why=why) | ce.DrpDecided(why=why) | ce.DrpStarted(why=why):
            return why
        case ce.T0Corrected(why=why) | ce.LevelActivated(why=why):
            return why
    return ""


def fields_of(state: Incident, event: Event, directory: Directory) -> dict[str, Any]:
    """Return what a notice says of the crisis: in an open one the way to its call, in every message (rule MAJ-3)."""
    crisis = state.crisis or NONE
    said: dict[str, Any] = {"call_url": crisis.link} if crisis.open or isinstance(event, ce.CrisisClosed) else {}
    match event:
        case ce.CrisisProposed(trigger=trigger, why=why, answer_by=due):
            return said | {"subject": trigger, "subject_name": why, "due_at": due}
        case ce.CrisisOpened(trigger=trigger):
            named = state.plan.crisis and next((one for one in state.plan.crisis.triggers if one.id == trigger), None)
            return said | {"subject": trigger, "subject_name": named.title if named else ""}
        case ce.StepDone(step=step, title=title, due_at=due) | ce.StepLate(step=step, title=title, due_at=due):
            return said | {"subject": step, "subject_name": title, "due_at": due}
        case ce.UpdateSent():
            status = status_of(state, event.done, event.left, directory)
            return said | {"count": event.count, "due_at": event.next_at, "status": status}
        case ce.UpdateReminded(due_at=due):
            status = status_of(state, crisis.deeds, chronogram.remaining(state), directory)
            return said | {"due_at": due, "status": status}
        case ce.UpdateLate(due_at=due) | ce.DrpLate(due_at=due):
            return said | {"due_at": due}
        case ce.LevelActivated(level=level):
            return said | {"count": level}
        case ce.ChangeAttached(change=change) | ce.ChangeApproved(change=change):
            return said | {"subject": change, "subject_name": change}
    return said


def status_of(state: Incident, done: tuple[Deed, ...], left: tuple[Remaining, ...], directory: Directory) -> Status:
    """Return what a status message says, with people's names."""
    crisis, plan = state.crisis or NONE, state.plan.crisis
    return Status(
        phase=state.phase,
        holder=_name(state.acknowledged_by, directory),
        waits_for=_name(state.waits_for, directory),
        workaround=state.workaround,
        drp=crisis.drp,
        drp_started=crisis.drp_started_at is not None,
        resolved_at=state.resolved_at,
        done=tuple(replace(deed, by=_name(deed.by, directory), whom=_name(deed.whom, directory)) for deed in done),
        left=left,
        sections=plan.updates.sections if plan else (),
    )


def _name(who: str, directory: Directory) -> str:
    person = directory.people.get(who)
    return person.name if person else who
