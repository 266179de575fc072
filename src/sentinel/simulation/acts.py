"""What people can do in a simulation: for each act the fields it takes, and the commands that it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from msgspec.structs import replace
from pydantic import Field

from sentinel.config.base import LevelField, Section, Text
from sentinel.config.fields import Duration, Flag
from sentinel.core import audience, closing
from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core.model import CauseClass, Directory, Priority, Severity, WaitsOn
from sentinel.core.state import Incident
from sentinel.rules import LEVEL_OF, SEVERITY_OF

SOMEBODY: Final = "somebody"
SAID: Final = "as the scenario says"
URGENT: Final = "urgent change"
AFTER_MAX: Final = timedelta(days=31)


class ActEntry(Section):
    """What every act takes: when, who, and of which service's incident; the first one that is open unless told."""

    at: Annotated[Duration, Field(le=AFTER_MAX)]
    by: str = ""
    service: str = ""


class Said(ActEntry):
    """An act with a text."""

    text: Text = SAID


class Pend(Said):
    """The work waits for somebody."""

    waits_on: WaitsOn = "customer"
    whom: str = ""


class Recategorise(Said):
    """What it is instead. Level and severity follow a new priority unless they are given too."""

    priority: Priority | None = None
    level: LevelField | None = None
    severity: Severity | None = None
    cause_class: CauseClass | None = None


class Resolve(Said):
    """Service is back."""

    workaround_only: Flag = False
    instructions: str = ""
    cause_class: CauseClass | None = None


class Hold(ActEntry):
    """Kept open, or let go."""

    on: Flag = True


class Declare(Said):
    """A crisis; ``security`` is in doubt."""

    trigger: str = ""
    security: Flag = False


class Drp(Said):
    """The disaster recovery plan is decided on; when the answer is yes it begins at once, unless told otherwise."""

    yes: Flag = True
    start: Flag = True


class StepEntry(ActEntry):
    """A step of the time line is ticked, or one line of its checklist."""

    step: Text
    item: str = ""
    text: str = ""


class Update(ActEntry):
    """A status message is sent: the draft, unless there is a text."""

    text: str = ""


class Frequency(ActEntry):
    """Status messages more often."""

    every: Duration


class Higher(Said):
    """A higher level of the cell is called."""

    level: LevelField


class Joining(ActEntry):
    """Somebody takes part in the cell, or does no more."""

    person: Text


class Change(Said):
    """An urgent change inside the crisis, approved at once unless told otherwise."""

    change: Text = URGENT
    approve: Flag = True


@dataclass(frozen=True, slots=True)
class Doing:
    """The moment of an act: who does it, to which incident, and when that would close by itself if it ended now."""

    by: str
    state: Incident
    close_by: datetime


@dataclass(frozen=True, slots=True)
class ActKind:
    """A kind of act. ``actor`` says who does it when nobody is named."""

    entry: type[ActEntry]
    commands: Callable[[Any, Doing], Sequence[c.Command]]
    actor: Callable[[Incident, Directory], str]


def holder(state: Incident, directory: Directory) -> str:
    """Return who would do it: who has the incident, else who was reached first, else the incident manager."""
    reached = next((page.person for page in state.reached if page.person), "")
    return state.acknowledged_by or reached or manager(state, directory)


def manager(state: Incident, directory: Directory) -> str:
    """Return the incident manager, else the first person there is, else somebody."""
    named = next(audience.people(state.plan.manager, directory), None)
    return named.id if named else next(iter(directory.people), SOMEBODY)


def steering(state: Incident, directory: Directory) -> str:
    """Return who steers: the owner of the crisis, else its pilot, else the incident manager."""
    plan = state.plan.crisis
    named = next(audience.people((*plan.owner, *plan.cell.pilot), directory), None) if plan else None
    return named.id if named else manager(state, directory)


def _recategorise(entry: Recategorise, doing: Doing) -> Sequence[c.Command]:
    follows = entry.priority
    command = c.Recategorise(
        by=doing.by,
        why=entry.text,
        priority=follows,
        level=entry.level or (LEVEL_OF[follows] if follows else None),
        severity=entry.severity or (SEVERITY_OF[follows] if follows else None),
        cause_class=entry.cause_class,
    )
    return (command,)


