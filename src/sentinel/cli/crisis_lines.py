"""The lines that crises write in a timeline, for ``sentinel show``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sentinel.cli.output import local

Sentence = Callable[[dict[str, Any]], str]


def _by(event: dict[str, Any]) -> str:
    return str(event.get("by") or "Sentinel")


def _said(event: dict[str, Any], key: str) -> str:
    return f": {event[key]}" if event.get(key) else ""


def _opened(event: dict[str, Any]) -> str:
    how = f"by {event['by']}" if event["by"] else f"by itself ({event['trigger']})"
    return f"crisis opened {how}{_said(event, 'why')}" + (f"; call: {event['link']}" if event.get("link") else "")


SENTENCES: dict[str, Sentence] = {
    "crisis-proposed": lambda event: (
        f"crisis proposed ({event['trigger']}); unanswered, it starts at {local(event['answer_by'])}"
    ),
    "crisis-declined": lambda event: f"crisis declined by {_by(event)}: {event['why']}",
    "crisis-opened": _opened,
    "step-done": lambda event: f"step {event['step']} done by {_by(event)}{_said(event, 'text')}",
    "step-late": lambda event: f"step {event['step']} is late, it was due at {local(event['due_at'])}",
    "step-checked": lambda event: f"step {event['step']}, {event['item']}: done by {_by(event)}",
    "update-reminded": lambda event: f"the author was reminded of the message due at {local(event['due_at'])}",
    "update-sent": lambda event: f"status message {event['count']} sent by {_by(event)}{_said(event, 'text')}",
    "update-late": lambda event: f"the status message due at {local(event['due_at'])} was not sent",
    "updates-planned": lambda event: f"{_by(event)} wants status messages more often",
    "drp-decided": lambda event: f"DRP: {'yes' if event['yes'] else 'no'}, by {_by(event)}{_said(event, 'why')}",
    "drp-late": lambda event: f"nobody has decided on the DRP by {local(event['due_at'])}",
    "drp-started": lambda event: f"DRP started by {_by(event)}{_said(event, 'why')}",
    "t0-corrected": lambda event: f"T0 is now {local(event['t0'], seconds=True)}, says {_by(event)}: {event['why']}",
    "level-activated": lambda event: f"level {event['level']} of the cell activated by {_by(event)}",
    "cell-joined": lambda event: f"{event['person']} joins the cell, asked by {_by(event)}",
    "cell-left": lambda event: f"{event['person']} leaves the cell",
    "change-attached": lambda event: f"urgent change {event['change']} asked for by {_by(event)}{_said(event, 'text')}",
    "change-approved": lambda event: f"urgent change {event['change']} approved by {_by(event)}",
    "crisis-closed": lambda event: f"crisis closed by {_by(event)}{_said(event, 'text')}",
}
