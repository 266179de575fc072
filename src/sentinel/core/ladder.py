"""The escalation ladder: which step is due when, given only the state. Nothing is stored but what was taken."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sentinel.core.model import LEVELS, Step
from sentinel.core.state import Incident, Sent


class Occasion(NamedTuple):
    """One time that a step is to be taken."""

    due_at: datetime
    step: int
    repeat: int


def wanted(step: Step, state: Incident) -> bool:
    """Tell whether the state still asks for this step."""
    if state.over or state.level < step.min_level:
        return False
    match step.unless:
        case "acknowledged":
            return state.phase == "open"
        case "resolved":
            return state.active
        case "never":
            return True


def still_wanted(sent: Sent, state: Incident) -> bool:
    """Tell whether a message on its way still serves: a page as its step does, an alarm until there is none."""
    match sent.kind:
        case "page" if sent.step < 0:
            return state.phase == "open"
        case "page":
            return wanted(state.plan.ladder[sent.step], state)
        case "alarm":
            return state.active
        case "notice":
            return True


def due(state: Incident, now: datetime) -> list[Occasion]:
    """Return the steps to take now. A step that came due several times meanwhile is taken once, the last time."""
    found = []
    for index, step in enumerate(state.plan.ladder):
        first = state.ladder_at + step.after
        if now < first or not wanted(step, state):
            continue
        passed = min(step.repeats, (now - first) // step.every)
        if passed >= state.taken.get(index, 0):
            found.append(Occasion(first + passed * step.every, index, passed))
    return sorted(found)


def next_at(state: Incident) -> datetime | None:
    """Return when the ladder next brings something: a step, or its end; nothing when it has no more to give."""
    coming = [state.ladder_at + step.after + taken * step.every for _, step, taken in _left(state)]
    end = None if coming else ends_at(state)  # It ends after its last step.
    return min(coming, default=end)


def untaken(state: Incident) -> Occasion | None:
    """Return the first step that was not taken yet, due or not: where to go when nobody was reached."""
    never = [Occasion(state.ladder_at + step.after, index, 0) for index, step, taken in _left(state) if not taken]
    return min(never, default=None)


def ends_at(state: Incident) -> datetime | None:
    """Return when the ladder of a critical incident has had its say, if nobody acknowledges it until then.

    That is one more wait after the last time of the last step; nothing once it was said.
    """
    if state.phase != "open" or state.level < max(LEVELS) or state.exhausted:
        return None
    ends = (
        state.ladder_at + step.after + (step.repeats + 1) * step.every
        for step in state.plan.ladder
        if wanted(step, state)
    )
    return max(ends, default=None)


def _left(state: Incident) -> list[tuple[int, Step, int]]:
    """Return the steps that are still to be taken, each with how often it was."""
    return [
        (index, step, taken)
        for index, step in enumerate(state.plan.ladder)
        if (taken := state.taken.get(index, 0)) <= step.repeats and wanted(step, state)
    ]
