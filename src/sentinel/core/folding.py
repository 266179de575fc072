"""What each event means for the state: ``evolve`` is the only way a state changes, live and in replay alike."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sentinel.core import (
    after_causes,
    after_crisis,
    after_handing,
    after_life,
    after_receipts,
    after_requests,
    after_review,
    deeds,
    sending,
    waking,
)
from sentinel.core import events as e
from sentinel.core.after import after
from sentinel.core.after_signals import opened
from sentinel.core.state import Incident

# Each of these says what the events of its subject mean; without it they would mean nothing.
SUBJECTS = (after_life, after_receipts, after_crisis, after_requests, after_review, after_causes, after_handing)
RECEIPTS = (e.Told, e.NotTold, e.Bounced)
MEANING = after.registry  # by the very kind: events have no kinds below them, and asking for those takes time


def evolve(state: Incident | None, event: e.Event) -> Incident:
    """Return the state after an event; the only way a state changes, live and in replay alike."""
    if isinstance(event, e.Opened):
        assert state is None, "an incident opens once"
        return sending.telling(event, opened(event), None)
    assert state is not None, "an incident begins with its opening"
    failed = state.sent.get(event.message) if isinstance(event, e.NotTold) else None
    if isinstance(event, e.Bounced):
        failed = after_receipts.lost(event)
    before, state = state, replace(state, sequence=state.sequence + 1, updated_at=event.at)
    state = deeds.kept(event, MEANING[type(event)](event, state))
    if event.tell or isinstance(event, e.Escalated):
        state = sending.telling(event, state, failed)
    if event.withdraw:
        gone = {m: replace(sent, fate="withdrawn") for m in event.withdraw if (sent := state.sent.get(m))}
        state = replace(state, sent={**state.sent, **gone})
    if isinstance(event, e.SignalJoined):
        waking.carry(before, state, event)
    return sending.tidied(state, event.message) if isinstance(event, RECEIPTS) else state


def fold(state: Incident, decided: Iterable[e.Event]) -> Incident:
    """Return the state after several events."""
    for event in decided:
        state = evolve(state, event)
    return state
