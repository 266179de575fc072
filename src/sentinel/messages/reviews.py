"""What an event of a review tells: the kind of its notice, and what that says besides the incident."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sentinel.core import review_events as re
from sentinel.core.events import Event
from sentinel.core.model import Directory
from sentinel.core.review_state import NONE
from sentinel.core.state import Incident
from sentinel.messages.notice import NoticeKind
from sentinel.messages.problems import said

KINDS: Final[dict[type[Any], NoticeKind]] = {
    re.ReviewDue: "review_due",
    re.ReviewReminded: "review_reminded",
    re.ReviewOverdue: "review_overdue",
    re.ReportWritten: "review_final",
    re.ActionAdded: "action_added",
    re.ActionDone: "action_done",
    re.ActionReminded: "action_reminded",
    re.ActionLate: "action_late",
}


def kind_of(event: Event) -> NoticeKind | None:
    """Return the kind of notice that an event of a review is; nothing for another event."""
    return KINDS.get(type(event))


def as_now(state: Incident, at: datetime) -> Event | None:
    """Return the event that says what of the review is owed, once the incident itself is over; else nothing.

    A message that takes another way must not wake anybody for an incident that is closed.
    """
    review = state.review
    if not state.over or review is None:
        return None
    if review.due_at is not None and review.final_at is None:
        if review.overdue:
            return re.ReviewOverdue(at=at, due_at=review.due_at)
        return re.ReviewReminded(at=at, due_at=review.due_at, remind_at=at)
    for one in review.actions.values():
        if one.open:
            return (
                re.ActionLate(at=at, action=one.action.id)
                if one.late
                else re.ActionReminded(at=at, action=one.action.id)
            )
    return None


def fields_of(state: Incident, event: Event, directory: Directory, url: str) -> dict[str, Any]:
    """Return what the notice of an event of a review says; nothing for another event."""
    if type(event) not in KINDS:
        return {}
    found: dict[str, Any] = {"incident_url": f"{url.rstrip('/')}/incidents/{state.number}/report" if url else ""}
    match event:
        case re.ReviewDue(due_at=due_at) | re.ReviewReminded(due_at=due_at) | re.ReviewOverdue(due_at=due_at):
            found["due_at"] = due_at
        case re.ReportWritten():
            found["text"] = (state.review or NONE).summary
        case re.ActionAdded(action=action):
            found |= {"text": said(action), "whom": _name(action.owner, directory), "agreed_on": action.due_on}
        case re.ActionDone(action=name) | re.ActionReminded(action=name) | re.ActionLate(action=name):
            action = (state.review or NONE).actions[name].action
            done = f"\n\n{event.text}" if isinstance(event, re.ActionDone) and event.text else ""
            found |= {"text": said(action) + done, "whom": _name(action.owner, directory), "agreed_on": action.due_on}
    return found


def _name(who: str, directory: Directory) -> str:
    person = directory.people.get(who)
    return person.name if person else who
