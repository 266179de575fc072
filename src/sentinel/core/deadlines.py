"""What is known of an incident's clocks: when each falls due and warns, and what came of it (rules SLA-6, SLA-7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from sentinel.core.model import Priority
from sentinel.core.sla import ClockName

Standing = Literal["running", "stopped", "met", "missed"]
MISSED_PERCENT: Final = 100.0
SAID_MAX: Final = 50  # that a clock remembers of due times it no longer has


class WarnAt(msgspec.Struct, frozen=True, array_like=True):
    """The moment at which so much of the time is used up."""

    percent: float
    at: datetime


class Deadline(msgspec.Struct, frozen=True, kw_only=True):
    """What was promised for one clock. One that ``stops`` stands still while the incident is pending."""

    clock: ClockName
    priority: Priority
    due_at: datetime
    warn_at: tuple[WarnAt, ...] = ()
    stops: bool = False


class ClockState(msgspec.Struct, frozen=True, kw_only=True):
    """One clock: what was promised, which warnings were given, and how it ended.

    ``missed`` tells that the breach was said; ``ended_by`` is the sequence of the event that ended the clock. ``said``
    is what was said of due times that it had before, each with that due time: it may come back to one (rule SLA-7).
    """

    deadline: Deadline
    given: tuple[float, ...] = ()
    missed: bool = False
    stopped_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: int = 0
    said: tuple[WarnAt, ...] = ()

    @property
    def running(self) -> bool:
        """Tell whether time counts."""
        return self.ended_at is None and self.stopped_at is None

    @property
    def standing(self) -> Standing:
        """Return how it stands. What ended while it stood still ended when it was stopped."""
        end = self.stopped_at or self.ended_at
        if self.missed or (self.ended_at is not None and end is not None and end > self.deadline.due_at):
            return "missed"
        if self.ended_at is not None:
            return "met"
        return "stopped" if self.stopped_at is not None else "running"


Clocks = dict[str, ClockState]


def set_to(clocks: Mapping[str, ClockState], targets: Iterable[Deadline], at: datetime) -> Clocks:
    """Return the clocks with new targets, and no others; what was said stays said where it is still past."""
    return {target.clock: _moved(clocks.get(target.clock), target, at) for target in targets}


def moved_to(clocks: Mapping[str, ClockState], targets: Iterable[Deadline], at: datetime) -> Clocks:
    """Return the clocks of which some go on after a pause, with new due times."""
    going = {clock: replace(one, stopped_at=None) for clock, one in set_to(clocks, targets, at).items()}
    rest = {clock: replace(one, stopped_at=None) if one.ended_at is None else one for clock, one in clocks.items()}
    return {**rest, **going}


def stopped(clocks: Mapping[str, ClockState], at: datetime) -> Clocks:
    """Return the clocks, those that pending stops standing still."""
    return {
        clock: replace(one, stopped_at=at) if one.deadline.stops and one.running else one
        for clock, one in clocks.items()
    }


def ended(clocks: Mapping[str, ClockState], which: Iterable[str], at: datetime, sequence: int) -> Clocks:
    """Return the clocks, some of them at their end; what ended once stays so."""
    ending = frozenset(which)
    return {
        clock: replace(one, ended_at=at, ended_by=sequence) if clock in ending and one.ended_at is None else one
        for clock, one in clocks.items()
    }


def _moved(before: ClockState | None, target: Deadline, at: datetime) -> ClockState:
    if before is None:
        return ClockState(deadline=target)
    said = before.said
    if target.due_at != before.deadline.due_at:
        last = (*before.given, *((MISSED_PERCENT,) if before.missed else ()))
        said = tuple(dict.fromkeys((*said, *(WarnAt(percent, before.deadline.due_at) for percent in last))))[-SAID_MAX:]
    again = {one.percent for one in said if one.at == target.due_at}
    past = {warn.percent for warn in target.warn_at if warn.at <= at}
    given = tuple(percent for percent in before.given if percent in past and percent not in again)
    given = (*(warn.percent for warn in target.warn_at if warn.percent in again), *given)
    missed = MISSED_PERCENT in again or (before.missed and target.due_at <= at)
    return replace(before, deadline=target, given=given, missed=missed, said=said)
