"""What each event means for the state: one function a kind, registered by the module of its subject."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import Literal

from msgspec.structs import replace

from sentinel.core import deadlines
from sentinel.core import events as e
from sentinel.core.business import Period
from sentinel.core.model import CauseClass, Signal, Watch
from sentinel.core.state import Incident, Standing


@singledispatch
def after(event: e.Event, _state: Incident) -> Incident:
    """Return the state after an event; ``folding.evolve`` does what is common to all."""
    raise AssertionError(f"no evolution for {type(event).__name__}")


def anew(state: Incident, at: datetime) -> Incident:
    """Start the ladder anew: what that of the lower level has done does not count, its steps are others."""
    return replace(state, ladder_at=at, level_at=at, taken={}, heard=False, exhausted=False)


def watched(state: Incident, watch: Watch | None, at: datetime) -> Incident:
    """Return the state under other hours, if there are any: a ladder that they bring into force starts anew.

    Who listens has heard of it all the same, and how long nobody has taken it counts on.
    """
    if watch is None:
        return state
    before, state = state.watch or Watch(), replace(state, watch=watch)
    if watch.gated or (watch.ladder == before.ladder and not before.gated):
        return state
    started = anew(state, at)
    return replace(started, level_at=state.level_at, heard=state.heard and not state.laddered)


def retargeted(state: Incident, targets: tuple[deadlines.Deadline, ...] | None, at: datetime) -> Incident:
    """Return the state with new targets, if there are any; what stood still goes on standing still.

    A clock that the last priority did not have ended when it would have: at the acknowledgement, or the workaround.
    """
    if targets is None:
        return state
    known = {**state.lapsed, **state.clocks}
    clocks = deadlines.set_to(known, targets, at)
    for clock, ended_at in (("ack", state.acknowledged_at), ("workaround", state.workaround_at)):
        if clock not in state.clocks and ended_at is not None:
            clocks = deadlines.ended(clocks, (clock,), ended_at, state.sequence)
    if state.pending_since:
        clocks = deadlines.stopped(clocks, state.pending_since)
    lapsed = {clock: one for clock, one in known.items() if clock not in clocks}
    return replace(state, clocks=clocks, lapsed=lapsed)


def changed(state: Incident, at: datetime) -> tuple[datetime, ...]:
    """Remember as many changes of signals as it takes to tell flapping."""
    kept = state.plan.flap_changes
    return (*state.changes, at)[-kept:] if kept else ()


def turned(state: Incident, signal: Signal, at: datetime, *, failing: bool) -> Standing:
    """Return how a signal stands that fails now, or does no more, with as many of its changes as flapping asks for."""
    before, kept = state.signals.get(signal.key), state.plan.flap_changes
    changes = (*(before.changes if before else ()), at)[-kept:] if kept else ()
    return Standing(signal, failing=failing, changes=changes)


def attributed(state: Incident, cause: CauseClass | None) -> Literal["customer", ""]:
    """Return whose doing it is once somebody has said what the cause is: an intrinsic one is the provider's."""
    return "" if cause == "intrinsic" else state.attributed_to


def awaited(state: Incident, at: datetime) -> Incident:
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
