"""How the events of a review stand in a timeline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sentinel.core import events as e
from sentinel.core import review_events as re
from sentinel.core.model import Directory
from sentinel.web import people


def filled(
    event: e.Event,
    values: dict[str, Any],
    directory: Directory,
    moment: Callable[[datetime], str],
    day: Callable[[date], str],
) -> str:
    """Put what an event of a review says into the values of its line; return the key of the line, empty for another."""
    match event:
        case re.ReviewDue() | re.ReviewReminded() | re.ReviewOverdue():
            values["due_at"] = moment(event.due_at)
        case re.ReviewHeld():
            values["on"] = day(event.on)
            values["people"] = ", ".join(people.shown(one, directory) for one in event.people)
        case re.ReportWritten(final=True):
            return "report_final"
        case re.ActionAdded(action=action):
            where = ", ".join(filter(None, (action.ticket, action.change)))
            values["title"] = action.title + (f" ({where})" if where else "")
            values |= {"id": action.id, "owner": people.shown(action.owner, directory), "due_on": day(action.due_on)}
        case e.ProblemJudged(accepted=True, number=number) if number:
            return "problem_recorded"
    return ""
