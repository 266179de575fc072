"""The time line of a critical incident from T0, and of its crisis: what is due, done and late (rule MAJ-5).

Every due time counts from T0, so that correcting T0 moves it; a step is done once, and late once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec.structs import replace

from sentinel.core import audience, cell
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.crisis_plan import CrisisStep
from sentinel.core.crisis_state import NONE, Remaining, Ticked
from sentinel.core.folding import evolve
from sentinel.core.model import Directory, Page
from sentinel.core.state import Incident


def critical(state: Incident) -> bool:
    """Tell whether it is under way at a priority that has a time line: a P1, usually."""
    plan = state.plan.crisis
    return plan is not None and state.active and state.kind == "incident" and state.priority in plan.priorities


# What is due before the incident is even open, as its ticket may be, is not called late within the first minute.
ALLOWANCE = timedelta(minutes=1)


def applies(state: Incident, step: CrisisStep) -> bool:
    """Tell whether a step is this incident's: the first are every P1's, those that need a crisis wait for one."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    if plan is None:
        return False
    if not crisis.open:
        return not step.needs and critical(state)
    if step.needs == "dr_plan":
        started = crisis.drp_started_at
        return started is not None and started <= state.t0 + plan.drp_by
    return True


def due_at(state: Incident, step: CrisisStep) -> datetime:
    """Return when a step is due. The closing message is so long after the return to normal, when that is earlier.

    A return to normal after the planned end has as long again.
    """
    planned = state.t0 + step.at
    if state.plan.crisis is None or step != state.plan.crisis.closing or state.resolved_at is None:
        return planned
    back = state.resolved_at + state.plan.crisis.close_within
    return back if back < planned or state.resolved_at >= planned else planned


def ticked(state: Incident, step: CrisisStep) -> Ticked | None:
    """Return when a step was done, and by whom; that it was detected is what opened the incident."""
    found = (state.crisis or NONE).done.get(step.id)
    return Ticked(state.t0 + step.at) if found is None and step.done_when == "opened" else found


def closes_by_itself(state: Incident) -> bool:
    """Tell whether the system may end the crisis: the provider's own, service being back (rule MAJ-10)."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    if plan is None or not crisis.open or state.phase != "resolved":
        return False
    return plan.updates.automatic and crisis.side == "provider"


def next_at(state: Incident) -> datetime | None:
    """Return when the time line next brings something."""
    return min((_moment(state, step) for step in _coming(state)), default=None)


def remaining(state: Incident) -> tuple[Remaining, ...]:
    """Return what is left to do: lines of checklists whose step has come, then the steps ahead in their order."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    if plan is None:
        return ()
    steps = [step for step in plan.steps if applies(state, step)]
    items = [
        Remaining(step.id, step.title, None, item)
        for step in steps
        if ticked(state, step) or step.id in crisis.late
        for item in step.checklist
        if item not in crisis.checked.get(step.id, ())
    ]
    ahead = [Remaining(step.id, step.title, due_at(state, step)) for step in steps if not ticked(state, step)]
    return (*items, *sorted(ahead, key=lambda one: one.due_at or state.t0))


