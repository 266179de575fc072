"""What the events of requests mean for the state."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import deadlines
from sentinel.core.after import after, awaited, retargeted
from sentinel.core.request_events import Declined, Scheduled
from sentinel.core.state import Incident


@after.register
def _(event: Scheduled, state: Incident) -> Incident:
    return replace(retargeted(state, event.targets, event.at), agreed_on=event.on, planned=True)


@after.register
def _(event: Declined, state: Incident) -> Incident:
    return replace(
        awaited(state, event.at),
        phase="closed",
        refused=event.why,
        clocks=deadlines.ended(state.clocks, state.clocks, event.at, state.sequence),
        closed_at=event.at,
        close_by=None,
    )
