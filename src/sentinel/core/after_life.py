"""What waiting, categories, targets, paths and problems mean for the state."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from sentinel.core import deadlines
from sentinel.core import events as e
from sentinel.core.after import after, anew, attributed, awaited, retargeted, watched
from sentinel.core.state import Incident


@after.register
def _(event: e.Pended, state: Incident) -> Incident:
    return replace(
        state,
        phase="pending",
        pending_since=event.at,
        waits_on=event.waits_on,
        waits_for=event.whom,
        asked=event.ask,
        remind=event.remind,
        remind_at=event.remind_at,
        clocks=deadlines.stopped(state.clocks, event.at),
    )


@after.register
def _(event: e.Reminded, state: Incident) -> Incident:
    return replace(state, remind_at=event.remind_at)


@after.register
def _(event: e.Resumed, state: Incident) -> Incident:
    clocks = deadlines.moved_to(state.clocks, event.targets, event.at)
    return replace(awaited(state, event.at), phase="in_progress", clocks=clocks)


@after.register
def _(_event: e.Published, state: Incident) -> Incident:
    return state


@after.register
def _(event: e.WorkaroundProposed, state: Incident) -> Incident:
    clocks = deadlines.ended(state.clocks, ("workaround",), event.at, state.sequence)
    return replace(state, workaround=event.text, workaround_at=event.at, clocks=clocks)


@after.register
def _(event: e.Recategorised, state: Incident) -> Incident:
    higher = event.level > state.level
    state = replace(
        retargeted(state, event.targets, event.at),
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        cause_class=event.cause_class or state.cause_class,
        attributed_to=attributed(state, event.cause_class) if event.attributed_to is None else event.attributed_to,
        overruled_level=max(state.overruled_level, event.was_level),
        overruled_priority=min(state.overruled_priority or event.was_priority, event.was_priority),
    )
    state = watched(state, event.watch, event.at)
    return anew(state, event.at) if higher else state


@after.register
def _(event: e.Cascaded, state: Incident) -> Incident:
    state = watched(replace(state, level=event.level, plan=event.plan), event.watch, event.at)
    return anew(state, event.at)


@after.register
def _(event: e.HoursChanged, state: Incident) -> Incident:
    return watched(state, event.watch, event.at)


@after.register
def _(event: e.TargetWarned, state: Incident) -> Incident:
    one = state.clocks[event.clock]
    return replace(state, clocks={**state.clocks, event.clock: replace(one, given=(*one.given, event.percent))})


@after.register
def _(event: e.TargetMissed, state: Incident) -> Incident:
    one = state.clocks[event.clock]
    return replace(state, clocks={**state.clocks, event.clock: replace(one, missed=True)})


@after.register
def _(event: e.Routed, state: Incident) -> Incident:
    return replace(state, path=event.path, path_until=event.until)


@after.register
def _(_event: e.ProblemProposed, state: Incident) -> Incident:
    return replace(state, problem="proposed")


@after.register
def _(event: e.ProblemJudged, state: Incident) -> Incident:
    judged: Literal["accepted", "declined"] = "accepted" if event.accepted else "declined"
    return replace(state, problem=judged, problem_number=event.number or state.problem_number)


@after.register
def _(event: e.Flapped, state: Incident) -> Incident:
    return replace(state, flapping=event.on)


@after.register
def _(_event: e.OutageExceeded, state: Incident) -> Incident:
    return replace(state, outage_exceeded=True)


@after.register
def _(event: e.IntegrityLost, state: Incident) -> Incident:
    return replace(state, integrity_lost_at=event.began_at)
