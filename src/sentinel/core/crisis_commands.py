"""What can be asked of a crisis."""

from __future__ import annotations

from datetime import datetime, timedelta

from sentinel.core.commands import Command
from sentinel.core.crisis_plan import CrisisLevel


class CrisisCommand(Command, frozen=True, kw_only=True):
    """The base of these commands: somebody asks."""

    by: str


class DeclareCrisis(CrisisCommand, frozen=True, kw_only=True):
    """A person starts a crisis, or says yes to the one that was proposed (rules MAJ-2, MAJ-3)."""

    why: str = ""
    trigger: str = ""
    security: bool = False


class DeclineCrisis(CrisisCommand, frozen=True, kw_only=True):
    """The owner says no to a crisis that was proposed."""

    why: str


class DoStep(CrisisCommand, frozen=True, kw_only=True):
    """A person ticks a step of the time line, or one line of its checklist."""

    step: str
    item: str = ""
    text: str = ""


class SendUpdate(CrisisCommand, frozen=True, kw_only=True):
    """A person sends the status message: their own text, or the draft when there is none."""

    text: str = ""


class PlanUpdates(CrisisCommand, frozen=True, kw_only=True):
    """The crisis call wants status messages more often."""

    every: timedelta


class DecideDrp(CrisisCommand, frozen=True, kw_only=True):
    """The cell decides on the disaster recovery plan."""

    yes: bool
    why: str


class StartDrp(CrisisCommand, frozen=True, kw_only=True):
    """The disaster recovery plan begins."""

    why: str = ""


class CorrectT0(CrisisCommand, frozen=True, kw_only=True):
    """A person says when the outage really began."""

    t0: datetime
    why: str


class ActivateLevel(CrisisCommand, frozen=True, kw_only=True):
    """A higher level of the cell is called, on both sides."""

    level: CrisisLevel
    why: str = ""


class JoinCell(CrisisCommand, frozen=True, kw_only=True):
    """Somebody takes part in the cell."""

    person: str


class LeaveCell(CrisisCommand, frozen=True, kw_only=True):
    """Somebody takes part no more."""

    person: str


class AttachChange(CrisisCommand, frozen=True, kw_only=True):
    """An urgent change is asked for inside the crisis (rule MAJ-7)."""

    change: str
    text: str = ""


class ApproveChange(CrisisCommand, frozen=True, kw_only=True):
    """An urgent change is approved inside the crisis."""

    change: str


class CloseCrisis(CrisisCommand, frozen=True, kw_only=True):
    """The crisis ends with its closing message (rule MAJ-8)."""

    text: str = ""
