"""The escalation ladder: which step is due when, given only the state. Nothing is stored but what was taken."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sentinel.core.model import LEVELS, Plan, Step
from sentinel.core.state import Incident, Sent


class Occasion(NamedTuple):
    """One time that a step is to be taken."""

    due_at: datetime
    step: int
    repeat: int


def in_force(state: Incident) -> list[tuple[int, Step]]:
    """Return the steps of the ladder that is in force, with their numbers: all, while nobody has looked at hours."""
    steps = list(enumerate(state.plan.ladder))
    if state.watch is None:
        return steps
    name = state.watch.ladder
    return [numbered for numbered in steps if numbered[1].ladder == name]


def _open(state: Incident) -> list[tuple[int, Step]]:
    """Return the steps of the ladder in force, none before the opening that it waits for (rule ESC-2)."""
    return [] if state.gated else in_force(state)


def wanted(step: Step, state: Incident) -> bool:
    """Tell whether the state still asks for this step, and hours do (rules ESC-2 and ESC-3)."""
    watch = state.watch
    if watch is not None and (watch.gated or step.ladder != watch.ladder):
        return False
    return asked(step, state)


def asked(step: Step, state: Incident) -> bool:
    """Tell whether the state would ask for this step, were its ladder in force."""
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
        case "page" if sent.forced:
            return state.active
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
    for index, step in _open(state):
        first = state.ladder_at + step.after
        if now < first or not asked(step, state):
            continue
        passed = min(step.repeats, (now - first) // step.every)
        if passed >= state.taken.get(index, 0):
            found.append(Occasion(first + passed * step.every, index, passed))
    return sorted(found)


def next_at(state: Incident) -> datetime | None:
    """Return when the ladder next brings something: a step, or its end; nothing when it has no more to give."""
    if state.over or state.gated:
        return None
    # Asked after every command: one pass, and nothing built on the way.
    watch, first = state.watch, None
    for number, step in enumerate(state.plan.ladder):
        taken = state.taken.get(number, 0)
        if taken > step.repeats or (watch is not None and step.ladder != watch.ladder) or not asked(step, state):
            continue
        at = state.ladder_at + step.after
        if taken:
            at += taken * step.every
        if first is None or at < first:
            first = at
    return first if first is not None else ends_at(state)  # It ends after its last step.


def untaken(state: Incident) -> Occasion | None:
    """Return the first step that was not taken yet, due or not: where to go when nobody was reached."""
    never = [Occasion(state.ladder_at + step.after, index, 0) for index, step, taken in _left(state) if not taken]
    return min(never, default=None)


def following(state: Incident) -> Occasion | None:
    """Return the step above the last one taken of the ladder in force, whatever keeps it from being due.

    One that was passed over, because somebody had the incident then, is below those who were called since (ESC-1).
    """
    steps = [(state.ladder_at + step.after, number, step) for number, step in in_force(state)]
    last = max(((at, number) for at, number, _ in steps if number in state.taken), default=None)
    above = [
        Occasion(at, number, 0)
        for at, number, step in steps
        if step.min_level <= state.level and (last is None or (at, number) > last)
    ]
    return min(above, default=None)


def rung(plan: Plan, number: int) -> int:
    """Return the number of a step in its own ladder."""
    name = plan.ladder[number].ladder
    return sum(step.ladder == name for step in plan.ladder[:number])


def ends_at(state: Incident) -> datetime | None:
    """Return when the ladder of a critical incident has had its say, if nobody acknowledges it until then.

    That is one more wait after the last time of the last step; nothing once it was said.
    """
    if state.phase != "open" or state.level < max(LEVELS) or state.exhausted:
        return None
    ends = (
        state.ladder_at + step.after + (step.repeats + 1) * step.every for _, step in _open(state) if asked(step, state)
    )
    return max(ends, default=None)


def _left(state: Incident) -> list[tuple[int, Step, int]]:
    """Return the steps that are still to be taken, each with how often it was."""
    return [
        (index, step, taken)
        for index, step in _open(state)
        if (taken := state.taken.get(index, 0)) <= step.repeats and asked(step, state)
    ]
