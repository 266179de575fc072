"""Targets: what a contract promises, and when it falls due (rules SLA-6, CAL-4 and CAL-6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, Literal

import msgspec

from sentinel.core.business import BusinessDuration, BusinessTime, Period, Skipped, business_time
from sentinel.core.calendar import Calendar
from sentinel.core.model import Priority

Clock = Literal["ack", "workaround", "resolve"]
# Those that contracts promise, and the restoring of data, which the tolerance of a service bounds (rule SLA-5).
ClockName = Literal["ack", "workaround", "resolve", "restore"]

CLOCKS: Final[tuple[Clock, ...]] = ("ack", "workaround", "resolve")
WHOLE_PERCENT: Final = 100


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How long one clock may run at one priority, in the calendar of that name."""

    clock: Clock
    priority: Priority
    allowed: BusinessDuration
    calendar: str


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A service level: its targets, their calendars by name, when it warns, which clocks stand still while pending.

    ``hours`` names the calendar of its business hours, where it is not that of the targets; out of them only the
    priorities ``page_out_of_hours`` page (rule ESC-2). ``requests`` holds the targets that requests have of their own,
    ``assistance`` within what time a request for help is taken up (rules SLA-10, SLA-4).
    """

    name: str
    targets: tuple[Target, ...]
    calendars: dict[str, Calendar]
    warn_at_percent: tuple[float, ...] = (50.0, 80.0)
    pending_stops: tuple[Clock, ...] = ("resolve",)
    hours: str = ""
    page_out_of_hours: tuple[Priority, ...] = ("P1",)
    requests: tuple[Target, ...] = ()
    assistance: Target | None = None

    def hours_of(self, priority: Priority) -> Calendar | None:
        """Return the business hours that hold for a priority; nothing when it has no target, and so no hours."""
        targets = (self.target(clock, priority) for clock in ("resolve", "ack", "workaround"))
        name = self.hours or next((target.calendar for target in targets if target), "")
        return self.calendars.get(name)

    def target(self, clock: ClockName, priority: Priority) -> Target | None:
        """Return the target of a clock, if there is one. Without a word about P4 it is handled as P3 (rule CLS-3)."""
        found = self._written(clock, priority)
        # One time to acknowledge for all priorities is no word about P4.
        if (
            found
            or priority != "P4"
            or any(target.priority == "P4" for target in self.targets if target.clock != "ack")
        ):
            return found
        return self._written(clock, "P3")

    def _written(self, clock: ClockName, priority: Priority) -> Target | None:
        mine = (target for target in self.targets if (target.clock, target.priority) == (clock, priority))
        return next(mine, None)


@dataclass(frozen=True)
class Due:
    """When a target falls due. ``time`` is its open time, measured once, before any pause (rule CAL-6)."""

    at: datetime
    target: Target
    time: timedelta
    opened_at: datetime
    pauses: tuple[Period, ...]
    business: BusinessTime

    def reached(self, percent: float) -> datetime:
        """Return when so much of the target's open time is used up, in UTC (rule SLA-7)."""
        if percent == WHOLE_PERCENT:
            return self.at
        return _paused(self.business, self.opened_at, self.time * (percent / WHOLE_PERCENT), self.pauses)

    @cached_property
    def counted(self) -> tuple[Period, ...]:
        """The open periods that count, in order; together they are as long as ``time``."""
        found: list[Period] = []
        begun = self.opened_at
        for pause in self.pauses:
            found += self.business.periods(begun, min(pause.begins_at, self.at))
            begun = pause.ends_at
        return tuple(found + self.business.periods(begun, self.at))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The days from the opening to the due time that a holiday or an exception takes away."""
        return tuple(self.business.skipped(self.opened_at, self.at))


def due(
    contract: Contract, priority: Priority, clock: Clock, opened_at: datetime, pauses: Iterable[Period] = ()
) -> Due | None:
    """Return when a clock falls due that runs from an opening; nothing when the contract has no such target.

    ``pauses`` are over, in any order; they move the clocks that the contract lets stand still, and no others.

    Raises:
        OutOfCalendar: it lies beyond the years that calendars know.
    """
    target = contract.target(clock, priority)
    if target is None:
        return None
    business = business_time(contract.calendars[target.calendar])
    unpaused = business.after(opened_at, target.allowed)
    time = target.allowed.time or business.between(opened_at, unpaused)
    stops = _apart(pauses, opened_at) if clock in contract.pending_stops else ()
    at = _paused(business, opened_at, time, stops, unpaused)
    return Due(at=at, target=target, time=time, opened_at=opened_at, pauses=stops, business=business)


def _apart(pauses: Iterable[Period], opened_at: datetime) -> tuple[Period, ...]:
    """Return pauses in order and apart, none beginning before the opening."""
    found: list[Period] = []
    for pause in sorted(pauses):
        begins_at = max(pause.begins_at, opened_at)
        if found and begins_at <= found[-1].ends_at:
            found[-1] = Period(found[-1].begins_at, max(found[-1].ends_at, pause.ends_at))
        elif begins_at < pause.ends_at:
            found.append(Period(begins_at, pause.ends_at))
    return tuple(found)


def _paused(
    business: BusinessTime,
    opened_at: datetime,
    time: timedelta,
    pauses: tuple[Period, ...],
    unpaused: datetime | None = None,
) -> datetime:
    """Return when so much open time is used up, pauses taken off; ``unpaused`` when none of them takes any.

    All is measured in open time from the opening: a pause counts when it begins before the time is used up.
    """
    used_up = time
    for pause in pauses:
        if business.between(opened_at, pause.begins_at) >= used_up:
            break
        used_up += business.between(*pause)
    return unpaused if unpaused is not None and used_up == time else business.add(opened_at, used_up)