def tick_facts(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Tick the steps that what has happened has done."""
    plan = state.plan.crisis
    if plan is None:
        return []
    return [
        ce.StepDone(at=now, step=step.id, title=step.title, due_at=due_at(state, step))
        for step in plan.steps
        if applies(state, step) and not ticked(state, step) and _holds(state, step, directory)
    ]


def fall_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Do the steps that are due by telling people, and say which of the others are late.

    When several are due at once, as after a stop, everybody hears of the last one that concerns them only.
    """
    first = next_at(state)
    if first is None or first > now:
        return []
    due = [(_moment(state, step), step) for step in _coming(state)]
    decided: list[e.Event] = []
    for moment, step in sorted(due, key=lambda entry: entry[0]):
        if moment <= now and not (state.plan.crisis and step == state.plan.crisis.closing and closes_by_itself(state)):
            decided.append(_event(state, step, now, directory))
            state = evolve(state, decided[-1])
    return _told_once(state, _last_only(decided))


def tell_late(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Say which steps are late by now, and nothing else: before an act that would hide it."""
    late = [
        step
        for step in _coming(state)
        if _moment(state, step) <= now and not step.automatic and not closes_by_itself(state)
    ]
    said = [_event(state, step, now, directory) for step in sorted(late, key=lambda step: due_at(state, step))]
    return _told_once(state, said)


def overdue_s(state: Incident, now: datetime) -> float:
    """Return for how many seconds the most overdue step has been due; 0 when all is on time."""
    plan = state.plan.crisis
    waiting = [step for step in plan.steps if applies(state, step) and not ticked(state, step)] if plan else []
    return max((max(0.0, (now - due_at(state, step)).total_seconds()) for step in waiting), default=0.0)


def _coming(state: Incident) -> Iterator[CrisisStep]:
    """Yield the steps to which time will still bring something."""
    plan, crisis = state.plan.crisis, state.crisis or NONE
    for step in plan.steps if plan else ():
        if not applies(state, step) or ticked(state, step):
            continue
        if step.id not in crisis.late or (step == (plan and plan.closing) and closes_by_itself(state)):
            yield step


def _moment(state: Incident, step: CrisisStep) -> datetime:
    """Return when time brings something to a step: what is done by telling people when it is due, else being late."""
    due = due_at(state, step)
    return due if step.automatic else max(due, state.opened_at + ALLOWANCE)


def _event(state: Incident, step: CrisisStep, now: datetime, directory: Directory) -> e.Event:
    due = due_at(state, step)
    pages = announced(state, step, directory) if step.automatic else ()
    if pages or _holds(state, step, directory):
        return ce.StepDone(at=now, step=step.id, title=step.title, due_at=due, announce=step.announce, tell=pages)
    # Nobody did it, or there was nobody to tell: either way somebody must know.
    return ce.StepLate(
        at=now, step=step.id, title=step.title, due_at=due, tell=cell.alert(cell.leaders(state), directory)
    )


def announced(state: Incident, step: CrisisStep, directory: Directory) -> tuple[Page, ...]:
    """Return whom a step tells when it is done: who is to act by their own choice, who is informed by mail."""
    whom = step.to or _usual(state, step)
    pages = (*cell.alert(step.notify, directory), *(cell.mail(whom, directory) if step.announce else ()))
    return tuple(dict.fromkeys(pages))


def _usual(state: Incident, step: CrisisStep) -> tuple[str, ...]:
    """Return whom a message goes to when its step names nobody."""
    if step.announce in {"p1-opened", "crisis-request"}:
        return state.plan.operations
    return (*cell.members(state), *state.plan.operations)


def _last_only(decided: list[e.Event]) -> list[e.Event]:
    """Take out of each message who is told by a later one."""
    told: set[Page] = set()
    kept: list[e.Event] = []
    for event in reversed(decided):
        kept.append(replace(event, tell=tuple(page for page in event.tell if page not in told)))
        told.update(event.tell if isinstance(event, ce.StepDone) else ())
    return kept[::-1]


def _told_once(state: Incident, decided: list[e.Event]) -> list[e.Event]:
    """Let only the last of the steps tell that they are late that were due before anybody could act.

    An outage may have begun days before somebody reported it, or be said to: the leaders hear of that once.
    """
    past = [event for event in decided if isinstance(event, ce.StepLate) and event.due_at <= state.opened_at]
    return [replace(event, tell=()) if event in past[:-1] else event for event in decided]


def _holds(state: Incident, step: CrisisStep, directory: Directory) -> bool:
    """Tell whether what a step waits for is the case."""
    crisis = state.crisis or NONE
    match step.done_when:
        case "ticket_opened":
            return bool(state.ticket) or not state.plan.ticket
        case "acknowledged":
            return bool(state.acknowledged_by)
        case "manager_told":
            return _reached(state, state.plan.manager, directory)
        case "workaround_proposed":
            return bool(state.workaround)
        case "resolved":
            return state.phase == "resolved"
        case "drp_decided":
            return bool(crisis.drp)
        case "crisis_opened":
            return crisis.open
        case _:
            return False


def _reached(state: Incident, whom: Iterable[str], directory: Directory) -> bool:
    wanted = {person.id for person in audience.people(whom, directory)}
    return any(page.person in wanted for page in state.reached)
