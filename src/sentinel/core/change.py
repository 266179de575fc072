"""A planned change's life (rules CHG-1 to CHG-6): what its facts add up to, and what time brings.

``planned → announced → preparing → under way → finished``; ``refused``, ``stopped`` and ``cancelled`` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import singledispatch
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from sentinel.core import change_facts as f
from sentinel.core.business import Period
from sentinel.core.change_facts import Fact, Outcome, Saw
from sentinel.core.model import Refused
from sentinel.core.quality import Facts, QualityLevel, Reason

Phase = Literal["refused", "planned", "announced", "preparing", "under_way", "stopped", "finished", "cancelled"]
Step = Literal["announce", "begin", "check", "end", "overrun", "stop", "pass"]

WAITING: Final = frozenset({"planned", "announced"})
ENDED: Final = frozenset({"refused", "finished", "cancelled"})
CHECK_BEFORE: Final = timedelta(
    minutes=1
)  # its probes run once more before a window ends, so that what is known is fresh
# So long after a change an incident of its services is taken for its doing.
LINK_WITHIN: Final = timedelta(minutes=30)
SAW_MAX: Final = 500
DECODER: Final = msgspec.json.Decoder(Fact)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change as it is now. ``saw`` holds the signals of its window by their keys, each as last seen."""

    number: str
    phase: Phase
    title: str
    services: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    announce_at: datetime
    planned_at: datetime
    level: QualityLevel | None = None
    facts: Facts = Facts()
    reasons: tuple[Reason, ...] = ()
    backups: tuple[str, ...] = ()
    origin: str = ""
    planned_by: str = ""
    forced_by: str = ""
    why: str = ""
    announced_at: datetime | None = None
    began_at: datetime | None = None
    started_at: datetime | None = None
    started_by: str = ""
    overran_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    backed_up: tuple[str, ...] = ()
    saw: dict[str, Saw] = {}
    outcomes: tuple[Outcome, ...] = ()
    incidents: tuple[str, ...] = ()

    @property
    def opens_at(self) -> datetime:
        """Return when its window opens by itself: never before it was planned."""
        return max(self.begins_at, self.planned_at)

    @property
    def by_hand(self) -> bool:
        """Tell whether somebody started it, and so must say that it is finished."""
        return bool(self.started_by)

    @property
    def over(self) -> bool:
        """Tell whether nothing can happen to it any more but a link."""
        return self.phase in ENDED

    @property
    def verified(self) -> bool | None:
        """Tell whether all that looked at the end was well; null when nothing looked."""
        return all(one.ok for one in self.outcomes) if self.outcomes else None

    @property
    def missing_backups(self) -> tuple[str, ...]:
        """Return the services of which a backup has yet to be made."""
        return tuple(service for service in self.backups if service not in self.backed_up)

    def holds(self, now: datetime) -> bool:
        """Tell whether its window is open: signals of its services page nobody (rule CHG-5)."""
        return self.phase in {"preparing", "under_way"} and now < self.ends_at

    def window(self) -> Period | None:
        """Return the time that was maintenance; an overrun is none. Null when there was none."""
        if self.began_at is None:
            return None
        ends_at = min(self.ended_at or self.ends_at, self.ends_at)
        return Period(self.began_at, ends_at) if self.began_at < ends_at else None


def fold(number: str, facts: Iterable[Fact]) -> Change:
    """Return the change that its facts add up to."""
    change: Change | None = None
    for fact in facts:
        change = evolve(change, fact, number)
    assert change is not None, "a change begins with its planning"
    return change


def evolve(change: Change | None, fact: Fact, number: str = "") -> Change:
    """Return the change after a fact; the only way it changes, live and in replay alike."""
    if isinstance(fact, f.Planned):
        assert change is None, "a change is planned once"
        return Change(
            number=number,
            phase="planned" if fact.allowed else "refused",
            planned_at=fact.at,
            planned_by=fact.by,
            **{name: getattr(fact, name) for name in _KEPT},
        )
    assert change is not None, "a change begins with its planning"
    return _after(fact, change)


_KEPT = (
    *("title", "services", "begins_at", "ends_at", "announce_at", "level", "facts", "reasons", "backups"),
    *("origin", "forced_by", "why"),
)


@singledispatch
def _after(fact: Fact, _change: Change) -> Change:
    raise AssertionError(f"no evolution for {type(fact).__name__}")


@_after.register
def _(fact: f.Announced, change: Change) -> Change:
    return replace(change, phase="announced", announced_at=fact.at)


@_after.register
def _(fact: f.Prepared, change: Change) -> Change:
    return replace(change, phase="preparing", began_at=fact.began_at, started_by=fact.by, ended_at=None)


@_after.register
def _(fact: f.BackedUp, change: Change) -> Change:
    return replace(change, backed_up=(*change.backed_up, fact.service)) if fact.ok else change


@_after.register
def _(fact: f.Started, change: Change) -> Change:
    return replace(
        change,
        phase="under_way",
        began_at=fact.began_at,
        started_at=change.started_at or fact.at,
        started_by=fact.by or change.started_by,
        begins_at=change.begins_at if fact.ends_at is None else fact.began_at,
        ends_at=fact.ends_at or change.ends_at,
        ended_at=None,
    )


@_after.register
def _(fact: f.Saw, change: Change) -> Change:
    return replace(change, saw={**change.saw, fact.key: fact})


@_after.register
def _(fact: f.Overran, change: Change) -> Change:
    return replace(change, overran_at=fact.at)


