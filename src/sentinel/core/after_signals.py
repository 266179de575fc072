"""What openings, signals, the ladder and people's first words mean for the state."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import deadlines
from sentinel.core import events as e
from sentinel.core.after import after, anew, attributed, awaited, changed, retargeted, turned, watched
from sentinel.core.crisis_state import CrisisState
from sentinel.core.model import PEOPLE
from sentinel.core.state import Incident, Standing

FAULTS_MAX = 100  # that one incident stands for
RUN_ON = frozenset({"resolve", "restore"})


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
        attributed_to=event.attributed_to,
        major=bool(event.major),
        known=event.known,
        problem_number=event.known.number if event.known else "",
        watch=event.watch,
        level_at=event.at,
        category=event.category,
        agreed_on=event.agreed_on,
    )


@after.register
def _(event: e.SignalJoined, state: Incident) -> Incident:
    standing = turned(state, event.signal, event.at, failing=True)
    faults = (event.fault,) if event.fault and event.fault != state.dedup else ()
    return replace(
        state,
        plan=event.plan or state.plan,
        also=tuple(dict.fromkeys((*state.also, *faults)))[-FAULTS_MAX:],
        signals={**state.signals, event.signal.key: standing},
        requester=state.requester or event.requester,
        changes=changed(state, event.at),
        clocks={**deadlines.set_to({}, event.starts, event.at), **state.clocks},
    )


@after.register
def _(event: e.SignalCleared, state: Incident) -> Incident:
    cleared = turned(state, state.signals[event.key].signal, event.at, failing=False)
    return replace(state, signals={**state.signals, event.key: cleared}, changes=changed(state, event.at))


@after.register
def _(event: e.Raised, state: Incident) -> Incident:
    higher = event.level > state.level
    state = replace(
        retargeted(state, event.targets, event.at),
        level=event.level,
        severity=event.severity,
        priority=event.priority,
        rule=event.rule,
        plan=event.plan,
    )
    state = watched(state, event.watch, event.at)
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
        assigned_to="",
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
            key: replace(standing, failing=standing.failing and standing.signal.source not in PEOPLE)
            for key, standing in signals.items()
        }
    return replace(
        awaited(state, event.at),
        phase="resolved",
        signals=signals,
        clocks=deadlines.ended(state.clocks, state.clocks, event.at, state.sequence),
        cause_class=event.cause_class or state.cause_class,
        attributed_to=attributed(state, event.cause_class),
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
        signals = {**signals, event.signal.key: turned(state, event.signal, event.at, failing=True)}
    return replace(
        state,
        phase="open",
        signals=signals,
        clocks=_reopened(state.clocks),
        crisis=_unrestored(state),
        changes=changed(state, event.at) if event.signal is not None else state.changes,
        ladder_at=event.at,
        level_at=event.at,
        watch=event.watch or state.watch,
        taken={},
        sent={m: sent for m, sent in state.sent.items() if sent.kind != "page"},
        reached=(),
        heard=False,
        exhausted=False,
        acknowledged_by="",
        acknowledged_at=None,
        assigned_to="",
        resolved_by="",
        resolved_at=None,
        resolution="",
        close_by=None,
        review=replace(state.review, due_at=None) if state.review else None,  # It counts from the last end.
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
    return replace(
        state,
        signals={**state.signals, **came},
        reached=reached,
        also=tuple(dict.fromkeys((*state.also, *event.faults)))[-FAULTS_MAX:],
        cause_class=state.cause_class or event.cause_class,
        attributed_to=state.attributed_to or event.attributed_to,
    )


@after.register
def _(event: e.Told, state: Incident) -> Incident:
    sent = state.sent.get(event.message)
    if sent is None:
        return state
    reached, heard = state.reached, state.heard or (sent.kind == "alarm" and not state.laddered)
    if sent.kind == "page":
        reached, heard = reached if sent.page in reached else (*reached, sent.page), True
    settled = {**state.sent, event.message: replace(sent, fate="accepted")}
    return replace(state, sent=settled, reached=reached, heard=heard)


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
    if event.state:
        state = replace(state, there={**state.there, event.backend: (event.state, event.assignee)})
    if event.backend in state.plan.mirrors:
        return replace(state, mirrored={**state.mirrored, event.backend: event.reference})
    return replace(state, ticket=event.reference, ticket_url=event.url)


def _unrestored(state: Incident) -> CrisisState | None:
    """Return its crisis without the steps that the resolution did: service is not back after all."""
    if state.crisis is None or state.plan.crisis is None:
        return state.crisis
    undone = {step.id for step in state.plan.crisis.steps if step.done_when == "resolved"}
    return replace(state.crisis, done={step: one for step, one in state.crisis.done.items() if step not in undone})


def _reopened(clocks: deadlines.Clocks) -> deadlines.Clocks:
    """Return the clocks after a resolution that did not last: only what was acknowledged or proposed stays so.

    The clocks of the resolution and of restoring data run from the opening to the last resolution: they never ended.
    """
    return {
        clock: replace(one, ended_at=None, ended_by=0, stopped_at=None) if clock in RUN_ON else one
        for clock, one in clocks.items()
    }
