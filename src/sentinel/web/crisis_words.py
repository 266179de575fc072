"""The lines that crises write in a timeline: which sentence, and what fills its blanks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sentinel.core import crisis_events as ce
from sentinel.core.events import Event
from sentinel.messages.catalogue import Voice
from sentinel.messages.status import item_name, step_name


def line(event: Event, values: dict[str, Any], voice: Voice, moment: Callable[[datetime], str]) -> str:
    """Return the key of the sentence, and put names and moments among the values in the reader's words."""
    key = str(type(event).__struct_config__.tag)
    match event:
        case ce.StepDone() | ce.StepLate():
            values["title"] = step_name(voice, event.step, event.title)
        case ce.StepChecked():
            values["item"] = item_name(voice, event.item)
        case ce.CrisisProposed() | ce.CrisisOpened():
            values["trigger"] = voice.named("triggers", event.trigger) or event.trigger
        case ce.DrpDecided(yes=False):
            return f"{key}_no"
        case ce.T0Corrected():
            values["t0"] = moment(event.t0)
        case ce.UpdatesPlanned():
            values["every"] = voice.duration(event.every)
    for name in ("due_at", "answer_by"):
        if name in values:
            values[name] = moment(values[name])
    return f"{key}_automatic" if values.get("by") == "" else key
