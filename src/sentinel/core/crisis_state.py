"""What a crisis has come to: the part of an incident's state that its crisis events add up to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from sentinel.core.crisis_plan import CrisisLevel

CrisisPhase = Literal["none", "proposed", "declined", "open", "closed"]
Side = Literal["provider", "customer"]
Drp = Literal["", "yes", "no"]


class Deed(msgspec.Struct, frozen=True, array_like=True):
    """Something done, for the next status message: when, what (the tag of the event), by whom, in their words.

    ``whom`` is who is waited for, when that is what it is about.
    """

    at: datetime
    what: str
    by: str = ""
    text: str = ""
    whom: str = ""


class Remaining(msgspec.Struct, frozen=True, array_like=True):
    """Something left to do: a step of the time line with when it is due, or a line of its checklist."""

    step: str
    title: str = ""
    due_at: datetime | None = None
    item: str = ""


class Ticked(msgspec.Struct, frozen=True, array_like=True):
    """When a step was done, and by whom; empty for the system."""

    at: datetime
    by: str = ""


class CrisisState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The crisis of an incident as it is now; of one without a crisis, its time line and its messages.

    ``done`` and ``late`` hold steps by their id, ``checked`` lines of their checklists. ``spoke_for`` is the moment
    that the last status message was for, ``reminded_for`` the one its author was reminded of; ``deeds`` is what was
    done since. ``every`` is how often the crisis call wants messages, when that is more often than planned.
    ``changes`` maps the urgent changes to who approved them.
    """

    phase: CrisisPhase = "none"
    trigger: str = ""
    why: str = ""
    proposed_at: datetime | None = None
    side: Side = "provider"
    security: bool = False
    link: str = ""
    opened_by: str = ""
    opened_at: datetime | None = None
    closed_by: str = ""
    closed_at: datetime | None = None
    done: dict[str, Ticked] = {}
    late: tuple[str, ...] = ()
    checked: dict[str, tuple[str, ...]] = {}
    every: timedelta | None = None
    spoke_for: datetime | None = None
    reminded_for: datetime | None = None
    messages: int = 0
    deeds: tuple[Deed, ...] = ()
    drp: Drp = ""
    drp_by: str = ""
    drp_at: datetime | None = None
    drp_started_at: datetime | None = None
    drp_late: bool = False
    level: CrisisLevel = 1
    joined: tuple[str, ...] = ()
    changes: dict[str, str] = {}

    @property
    def open(self) -> bool:
        """Tell whether the crisis is under way."""
        return self.phase == "open"


NONE = CrisisState()
