"""Which change caused an incident, and whether that excuses it (rule CHG-1)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.cause_events import ChangeLinked
from sentinel.core.escalation import told
from sentinel.core.hearing import asking
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident

TOLERATED: Final = timedelta(minutes=5)  # what the side effect of a change at stability 1 may last


class LinkChange(c.Command, frozen=True, kw_only=True):
    """Take a change for the cause; without ``change`` none is. What a person has said, nothing but a person changes."""

    change: str
    title: str = ""
    tolerated: timedelta | None = None
    by: str = ""


def link(state: Incident, command: LinkChange, now: datetime, directory: Directory) -> list[e.Event]:
    """Return what follows from a link.

    Raises:
        Refused: it is a request: a change breaks nothing that was asked for.
    """
    if state.kind == "request":
        raise Refused(f"{state.number} is a request; a change causes incidents.")
    if state.caused_by == command.change or (state.cause_judged and not command.by):
        return []
    linked = ChangeLinked(
        at=now,
        by=command.by,
        change=command.change,
        title=command.title,
        tolerated=command.tolerated,
    )
    return [told(linked, asking(state, directory), command.by)]


def excused(state: Incident) -> bool:
    """Tell whether an incident counts neither as an outage nor against targets: over soon, by a change (rule CHG-1).

    What lasts longer counts from its start; so does what is not over.
    """
    if not state.caused_by or state.cause_tolerated is None or state.resolved_at is None:
        return False
    return state.resolved_at - state.opened_at <= state.cause_tolerated


DECISIONS: Final[dict[type[c.Command], Callable[[Incident, Any, datetime, Directory], list[e.Event]]]] = {
    LinkChange: link,
}
