"""When time alone brings something to an incident, remembered beside its state: that is asked at every command.

A state never changes, so what was found for it once holds for ever. It is no part of the state, nor of what is written.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sentinel.core import events as e
from sentinel.core.state import Incident

UNKNOWN: Final = datetime.min.replace(tzinfo=UTC)  # Stands for "nobody has looked yet", and is compared with nothing.
_NAME: Final = "wakes_at"


def known(state: Incident) -> datetime | None:
    """Return what was found for a state, or ``UNKNOWN``."""
    found: datetime | None = state.__dict__.get(_NAME, UNKNOWN)
    return found


def keep(state: Incident, at: datetime | None) -> datetime | None:
    """Remember what was found for a state, and return it."""
    state.__dict__[_NAME] = at
    return at


def carry(before: Incident, state: Incident, joined: e.SignalJoined) -> None:
    """Let what holds for a state hold for the one after another signal of it, unless that brings something more.

    A signal starts no clock, changes no plan, calls nobody, unless it says so; one of an incident that flaps puts its
    rest off.
    """
    at = known(before)
    if at is UNKNOWN or joined.starts or joined.plan is not None or joined.tell or before.flapping:
        return
    state.__dict__[_NAME] = at
