"""What the events of a review mean for the state."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sentinel.core import actions
from sentinel.core import review_events as re
from sentinel.core.actions import ActionState
from sentinel.core.after import after
from sentinel.core.review_state import NONE
from sentinel.core.state import Incident


def _with(state: Incident, **changes: Any) -> Incident:
    return replace(state, review=replace(state.review or NONE, **changes))


def _acted(state: Incident, one: ActionState) -> Incident:
    return _with(state, actions={**(state.review or NONE).actions, one.action.id: one})


@after.register
def _(event: re.ReviewDue, state: Incident) -> Incident:
    return _with(
        state,
        due_at=event.due_at,
        owner=event.owner,
        why=event.why,
        remind_at=event.remind_at,
        reminded=(),
        overdue=False,
        final_at=None,
        final_by="",
    )


@after.register
def _(event: re.ReviewReminded, state: Incident) -> Incident:
    return _with(state, reminded=(*(state.review or NONE).reminded, event.remind_at))


@after.register
def _(_event: re.ReviewOverdue, state: Incident) -> Incident:
    return _with(state, overdue=True)


@after.register
def _(event: re.ReviewHeld, state: Incident) -> Incident:
    return _with(state, held_on=event.on, held_by=event.by, people=event.people)


@after.register
def _(event: re.ReportWritten, state: Incident) -> Incident:
    written = tuple(dict.fromkeys((*(state.review or NONE).parts, *event.parts)))
    summary = event.parts.get("summary", (state.review or NONE).summary)
    state = _with(state, version=event.version, parts=written, summary=summary)
    return _with(state, final_at=event.at, final_by=event.by) if event.final else state


@after.register
def _(event: re.ActionAdded, state: Incident) -> Incident:
    return _acted(state, ActionState(action=event.action, added_at=event.at, added_by=event.by))


@after.register
def _(event: re.ActionDone, state: Incident) -> Incident:
    one = (state.review or NONE).actions[event.action]
    return _acted(state, actions.finished(one, event.at, event.by, event.text))


@after.register
def _(event: re.ActionReviewed, state: Incident) -> Incident:
    one = (state.review or NONE).actions[event.action]
    return _acted(state, actions.discussed(one, event.at, event.by, event.text))


@after.register
def _(event: re.ActionReminded, state: Incident) -> Incident:
    return _acted(state, replace((state.review or NONE).actions[event.action], reminded=True))


@after.register
def _(event: re.ActionLate, state: Incident) -> Incident:
    return _acted(state, replace((state.review or NONE).actions[event.action], late=True))
