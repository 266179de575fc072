"""What each event means for the state: ``evolve`` is the only way a state changes, live and in replay alike."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import singledispatch

from msgspec.structs import replace

from sentinel.core import deadlines, sending
from sentinel.core import events as e
from sentinel.core.business import Period
from sentinel.core.state import Incident, Standing

RECEIPTS = (e.Told, e.NotTold)


def evolve(state: Incident | None, event: e.Event) -> Incident:
    """Return the state after an event; the only way a state changes, live and in replay alike."""
    if isinstance(event, e.Opened):
        assert state is None, "an incident opens once"
        return sending.telling(event, _opened(event), None)
    assert state is not None, "an incident begins with its opening"
    failed = state.sent.get(event.message) if isinstance(event, e.NotTold) else None
    state = replace(state, sequence=state.sequence + 1, updated_at=event.at)
    state = _after(event, state)
    if event.tell or isinstance(event, e.Escalated):
        state = sending.telling(event, state, failed)
    if event.withdraw:
        gone = {m: replace(sent, fate="withdrawn") for m in event.withdraw if (sent := state.sent.get(m))}
        state = replace(state, sent={**state.sent, **gone})
    return sending.tidied(state, event.message) if isinstance(event, RECEIPTS) else state


def fold(state: Incident, decided: Iterable[e.Event]) -> Incident:
    """Return the state after several events."""
    for event in decided:
        state = evolve(state, event)
    return state


def _opened(event: e.Opened) -> Incident:
    return Incident(
        number=event.number,
        sequence=1,
        phase="open",
        title=event.title,
        service=event.service,
        kind=event.kind,
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        rule=event.rule,
        dedup=event.dedup,
        t0=event.t0,
        opened_at=event.at,
        updated_at=event.at,
        plan=event.plan,
        signals={event.signal.key: Standing(event.signal, failing=True)},
        ladder_at=event.at,
        cause_class=event.cause_class,
        group=event.group,
        requester=event.requester,
        clocks=deadlines.set_to({}, event.targets, event.at),
    )


@singledispatch
def _after(event: e.Event, _state: Incident) -> Incident:
    raise AssertionError(f"no evolution for {type(event).__name__}")


@_after.register
def _(event: e.SignalJoined, state: Incident) -> Incident:
    standing = Standing(event.signal, failing=True)
    return replace(
        state,
        signals={**state.signals, event.signal.key: standing},
        requester=state.requester or event.requester,
        changes=_changed(state, event.at),
    )


@_after.register
def _(event: e.SignalCleared, state: Incident) -> Incident:
    cleared = Standing(state.signals[event.key].signal, failing=False)
    return replace(state, signals={**state.signals, event.key: cleared}, changes=_changed(state, event.at))


@_after.register
def _(event: e.Raised, state: Incident) -> Incident:
    higher = event.level > state.level
    state = replace(
        state,
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        rule=event.rule,
        plan=event.plan,
        clocks=_targets(state, event.targets, event.at),
    )
    return _anew(state, event.at) if higher else state


def _anew(state: Incident, at: datetime) -> Incident:
    """What the lower level's ladder has done does not count: its steps are not those of the new one."""
    return replace(state, ladder_at=at, taken={}, heard=False, exhausted=False)


def _targets(state: Incident, targets: tuple[deadlines.Deadline, ...] | None, at: datetime) -> deadlines.Clocks:
    if targets is None:
        return state.clocks
    clocks = deadlines.set_to(state.clocks, targets, at)
    return deadlines.stopped(clocks, state.pending_since) if state.pending_since else clocks


def _changed(state: Incident, at: datetime) -> tuple[datetime, ...]:
    """Remember as many changes of signals as it takes to tell flapping."""
    kept = state.plan.flap_changes
    return (*state.changes, at)[-kept:] if kept else ()


@_after.register
def _(event: e.Escalated, state: Incident) -> Incident:
    return replace(state, taken={**state.taken, event.step: event.repeat + 1})


@_after.register
def _(event: e.Acknowledged, state: Incident) -> Incident:
    return replace(
        state,
        phase="acknowledged",
        acknowledged_by=event.by,
        acknowledged_at=state.acknowledged_at or event.at,
        clocks=deadlines.ended(state.clocks, ("ack",), event.at, state.sequence),
    )


@_after.register
def _(_event: e.Noted, state: Incident) -> Incident:
    return state


@_after.register
def _(event: e.Held, state: Incident) -> Incident:
    return replace(state, held_by=event.by if event.on else "")


@_after.register
def _(event: e.Resolved, state: Incident) -> Incident:
    signals = state.signals
    if not event.automatic:  # Nothing else ever says that what a person reported is over.
        signals = {
            key: replace(standing, failing=standing.failing and standing.signal.source != "person")
            for key, standing in signals.items()
        }
    return replace(
        _awaited(state, event.at),
        phase="resolved",
        signals=signals,
        clocks=deadlines.ended(state.clocks, state.clocks, event.at, state.sequence),
        cause_class=event.cause_class or state.cause_class,
        instructions=event.instructions or state.instructions,
        flapping=False,
        resolved_by=event.by,
        resolved_at=event.at,
        resolution=event.text,
        close_by=event.close_by,
        held_by="",
    )


