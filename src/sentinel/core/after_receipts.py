"""What the events mean for the state that tell of messages which did not arrive after all."""

from __future__ import annotations

from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.after import after
from sentinel.core.state import Incident, Sent


def lost(event: e.Bounced) -> Sent:
    """Return the message as it is now: dead."""
    return Sent(
        event.person, event.channel, event.kind, event.occasion, step=event.step, fate="dead", forced=event.forced
    )


@after.register
def _(event: e.Bounced, state: Incident) -> Incident:
    gone = lost(event)
    reached, heard = state.reached, state.heard
    if gone.kind == "page":
        reached = tuple(page for page in reached if page != gone.page)
        heard = heard and bool(reached)
    return replace(state, sent={**state.sent, event.message: gone}, reached=reached, heard=heard)
