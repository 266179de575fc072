"""The clocks of an incident: set from its contract, warning and missed in time, stopped and ended by what happens.

The acknowledgement clock runs from the opening to the acknowledgement, the workaround clock to the moment one is
proposed, the resolution clock to the resolution; pending stops those that the contract names (rules SLA-6, LIF-4).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from sentinel.core import audience, escalation, ladder, restoring, sla
from sentinel.core import events as e
from sentinel.core.asked_for import Asked, asked_of, by_date, contract_for
from sentinel.core.business import Period
from sentinel.core.deadlines import ClockState, Deadline, WarnAt
from sentinel.core.escalation import told
from sentinel.core.folding import evolve, fold
from sentinel.core.hearing import by_mail, listeners
from sentinel.core.model import LEVELS, Directory, Page, Priority
from sentinel.core.state import Incident

# Why the next level of the escalation is called.
AT_RISK: Final = "a target is at risk"
MISSED: Final = "a target was missed"


def deadlines(
    service: str,
    priority: Priority,
    opened_at: datetime,
    pauses: Iterable[Period],
    directory: Directory,
    *,
    asked: Asked | None = None,
) -> tuple[Deadline, ...]:
    """Return what the contract of a service promises; nothing without one (rule SLA-9).

    With ``asked`` it is a request, and has the targets of one (rule SLA-10).
    """
    contract = directory.terms.contract_of(service) if directory.terms else None
    if contract is None:
        return ()
    contract = contract_for(contract, asked) if asked else contract
    agreed = by_date(contract, asked, priority, opened_at) if asked else None
    pauses = tuple(pauses)
    found = []
    for clock in sla.CLOCKS:
        due = sla.due(contract, priority, clock, opened_at, pauses)
        if agreed is not None and clock == agreed.clock:
            found.append(agreed)
        elif due is not None:
            warns = tuple(WarnAt(percent, due.reached(percent)) for percent in contract.warn_at_percent)
            stops = clock in contract.pending_stops
            found.append(Deadline(clock=clock, priority=priority, due_at=due.at, warn_at=warns, stops=stops))
    return tuple(found)


def recomputed(state: Incident, priority: Priority, directory: Directory) -> tuple[Deadline, ...]:
    """Return the targets of another priority, from the original opening (rule CLS-13)."""
    asked = asked_of(state)
    promised = deadlines(state.service, priority, state.opened_at, state.pauses, directory, asked=asked)
    return (*promised, *(replace(one, priority=priority) for one in restoring.standing(state)))


def resumed(state: Incident, now: datetime, directory: Directory) -> tuple[Deadline, ...]:
    """Return the clocks that stand still, with their due times if they go on now.

    Without the contract that could say it in its calendar, they are later by as long as they stood still.
    """
    if state.pending_since is None:
        return ()
    pauses = (*state.pauses, Period(state.pending_since, now))
    about = (state.service, state.priority, state.opened_at)
    coming = {one.clock: one for one in deadlines(*about, pauses, directory, asked=asked_of(state))}
    waiting = [one for one in state.clocks.values() if one.stopped_at is not None and one.ended_at is None]
    return tuple(coming.get(one.deadline.clock) or _later(one.deadline, now - state.pending_since) for one in waiting)


def _later(deadline: Deadline, by: timedelta) -> Deadline:
    warns = tuple(WarnAt(warn.percent, warn.at + by) for warn in deadline.warn_at)
    return replace(deadline, due_at=deadline.due_at + by, warn_at=warns)


def next_at(state: Incident) -> datetime | None:
    """Return when a clock next has something to say."""
    return min((_next_of(one) for one in state.clocks.values() if one.running and not one.missed), default=None)


def nearest(state: Incident) -> datetime | None:
    """Return when the next target falls due, or fell due: what the queue is ordered by (rule LIF-1)."""
    return min((one.deadline.due_at for one in state.clocks.values() if one.running), default=None)


def tell_due(state: Incident, now: datetime, directory: Directory, *, climbs: bool = False) -> list[e.Event]:
    """Return the warnings and breaches that are due, each exactly once (rule SLA-7).

    When several of one clock are, as after a stop, all are written down and people are told of the last one. A target
    at risk calls the next level of the escalation if it ``climbs``, one level at a time (rule ESC-1).
    """
    first = next_at(state)
    if first is None or first > now:
        return []
    due = sorted((at, clock, what) for clock, one in state.clocks.items() for at, what in _coming(one) if at <= now)
    last = {clock: what for _, clock, what in due}
    decided: list[e.Event] = []
    for at, clock, percent in due:
        event = _event(state.clocks[clock], percent, at, now)
        if last[clock] == percent:
            pushed = _pushed(state, event, now, directory) if climbs else []
            climbs = climbs and not pushed
            spoken_to = {page.person or page for push in pushed for page in e.pages_of(push)}
            pages = _whom(state, event, directory, above=not pushed)
            event = told(event, (page for page in pages if (page.person or page) not in spoken_to))
            decided += [event, *pushed]
            state = fold(state, [event, *pushed])
        else:
            decided.append(event)
            state = evolve(state, event)
    return decided


def _pushed(state: Incident, event: Any, now: datetime, directory: Directory) -> list[e.Event]:
    """Return the next level of the escalation, if a target is at risk and there is one.

    Of the acknowledgement only its breach counts: until then the ladder's own delays say who is asked next.
    """
    missed = isinstance(event, e.TargetMissed)
    late = missed or (event.clock != "ack" and bool(state.clocks[event.clock].given))
    if not late or state.gated or ladder.following(state) is None:
        return []
    cause = escalation.Cause(MISSED if missed else AT_RISK, clock=event.clock)
    return escalation.push(evolve(state, event), cause, now, directory)


def _next_of(one: ClockState) -> datetime:
    """Return when a running clock next has something to say; its warnings stand in the order of time."""
    for warn in one.deadline.warn_at:
        if warn.percent not in one.given:
            return warn.at
    return one.deadline.due_at


def _coming(one: ClockState) -> list[tuple[datetime, float]]:
    """Return what a clock has still to say, and when: a part of its time, or all of it as 100."""
    if not one.running or one.missed:
        return []
    warns = [(warn.at, warn.percent) for warn in one.deadline.warn_at if warn.percent not in one.given]
    return [*warns, (one.deadline.due_at, float(sla.WHOLE_PERCENT))]


def _event(one: ClockState, percent: float, at: datetime, now: datetime) -> e.Event:
    clock, due_at = one.deadline.clock, one.deadline.due_at
    if percent == sla.WHOLE_PERCENT:
        return e.TargetMissed(at=now, clock=clock, due_at=due_at)
    return e.TargetWarned(at=now, clock=clock, percent=percent, reached_at=at, due_at=due_at)


def _whom(state: Incident, event: e.Event, directory: Directory, *, above: bool) -> tuple[Page, ...]:
    """Return whom a warning tells: first who has it, then the manager, and the level ``above`` that is not called.

    What is not critical goes by mail, and what is not urgent out of hours.
    """
    critical = state.level == max(LEVELS) and not state.gated
    whom = _holders(state)
    first = isinstance(event, e.TargetWarned) and not state.clocks[event.clock].given
    if not first:
        whom = (*whom, *(_above(state) if above else ()), *state.plan.manager)
    pages = audience.pages(whom, (), directory) if critical else by_mail(whom, directory)
    pages = pages or by_mail(state.plan.manager, directory)  # Who has it may be nobody that Sentinel knows.
    moment = "sla_breach" if isinstance(event, e.TargetMissed) else "sla_warning"
    return (*pages, *listeners(state, moment, directory))


def _holders(state: Incident) -> tuple[str, ...]:
    """Return who has the incident, or who was asked to take it, or the incident manager."""
    if state.acknowledged_by:
        return (state.acknowledged_by,)
    asked = [audience_ for step in sorted(state.taken) for audience_ in state.plan.ladder[step].to]
    return tuple(asked) or state.plan.manager


def _above(state: Incident) -> tuple[str, ...]:
    """Return the next level of the escalation, its last one when all were taken."""
    steps = [(number, step) for number, step in ladder.in_force(state) if step.min_level <= state.level]
    left = [step for number, step in steps if number not in state.taken]
    level = left[0] if left else steps[-1][1] if steps else None
    return level.to if level else ()