@_after.register
def _(event: e.Reopened, state: Incident) -> Incident:
    signals = state.signals
    if event.signal is not None:
        signals = {**signals, event.signal.key: Standing(event.signal, failing=True)}
    return replace(
        state,
        phase="open",
        signals=signals,
        clocks=_reopened(state.clocks),
        changes=_changed(state, event.at) if event.signal is not None else state.changes,
        ladder_at=event.at,
        taken={},
        sent={m: sent for m, sent in state.sent.items() if sent.kind != "page"},
        reached=(),
        heard=False,
        exhausted=False,
        acknowledged_by="",
        acknowledged_at=None,
        resolved_by="",
        resolved_at=None,
        resolution="",
        close_by=None,
    )


@_after.register
def _(event: e.Closed, state: Incident) -> Incident:
    return replace(state, phase="closed", closed_at=event.at, close_by=None)


@_after.register
def _(event: e.Merged, state: Incident) -> Incident:
    state = _awaited(state, event.at)
    return replace(state, phase="merged", merged_into=event.into, closed_at=event.at, close_by=None)


@_after.register
def _(event: e.Absorbed, state: Incident) -> Incident:
    came = {signal.key: Standing(signal, failing=True) for signal in event.signals}
    reached = tuple(dict.fromkeys((*state.reached, *event.reached)))
    return replace(state, signals={**state.signals, **came}, reached=reached)


@_after.register
def _(event: e.Told, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    state = replace(state, sent={**state.sent, event.message: replace(sent, fate="accepted")})
    if sent.kind == "page":
        reached = state.reached if sent.page in state.reached else (*state.reached, sent.page)
        return replace(state, reached=reached, heard=True)
    return replace(state, heard=state.heard or (sent.kind == "alarm" and not state.laddered))


@_after.register
def _(event: e.NotTold, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    failed = replace(sent, fate="dead" if event.final else "failing")
    return replace(state, sent={**state.sent, event.message: failed})


@_after.register
def _(_event: e.Exhausted, state: Incident) -> Incident:
    return replace(state, exhausted=True)


@_after.register
def _(event: e.TicketLinked, state: Incident) -> Incident:
    return replace(state, ticket=event.reference, ticket_url=event.url)


def _reopened(clocks: deadlines.Clocks) -> deadlines.Clocks:
    """Return the clocks after a resolution that did not last: only what was acknowledged or proposed stays so.

    The resolution clock runs from the opening to the last resolution, and so has never ended.
    """
    return {
        clock: replace(one, ended_at=None, ended_by=0, stopped_at=None) if clock == "resolve" else one
        for clock, one in clocks.items()
    }


def _awaited(state: Incident, at: datetime) -> Incident:
    """Return the state without anything that is waited for: a pause that was under way ends."""
    if state.pending_since is None:
        return state
    return replace(
        state,
        pauses=(*state.pauses, Period(state.pending_since, at)),
        pending_since=None,
        waits_on=None,
        waits_for="",
        asked="",
        remind=(),
        remind_at=None,
    )


@_after.register
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


@_after.register
def _(event: e.Reminded, state: Incident) -> Incident:
    return replace(state, remind_at=event.remind_at)


@_after.register
def _(event: e.Resumed, state: Incident) -> Incident:
    clocks = deadlines.moved_to(state.clocks, event.targets, event.at)
    return replace(_awaited(state, event.at), phase="in_progress", clocks=clocks)


@_after.register
def _(event: e.WorkaroundProposed, state: Incident) -> Incident:
    clocks = deadlines.ended(state.clocks, ("workaround",), event.at, state.sequence)
    return replace(state, workaround=event.text, clocks=clocks)


@_after.register
def _(event: e.Recategorised, state: Incident) -> Incident:
    higher = event.level > state.level
    state = replace(
        state,
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        cause_class=event.cause_class or state.cause_class,
        overruled_level=max(state.overruled_level, event.was_level),
        overruled_priority=min(state.overruled_priority or event.was_priority, event.was_priority),
        clocks=_targets(state, event.targets, event.at),
    )
    return _anew(state, event.at) if higher else state


@_after.register
def _(event: e.Cascaded, state: Incident) -> Incident:
    return _anew(replace(state, level=event.level, plan=event.plan), event.at)


@_after.register
def _(event: e.TargetWarned, state: Incident) -> Incident:
    one = state.clocks[event.clock]
    return replace(state, clocks={**state.clocks, event.clock: replace(one, given=(*one.given, event.percent))})


@_after.register
def _(event: e.TargetMissed, state: Incident) -> Incident:
    one = state.clocks[event.clock]
    return replace(state, clocks={**state.clocks, event.clock: replace(one, missed=True)})


@_after.register
def _(event: e.Routed, state: Incident) -> Incident:
    return replace(state, path=event.path, path_until=event.until)


@_after.register
def _(_event: e.ProblemProposed, state: Incident) -> Incident:
    return replace(state, problem="proposed")


@_after.register
def _(event: e.ProblemJudged, state: Incident) -> Incident:
    return replace(state, problem="accepted" if event.accepted else "declined")


@_after.register
def _(event: e.Flapped, state: Incident) -> Incident:
    return replace(state, flapping=event.on)


@_after.register
def _(_event: e.OutageExceeded, state: Incident) -> Incident:
    return replace(state, outage_exceeded=True)
