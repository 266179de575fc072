"""What happens to a planned change: facts, in the past tense, kept for ever in the ledger's stream of the change.

A fact carries what was decided, and in ``tell`` whom it made Sentinel tell. A field added later has a default.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from sentinel.core.model import Page
from sentinel.core.quality import Facts, QualityLevel, Reason


class ChangeFact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of all of them."""

    at: datetime
    tell: tuple[Page, ...] = ()


class Planned(ChangeFact, frozen=True, kw_only=True, tag="planned"):
    """It was planned, or refused for ``reasons`` when it is not ``allowed``.

    ``announce_at`` is when it is announced, ``level`` the strictest stability level of its services; those of
    ``backups`` are backed up first. ``origin`` names the entry of the configuration and its occurrence.
    ``forced_by`` allowed it although it breaks a level, because of ``why``.
    """

    title: str
    services: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    announce_at: datetime
    level: QualityLevel | None = None
    facts: Facts = Facts()
    allowed: bool = True
    reasons: tuple[Reason, ...] = ()
    backups: tuple[str, ...] = ()
    origin: str = ""
    by: str = ""
    forced_by: str = ""
    why: str = ""


class Announced(ChangeFact, frozen=True, kw_only=True, tag="announced"):
    """The visible signal was given (rule CHG-6)."""


class Prepared(ChangeFact, frozen=True, kw_only=True, tag="prepared"):
    """Its window began, at ``began_at``; it starts once the backups are made (rule CHG-3). ``by`` is empty for time."""

    began_at: datetime
    by: str = ""


class BackedUp(ChangeFact, frozen=True, kw_only=True, tag="backed-up"):
    """A backup of a service ended; ``by`` is who vouches for one that Sentinel did not run."""

    service: str
    ok: bool
    detail: str = ""
    by: str = ""


class Started(ChangeFact, frozen=True, kw_only=True, tag="started"):
    """It started, in a window that began at ``began_at``; by somebody, or by itself.

    One that was started early ends earlier too, at ``ends_at``.
    """

    began_at: datetime
    by: str = ""
    ends_at: datetime | None = None


class Saw(ChangeFact, frozen=True, kw_only=True, tag="saw"):
    """A signal of its services began to fail, or recovered, during its window: recorded, and nobody paged (CHG-5)."""

    key: str
    title: str
    failing: bool
    detail: str = ""


class Overran(ChangeFact, frozen=True, kw_only=True, tag="overran"):
    """Its window is over, and nobody has said that it is finished."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one probe said of a target when the change was verified."""

    probe: str
    target: str
    ok: bool
    detail: str = ""


class Finished(ChangeFact, frozen=True, kw_only=True, tag="finished"):
    """It is over, since ``ended_at``; ``outcomes`` are those of the probes that verified it (rules CHG-1 and CHG-2).

    ``began_at`` is known only where nothing saw it begin: its window passed while Sentinel was not running.
    """

    ended_at: datetime
    began_at: datetime | None = None
    by: str = ""
    outcomes: tuple[Outcome, ...] = ()


class Stopped(ChangeFact, frozen=True, kw_only=True, tag="stopped"):
    """It did not start, because of ``why``: a backup failed (rule CHG-3). Somebody may start it again."""

    why: str


class Cancelled(ChangeFact, frozen=True, kw_only=True, tag="cancelled"):
    """It will not take place; ``by`` is empty when its entry has gone from the configuration."""

    by: str = ""
    why: str = ""


class IncidentLinked(ChangeFact, frozen=True, kw_only=True, tag="incident-linked"):
    """An incident was linked to it, by somebody or because it followed it (rule CHG-1)."""

    incident: str
    by: str = ""


class IncidentUnlinked(ChangeFact, frozen=True, kw_only=True, tag="incident-unlinked"):
    """Somebody said that it did not cause an incident that was linked to it."""

    incident: str
    by: str


Fact = (
    Planned
    | Announced
    | Prepared
    | BackedUp
    | Started
    | Saw
    | Overran
    | Finished
    | Stopped
    | Cancelled
    | IncidentLinked
    | IncidentUnlinked
)


class FixChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of what happens to a fix."""

    at: datetime
    by: str = ""


class FixAdded(FixChange, frozen=True, kw_only=True, tag="fix-added"):
    """A fix is validated since ``since``, and not delivered yet (rule CHG-7)."""

    service: str
    title: str
    since: datetime
    component: str = ""


class FixDelivered(FixChange, frozen=True, kw_only=True, tag="fix-delivered"):
    """A fix was delivered, by a change when that is known."""

    change: str = ""


FixFact = FixAdded | FixDelivered
