"""Changing hands: an acknowledgement taken back, an incident given to somebody.

Only who takes an incident stops its ladder: one that is merely given to somebody climbs on until that person, or
another one, acknowledges it. Of one that was taken the next holder is who it is given to, and nothing starts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sentinel.core import audience, escalation, waiting, watching
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.folding import fold
from sentinel.core.hearing import by_mail, listening, quietly
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident


class HandBack(c.Command, frozen=True, kw_only=True):
    """Somebody takes the acknowledgement back, theirs or another's: nobody has the incident, and all is called anew."""

    by: str
    why: str = ""


class Assign(c.Command, frozen=True, kw_only=True):
    """Somebody gives the incident to a person, by their id."""

    by: str
    to: str
    why: str = ""
    via: str = "api"


def hand_back(state: Incident, command: HandBack, now: datetime, directory: Directory) -> list[e.Event]:
    """Take the acknowledgement back: the ladder in force starts at its first step, and what waited goes on.

    The clock of the acknowledgement keeps its end: it runs to the first one (rule SLA-6).
    """
    if not state.acknowledged_by:
        raise Refused(f"{state.number} is not acknowledged.")
    gone: Sequence[e.Event] = ()
    if state.phase == "pending":
        gone = waiting.resume(state, c.Resume(by=command.by), now, directory)
        state = fold(state, gone)
    holder = state.acknowledged_by
    back = e.HandedBack(
        at=now, by=command.by, whose=holder, why=command.why.strip(), watch=watching.renewed(state, now, directory)
    )
    # Who heard that it has a name must hear that it has none any more.
    heard = (*quietly(state, directory), *listening(state, "acknowledged", directory), *by_mail((holder,), directory))
    event = told(back, heard, command.by)
    return [*gone, event, *escalation.begin(fold(state, [event]), (), now, directory)]


def assign(state: Incident, command: Assign, now: datetime, directory: Directory) -> list[e.Event]:
    """Give it to a person, who is told by their own choice. Whoever gives it to themselves takes it."""
    if command.to not in directory.people:
        raise Refused(f"There is nobody called {command.to or 'nothing'} to give {state.number} to.")
    if command.to in {state.acknowledged_by, state.assigned_to}:
        return []
    if command.to == command.by and not state.acknowledged_by:
        return waiting.acknowledge(state, c.Acknowledge(by=command.by, via=command.via), now, directory)
    given = e.Assigned(at=now, by=command.by, to=command.to, why=command.why.strip())
    heard = (*audience.pages((command.to,), (), directory), *by_mail((state.acknowledged_by,), directory))
    return [told(given, heard, command.by)]


DECISIONS: dict[type[c.Command], Any] = {HandBack: hand_back, Assign: assign}
