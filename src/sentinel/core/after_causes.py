"""What the link to a change means for the state."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core.after import after
from sentinel.core.cause_events import ChangeLinked
from sentinel.core.state import Incident


@after.register
def _(event: ChangeLinked, state: Incident) -> Incident:
    judged = state.cause_judged or bool(event.by)
    return replace(state, caused_by=event.change, cause_tolerated=event.tolerated, cause_judged=judged)