def _resolve(entry: Resolve, doing: Doing) -> Sequence[c.Command]:
    command = c.Resolve(
        by=doing.by,
        text=entry.text,
        close_by=doing.close_by,
        workaround_only=entry.workaround_only,
        instructions=entry.instructions,
        cause_class=entry.cause_class,
    )
    if closing.lacks_cause(doing.state, command):  # A scenario is not about it: somebody would have said one.
        command = replace(command, cause_class="intrinsic")
    return (command,)


def _pend(entry: Pend, doing: Doing) -> Sequence[c.Command]:
    return (c.Pend(by=doing.by, waits_on=entry.waits_on, ask=entry.text, whom=entry.whom),)


def _hold(entry: Hold, doing: Doing) -> Sequence[c.Command]:
    return (c.Hold(by=doing.by, on=entry.on, close_by=doing.close_by),)


def _declare(entry: Declare, doing: Doing) -> Sequence[c.Command]:
    return (cc.DeclareCrisis(by=doing.by, why=entry.text, trigger=entry.trigger, security=entry.security),)


def _drp(entry: Drp, doing: Doing) -> Sequence[c.Command]:
    decided = cc.DecideDrp(by=doing.by, yes=entry.yes, why=entry.text)
    return (decided, cc.StartDrp(by=doing.by, why=entry.text)) if entry.yes and entry.start else (decided,)


def _step(entry: StepEntry, doing: Doing) -> Sequence[c.Command]:
    return (cc.DoStep(by=doing.by, step=entry.step, item=entry.item, text=entry.text),)


def _change(entry: Change, doing: Doing) -> Sequence[c.Command]:
    attached = cc.AttachChange(by=doing.by, change=entry.change, text=entry.text)
    return (attached, cc.ApproveChange(by=doing.by, change=entry.change)) if entry.approve else (attached,)


def _kind(
    entry: type[ActEntry],
    command: Callable[[Any, str], c.Command],
    actor: Callable[[Incident, Directory], str] = holder,
) -> ActKind:
    """Return an act that is one command of what is written and of who acts."""
    return ActKind(entry, lambda written, doing: (command(written, doing.by),), actor)


ACTS: dict[str, ActKind] = {
    "acknowledge": _kind(ActEntry, lambda _, by: c.Acknowledge(by=by, via="simulation")),
    "pend": ActKind(Pend, _pend, holder),
    "resume": _kind(Said, lambda said, by: c.Resume(by=by, text=said.text)),
    "workaround": _kind(Said, lambda said, by: c.Propose(by=by, text=said.text)),
    "recategorise": ActKind(Recategorise, _recategorise, manager),
    "cascade": _kind(Said, lambda said, by: c.Cascade(by=by, why=said.text)),
    "escalate": _kind(Said, lambda said, by: c.Escalate(by=by, why=said.text)),
    "note": _kind(Said, lambda said, by: c.Note(by=by, text=said.text)),
    "hold": ActKind(Hold, _hold, holder),
    "resolve": ActKind(Resolve, _resolve, holder),
    "reopen": _kind(Said, lambda said, by: c.Reopen(by=by, why=said.text)),
    "close": _kind(Said, lambda said, by: c.Close(by=by, why=said.text)),
    "declare": ActKind(Declare, _declare, steering),
    "decline": _kind(Said, lambda said, by: cc.DeclineCrisis(by=by, why=said.text), steering),
    "drp": ActKind(Drp, _drp, steering),
    "step": ActKind(StepEntry, _step, steering),
    "message": _kind(Update, lambda said, by: cc.SendUpdate(by=by, text=said.text), steering),
    "messages": _kind(Frequency, lambda said, by: cc.PlanUpdates(by=by, every=said.every), steering),
    "activate": _kind(Higher, lambda said, by: cc.ActivateLevel(by=by, level=said.level, why=said.text), steering),
    "join": _kind(Joining, lambda said, by: cc.JoinCell(by=by, person=said.person), steering),
    "leave": _kind(Joining, lambda said, by: cc.LeaveCell(by=by, person=said.person), steering),
    "change": ActKind(Change, _change, steering),
    "end": _kind(Said, lambda said, by: cc.CloseCrisis(by=by, text=said.text), steering),
}
