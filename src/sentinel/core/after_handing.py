"""What a change of hands means for the state."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.after import after, anew, watched
from sentinel.core.state import Incident


@after.register
def _(event: e.HandedBack, state: Incident) -> Incident:
    # When it was acknowledged first stays, and so does what that did to the clock of the acknowledgement (rule SLA-6).
    opened = replace(state, phase="open", acknowledged_by="", assigned_to="")
    return anew(watched(opened, event.watch, event.at), event.at)


@after.register
def _(event: e.Assigned, state: Incident) -> Incident:
    if state.acknowledged_by:
        return replace(state, acknowledged_by=event.to)
    return replace(state, assigned_to=event.to)
