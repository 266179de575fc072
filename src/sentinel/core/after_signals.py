"""What openings, signals, the ladder and people's first words mean for the state."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import deadlines
from sentinel.core import events as e
from sentinel.core.after import after, anew, awaited, changed, retargeted
from sentinel.core.state import Incident, Standing


def opened(event: e.Opened) -> Incident:
    """Return the state with which an incident begins."""
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


@after.register
def _(event: e.SignalJoined, state: Incident) -> Incident:
    standing = Standing(event.signal, failing=True)
    return replace(
        state,
        signals={**state.signals, event.signal.key: standing},
        requester=state.requester or event.requester,
        changes=changed(state, event.at),
    )


@after.register
def _(event: e.SignalCleared, state: Incident) -> Incident:
    cleared = Standing(state.signals[event.key].signal, failing=False)
    return replace(state, signals={**state.signals, event.key: cleared}, changes=changed(state, event.at))


@after.register
def _(event: e.Raised, state: Incident) -> Incident:
    higher = event.level > state.level
    state = replace(
        state,
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        rule=event.rule,
        plan=event.plan,
        clocks=retargeted(state, event.targets, event.at),
    )
    return anew(state, event.at) if higher else state


@after.register
def _(event: e.Escalated, state: Incident) -> Incident:
    return replace(state, taken={**state.taken, event.step: event.repeat + 1})


@after.register
def _(event: e.Acknowledged, state: Incident) -> Incident:
    return replace(
        state,
        phase="acknowledged",
        acknowledged_by=event.by,
        acknowledged_at=state.acknowledged_at or event.at,
        clocks=deadlines.ended(state.clocks, ("ack",), event.at, state.sequence),
    )


@after.register
def _(_event: e.Noted, state: Incident) -> Incident:
    return state


@after.register
def _(event: e.Held, state: Incident) -> Incident:
    return replace(state, held_by=event.by if event.on else "")


@after.register
def _(event: e.Resolved, state: Incident) -> Incident:
    signals = state.signals
    if not event.automatic:  # Nothing else ever says that what a person reported is over.
        signals = {
            key: replace(standing, failing=standing.failing and standing.signal.source != "person")
            for key, standing in signals.items()
        }
    return replace(
        awaited(state, event.at),
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


@after.register
def _(event: e.Reopened, state: Incident) -> Incident:
    signals = state.signals
    if event.signal is not None:
        signals = {**signals, event.signal.key: Standing(event.signal, failing=True)}
    return replace(
        state,
        phase="open",
        signals=signals,
        clocks=_reopened(state.clocks),
        changes=changed(state, event.at) if event.signal is not None else state.changes,
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


@after.register
def _(event: e.Closed, state: Incident) -> Incident:
    return replace(state, phase="closed", closed_at=event.at, close_by=None)


@after.register
def _(event: e.Merged, state: Incident) -> Incident:
    state = awaited(state, event.at)
    return replace(state, phase="merged", merged_into=event.into, closed_at=event.at, close_by=None)


@after.register
def _(event: e.Absorbed, state: Incident) -> Incident:
    came = {signal.key: Standing(signal, failing=True) for signal in event.signals}
    reached = tuple(dict.fromkeys((*state.reached, *event.reached)))
    return replace(state, signals={**state.signals, **came}, reached=reached)


@after.register
def _(event: e.Told, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    state = replace(state, sent={**state.sent, event.message: replace(sent, fate="accepted")})
    if sent.kind == "page":
        reached = state.reached if sent.page in state.reached else (*state.reached, sent.page)
        return replace(state, reached=reached, heard=True)
    return replace(state, heard=state.heard or (sent.kind == "alarm" and not state.laddered))


@after.register
def _(event: e.NotTold, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    failed = replace(sent, fate="dead" if event.final else "failing")
    return replace(state, sent={**state.sent, event.message: failed})


@after.register
def _(_event: e.Exhausted, state: Incident) -> Incident:
    return replace(state, exhausted=True)


@after.register
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
