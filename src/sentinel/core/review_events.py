"""What happens after an incident: its review, the report, and the actions that come of them (rules REX-1 to REX-3)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, get_args

from sentinel.core.actions import Action
from sentinel.core.happened import Happened

# What people write of a report; the rest of it is drafted from the log.
Part = Literal["summary", "impact", "causes", "facts", "decisions", "strong", "weak", "improvement"]
PARTS: tuple[Part, ...] = get_args(Part)


class ReviewDue(Happened, frozen=True, kw_only=True, tag="review-due"):
    """The incident, or its crisis, is over: the owner's report is due at ``due_at``, with reminders before."""

    owner: tuple[str, ...]
    due_at: datetime
    remind_at: tuple[datetime, ...] = ()
    why: str = ""


class ReviewReminded(Happened, frozen=True, kw_only=True, tag="review-reminded"):
    """The owner was reminded of the report due at ``due_at``, as planned for ``remind_at``."""

    due_at: datetime
    remind_at: datetime


class ReviewOverdue(Happened, frozen=True, kw_only=True, tag="review-overdue"):
    """There was no final report when it was due."""

    due_at: datetime


class ReviewHeld(Happened, frozen=True, kw_only=True, tag="review-held"):
    """The review was held, on a day, with these people."""

    by: str
    on: date
    people: tuple[str, ...]
    text: str = ""


class ReportWritten(Happened, frozen=True, kw_only=True, tag="report-written"):
    """Somebody wrote parts of the report; what earlier versions say of the others stays. The final one freezes it."""

    by: str
    version: int
    parts: dict[str, str] = {}
    final: bool = False


class ActionAdded(Happened, frozen=True, kw_only=True, tag="action-added"):
    """The action plan has one more."""

    by: str
    action: Action


class ActionDone(Happened, frozen=True, kw_only=True, tag="action-done"):
    """An action is done."""

    by: str
    action: str
    text: str = ""


class ActionReviewed(Happened, frozen=True, kw_only=True, tag="action-reviewed"):
    """The production committee looked at an action."""

    by: str
    action: str
    text: str = ""


class ActionReminded(Happened, frozen=True, kw_only=True, tag="action-reminded"):
    """Who has an action was reminded of it, before its date."""

    action: str


class ActionLate(Happened, frozen=True, kw_only=True, tag="action-late"):
    """An action was not done on its date."""

    action: str


ReviewEvent = (
    ReviewDue
    | ReviewReminded
    | ReviewOverdue
    | ReviewHeld
    | ReportWritten
    | ActionAdded
    | ActionDone
    | ActionReviewed
    | ActionReminded
    | ActionLate
)
