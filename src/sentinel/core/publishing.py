"""What somebody writes to customers of an incident, without a crisis plan: status pages show it (rule MAJ-6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Directory, Refused
from sentinel.core.public import STANDING_OF
from sentinel.core.state import Incident

TEXT_MAX_CHARS: Final = 4_000
NEXT_MAX: Final = timedelta(days=7)


def refusal(state: Incident) -> str:
    """Return why nothing can be written to customers of an incident, or nothing."""
    if state.kind != "incident":
        return "A request is the business of who asked for it: nothing is published of one."
    if state.phase == "merged":
        return f"{state.number} is merged into {state.merged_into}: write there."
    if not state.service:
        return f"{state.number} is of no service, so that no status page shows it."
    if state.severity not in STANDING_OF:
        return f"{state.number} is minor, and status pages do not show it: recategorise it first."
    return ""


def publish(state: Incident, command: c.Publish, now: datetime, _directory: Directory) -> list[e.Event]:
    """Write to customers. Nobody of ours is told: the timeline has it, and subscribers are told by the page."""
    if why := refusal(state):
        raise Refused(why)
    written = command.fr.strip(), command.en.strip()
    if not any(written):
        raise Refused("A message needs a text, in French or English.")
    if max(map(len, written)) > TEXT_MAX_CHARS:
        raise Refused(f"A message has at most {TEXT_MAX_CHARS} characters.")
    if command.next_at is not None and not now < command.next_at <= now + NEXT_MAX:
        raise Refused(f"The next message comes in the future, within {NEXT_MAX.days} days.")
    return [e.Published(at=now, by=command.by, fr=written[0], en=written[1], next_at=command.next_at)]


DECISIONS: dict[type[c.Command], Any] = {c.Publish: publish}
