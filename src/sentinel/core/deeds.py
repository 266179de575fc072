"""What was done since the last status message: remembered as it happens, so that the next can be drafted (MAJ-6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.crisis_state import NONE, Deed
from sentinel.core.state import Incident

DEEDS_MAX: Final = 20  # What a reader of one message can bear; the timeline has them all.
TEXT_MAX_CHARS: Final = 300

# What is worth telling a customer, and in which words of whoever did it.
TOLD: Final[dict[type[e.Happened], Callable[[Any], str]]] = {
    e.Acknowledged: lambda _event: "",
    e.HandedBack: lambda event: event.why,
    e.Noted: lambda event: event.text,
    e.Pended: lambda event: event.ask,
    e.Resumed: lambda event: event.text,
    e.WorkaroundProposed: lambda event: event.text,
    e.Resolved: lambda event: "" if event.automatic else event.text,
    e.Reopened: lambda event: event.why,
    ce.CrisisOpened: lambda event: event.why,
    ce.StepChecked: lambda event: event.item,
    ce.DrpDecided: lambda event: event.why,
    ce.DrpStarted: lambda event: event.why,
    ce.ChangeAttached: lambda event: f"{event.change} {event.text}".strip(),
    ce.ChangeApproved: lambda event: event.change,
}


def kept(event: e.Event, state: Incident) -> Incident:
    """Remember an event that the next status message tells of; the last ones only, in their first words."""
    plan, words = state.plan.crisis, TOLD.get(type(event))
    if plan is None or words is None or (state.crisis is None and state.priority not in plan.priorities):
        return state
    crisis = state.crisis or NONE
    what = str(type(event).__struct_config__.tag)
    if isinstance(event, ce.DrpDecided):
        what = "drp-yes" if event.yes else "drp-no"
    deed = Deed(event.at, what, getattr(event, "by", ""), words(event)[:TEXT_MAX_CHARS], getattr(event, "whom", ""))
    return replace(state, crisis=replace(crisis, deeds=(*crisis.deeds, deed)[-DEEDS_MAX:]))
