"""What happened in a crisis, and on the time line of every critical incident (rules MAJ-1 to MAJ-10)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sentinel.core.crisis_plan import Announce, CrisisLevel
from sentinel.core.crisis_state import Deed, Remaining, Side
from sentinel.core.happened import Happened


class CrisisProposed(Happened, frozen=True, kw_only=True, tag="crisis-proposed"):
    """A trigger proposes a crisis to its owner; unanswered at ``answer_by`` it starts by itself."""

    trigger: str
    why: str
    answer_by: datetime


class CrisisDeclined(Happened, frozen=True, kw_only=True, tag="crisis-declined"):
    """It is none: nothing starts it by itself any more."""

    by: str
    why: str


class CrisisOpened(Happened, frozen=True, kw_only=True, tag="crisis-opened"):
    """The crisis starts, by somebody or by itself; ``link`` leads to its call, ``security`` is what is in doubt."""

    by: str
    why: str
    trigger: str
    side: Side = "provider"
    link: str = ""
    security: bool = False


class StepDone(Happened, frozen=True, kw_only=True, tag="step-done"):
    """A step of the time line is done: by somebody, or by the system, which told who was to hear of ``announce``."""

    step: str
    title: str
    due_at: datetime
    by: str = ""
    text: str = ""
    announce: Announce = ""


class StepLate(Happened, frozen=True, kw_only=True, tag="step-late"):
    """A step was not done when it was due."""

    step: str
    title: str
    due_at: datetime


class StepChecked(Happened, frozen=True, kw_only=True, tag="step-checked"):
    """A line of a step's checklist is done."""

    step: str
    item: str
    by: str


class UpdateReminded(Happened, frozen=True, kw_only=True, tag="update-reminded"):
    """The author of the status messages was reminded of the one due at ``due_at``."""

    due_at: datetime


class UpdateSent(Happened, frozen=True, kw_only=True, tag="update-sent"):
    """The ``count``-th status message: somebody's own text, or the draft of what was done and what is left.

    ``due_at`` is the moment it is for, ``next_at`` when the next one is due.
    """

    count: int
    by: str
    text: str = ""
    done: tuple[Deed, ...] = ()
    left: tuple[Remaining, ...] = ()
    due_at: datetime
    next_at: datetime | None = None


class UpdateLate(Happened, frozen=True, kw_only=True, tag="update-late"):
    """Nobody has sent the status message that was due."""

    due_at: datetime


class UpdatesPlanned(Happened, frozen=True, kw_only=True, tag="updates-planned"):
    """The crisis call wants status messages more often."""

    by: str
    every: timedelta


class DrpDecided(Happened, frozen=True, kw_only=True, tag="drp-decided"):
    """The disaster recovery plan is used, or not; ``due_at`` was the last moment to say so."""

    by: str
    yes: bool
    why: str
    due_at: datetime


class DrpLate(Happened, frozen=True, kw_only=True, tag="drp-late"):
    """The last moment to decide on the disaster recovery plan has passed."""

    due_at: datetime


class DrpStarted(Happened, frozen=True, kw_only=True, tag="drp-started"):
    """The disaster recovery plan is under way."""

    by: str
    why: str = ""


class T0Corrected(Happened, frozen=True, kw_only=True, tag="t0-corrected"):
    """A person said when the outage began; every due time that counts from there moves."""

    by: str
    why: str
    t0: datetime
    was: datetime


class LevelActivated(Happened, frozen=True, kw_only=True, tag="level-activated"):
    """A higher level of the cell takes part, on both sides."""

    by: str
    level: CrisisLevel
    why: str = ""


class CellJoined(Happened, frozen=True, kw_only=True, tag="cell-joined"):
    """Somebody takes part in the cell who is no permanent member."""

    by: str
    person: str


class CellLeft(Happened, frozen=True, kw_only=True, tag="cell-left"):
    """Somebody takes part no more."""

    by: str
    person: str


class ChangeAttached(Happened, frozen=True, kw_only=True, tag="change-attached"):
    """An urgent change is asked for inside the crisis."""

    by: str
    change: str
    text: str = ""


class ChangeApproved(Happened, frozen=True, kw_only=True, tag="change-approved"):
    """An urgent change was approved inside the crisis."""

    by: str
    change: str


class CrisisClosed(Happened, frozen=True, kw_only=True, tag="crisis-closed"):
    """The crisis is over; by itself when service was back for so long and nobody objected."""

    by: str
    text: str = ""


CrisisEvent = (
    CrisisProposed
    | CrisisDeclined
    | CrisisOpened
    | StepDone
    | StepLate
    | StepChecked
    | UpdateReminded
    | UpdateSent
    | UpdateLate
    | UpdatesPlanned
    | DrpDecided
    | DrpLate
    | DrpStarted
    | T0Corrected
    | LevelActivated
    | CellJoined
    | CellLeft
    | ChangeAttached
    | ChangeApproved
    | CrisisClosed
)