@_after.register
def _(fact: f.Finished, change: Change) -> Change:
    began_at = change.began_at or fact.began_at
    ended = replace(change, phase="finished", began_at=began_at, ended_at=fact.ended_at, ended_by=fact.by)
    return replace(ended, outcomes=fact.outcomes)


@_after.register
def _(fact: f.Stopped, change: Change) -> Change:
    return replace(change, phase="stopped", ended_at=fact.at, why=fact.why, backed_up=())


@_after.register
def _(fact: f.Cancelled, change: Change) -> Change:
    return replace(change, phase="cancelled", ended_at=fact.at, ended_by=fact.by, why=fact.why)


@_after.register
def _(fact: f.IncidentLinked, change: Change) -> Change:
    return replace(change, incidents=tuple(dict.fromkeys((*change.incidents, fact.incident))))


@_after.register
def _(fact: f.IncidentUnlinked, change: Change) -> Change:
    return replace(change, incidents=tuple(one for one in change.incidents if one != fact.incident))


# What time brings ----------------------------------------------------------------------------------------------------


def due(change: Change, now: datetime) -> Step | None:
    """Return what time brings a change by now."""
    match change.phase:
        case "planned" | "announced" if now >= change.ends_at:
            return "pass"
        case "planned" | "announced" if now >= change.begins_at:
            return "begin"
        case "planned" if now >= change.announce_at:
            return "announce"
        case "preparing" if now >= change.ends_at:
            return "stop"
        case "under_way" if now >= change.ends_at and not change.by_hand:
            return "end"
        case "under_way" if now >= change.ends_at and change.overran_at is None:
            return "overrun"
        case "under_way" if change.ends_at - CHECK_BEFORE <= now < change.ends_at:
            return "check"
        case "stopped" if now >= change.ends_at:
            return "pass"
    return None


def next_at(change: Change, now: datetime) -> datetime | None:
    """Return the next moment at which time brings something, or nothing."""
    if change.over:
        return None
    moments = (change.announce_at, change.begins_at, change.ends_at - CHECK_BEFORE, change.ends_at)
    return min((moment for moment in moments if moment > now), default=None)


# What people may ask -------------------------------------------------------------------------------------------------


def may_start(change: Change, now: datetime) -> None:
    """Make sure that somebody may start it, or take one over that began by itself.

    Raises:
        Refused: not in this phase, or outside the window that stability 2 and 3 ask for.
    """
    if change.phase == "under_way" and not change.by_hand and now < change.ends_at:
        return
    if change.phase not in WAITING | {"stopped"}:
        broken = "; ".join(reason.text for reason in change.reasons if reason.broken)
        why = f": {broken}" if broken else ""
        raise Refused(f"{change.number} cannot be started: it is {said(change.phase)}{why}.")
    if now >= change.ends_at:
        raise Refused(f"{change.number} cannot be started: its window is over.")
    if now < change.begins_at and change.level in {2, 3}:
        raise Refused(
            f"{change.number} cannot be started before its window: stability {change.level} asks for one,"
            f" and it begins at {change.begins_at:%Y-%m-%d %H:%M} UTC."
        )


def started_early(change: Change, now: datetime) -> datetime | None:
    """Return when a change ends that starts before its time: it keeps its length, or it would silence much more."""
    return now + (change.ends_at - change.begins_at) if now < change.begins_at else None


def may_finish(change: Change) -> None:
    """Make sure that it may be finished.

    Raises:
        Refused: it is not under way.
    """
    if change.phase != "under_way":
        raise Refused(f"{change.number} cannot be finished: it is {said(change.phase)}.")


def may_cancel(change: Change) -> None:
    """Make sure that it may be cancelled.

    Raises:
        Refused: it has started, or is over.
    """
    if change.phase == "under_way":
        raise Refused(f"{change.number} cannot be cancelled: it is under way; finish it.")
    if change.over:
        raise Refused(f"{change.number} cannot be cancelled: it is {said(change.phase)}.")


def said(phase: Phase) -> str:
    """Return a phase in words."""
    return phase.replace("_", " ")


# What others ask of them ---------------------------------------------------------------------------------------------


def windows_of(changes: Iterable[Change], service: str, begins_at: datetime, ends_at: datetime) -> list[Period]:
    """Return the times of maintenance of a service within a time: they do not count (rules SLA-8 and CHG-5)."""
    found = []
    for change in changes:
        window = change.window() if service in change.services else None
        if window is not None and window.begins_at < ends_at and window.ends_at > begins_at:
            found.append(Period(max(window.begins_at, begins_at), min(window.ends_at, ends_at)))
    return sorted(found)


def culprit(changes: Iterable[Change], service: str, opened_at: datetime) -> Change | None:
    """Return the change that an incident of a service is linked to: the last one that began before it (rule CHG-1).

    It is under way, or ended no longer than ``LINK_WITHIN`` before.
    """
    found = [
        change
        for change in changes
        if service in change.services
        and change.started_at is not None
        and change.started_at <= opened_at
        and (change.phase == "under_way" or opened_at <= (change.ended_at or change.started_at) + LINK_WITHIN)
    ]
    return max(found, key=lambda change: change.started_at or change.begins_at, default=None)


def read_all(streams: Iterable[tuple[str, Sequence[bytes]]]) -> list[Change]:
    """Read changes from their lines in the ledger, by name."""
    return [fold(name, map(DECODER.decode, lines)) for name, lines in streams if lines]
