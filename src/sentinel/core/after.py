"""What each event means for the state: one function a kind, registered by the module of its subject."""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch

from msgspec.structs import replace

from sentinel.core import deadlines
from sentinel.core import events as e
from sentinel.core.business import Period
from sentinel.core.state import Incident


@singledispatch
def after(event: e.Event, _state: Incident) -> Incident:
    """Return the state after an event; ``folding.evolve`` does what is common to all."""
    raise AssertionError(f"no evolution for {type(event).__name__}")


def anew(state: Incident, at: datetime) -> Incident:
    """Start the ladder anew: what that of the lower level has done does not count, its steps are others."""
    return replace(state, ladder_at=at, taken={}, heard=False, exhausted=False)


def retargeted(state: Incident, targets: tuple[deadlines.Deadline, ...] | None, at: datetime) -> deadlines.Clocks:
    """Return the clocks with new targets, if there are any; what stood still goes on standing still."""
    if targets is None:
        return state.clocks
    clocks = deadlines.set_to(state.clocks, targets, at)
    return deadlines.stopped(clocks, state.pending_since) if state.pending_since else clocks


def changed(state: Incident, at: datetime) -> tuple[datetime, ...]:
    """Remember as many changes of signals as it takes to tell flapping."""
    kept = state.plan.flap_changes
    return (*state.changes, at)[-kept:] if kept else ()


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
