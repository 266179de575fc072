"""Incidents and requests counted, how long they took, and which targets were met. Each thing counts when it happened.

An opening counts in the period of the opening, a resolution in that of the resolution, a target in that in which it was
reached or fell due. So the months of a quarter add up to it, and what is past does not change any more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Literal, get_args

from sentinel.core.business import BusinessTime, Period
from sentinel.core.deadlines import ClockState
from sentinel.core.model import PRIORITIES, Kind, Priority
from sentinel.core.report import spans
from sentinel.core.report.model import Breach, Count, Episode, Figures, Outage, Share, Subject, Times
from sentinel.core.sla import ClockName, Contract
from sentinel.core.state import Incident

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Standing = Literal["met", "missed", "running"]
WHOLE_PERCENT: Final = 100.0


def counts(episodes: Sequence[Episode], period: Period) -> list[Count]:
    """Count incidents and requests by priority; lines without any are left out."""
    found = []
    for kind in KINDS:
        for priority in PRIORITIES:
            mine = [one for one in episodes if (one.incident.kind, one.incident.priority) == (kind, priority)]
            opened = sum(_in(one.incident.opened_at, period) for one in mine)
            resolved = sum(_in(one.incident.resolved_at, period) for one in mine)
            left = sum(open_at(one, period.ends_at) for one in mine)
            if opened or resolved or left:
                found.append(Count(kind=kind, priority=priority, opened=opened, resolved=resolved, open=left))
    return found


def open_at(one: Episode, moment: datetime) -> bool:
    """Tell whether an incident was there, and not resolved, just before a moment."""
    return one.incident.opened_at < moment and any(
        spell.begins_at < moment and (spell.ends_at is None or spell.ends_at >= moment) for spell in one.spells
    )


def times(episodes: Iterable[Episode], period: Period, subject: Subject) -> list[Times]:
    """Return how long acknowledgements and resolutions of the period took, by kind and priority."""
    taken: dict[tuple[str, str, str], list[tuple[float, float | None]]] = defaultdict(list)
    working = _Working(subject.contract)
    for one in episodes:
        state = one.incident
        for clock, ended_at in (("ack", state.acknowledged_at), ("resolve", state.resolved_at)):
            if ended_at is not None and _in(ended_at, period):
                elapsed_s = (ended_at - state.opened_at).total_seconds()
                taken[state.kind, state.priority, clock].append((elapsed_s, working.seconds(state, clock, ended_at)))
    return [
        _times(kind, priority, clock, taken[kind, priority, clock])
        for kind in KINDS
        for priority in PRIORITIES
        for clock in ("ack", "resolve")
        if (kind, priority, clock) in taken
    ]


def shares(episodes: Iterable[Episode], period: Period) -> list[Share]:
    """Return how many targets were met and missed, by kind, priority and clock."""
    counted: dict[tuple[Kind, Priority, ClockName], dict[Standing, int]] = {}
    for one in episodes:
        for clock in one.incident.clocks.values():
            standing = standing_in(one.incident, clock, period)
            if standing is not None:
                key = one.incident.kind, clock.deadline.priority, clock.deadline.clock
                line = counted.setdefault(key, {"met": 0, "missed": 0, "running": 0})
                line[standing] += 1
    return [
        _share(kind, priority, clock, counted[kind, priority, clock])
        for kind in KINDS
        for priority in PRIORITIES
        for clock in get_args(ClockName)
        if (kind, priority, clock) in counted
    ]


def breaches(episodes: Sequence[Episode], outages: Iterable[Outage], period: Period) -> list[Breach]:
    """List what was missed in the period, by the moment it fell due: targets, and the tolerance of the service."""
    found = [
        _breach(one.incident, clock, period)
        for one in episodes
        for clock in one.incident.clocks.values()
        if standing_in(one.incident, clock, period) == "missed"
    ]
    found += [_damage(one.incident, period) for one in episodes if _in(one.incident.integrity_lost_at, period)]
    found += [_too_long(outage, period) for outage in outages if outage.over_tolerance and outage.counted_s]
    return sorted(
        (breach for breach in found if _in(breach.due_at, period)), key=lambda breach: (breach.due_at, breach.number)
    )


def standing_in(state: Incident, one: ClockState, period: Period) -> Standing | None:
    """Return how a clock was decided in a period, or that it ran at its end; nothing when that was at another time."""
    until = period.ends_at
    if state.opened_at >= until:
        return None
    due_at, end = one.deadline.due_at, _ended_at(one)
    late = one.standing == "missed" or (one.running and due_at < until)
    decided_at = due_at if late else end
    if decided_at is None or decided_at >= until:
        return "running"
    if decided_at < period.begins_at:
        return None
    return "missed" if late else "met"


def _ended_at(one: ClockState) -> datetime | None:
    """Return when a clock ended; what ended while it stood still ended when it was stopped."""
    return None if one.ended_at is None else one.stopped_at or one.ended_at


def _breach(state: Incident, one: ClockState, period: Period) -> Breach:
    ended_at = _before(_ended_at(one), period)
    return Breach(
        number=state.number,
        title=state.title,
        kind=state.kind,
        priority=one.deadline.priority,
        clock=one.deadline.clock,
        due_at=one.deadline.due_at,
        ended_at=ended_at,
        late_s=((ended_at or period.ends_at) - one.deadline.due_at).total_seconds(),
    )


def _damage(state: Incident, period: Period) -> Breach:
    """Return the breach that damaged data is, at once (rule SLA-5); it is late until it is mended."""
    assert state.integrity_lost_at is not None, "the caller looked"
    due_at, ended_at = state.integrity_lost_at, _before(state.resolved_at, period)
    return Breach(
        number=state.number,
        title=state.title,
        kind=state.kind,
        priority=state.priority,
        clock="integrity",
        due_at=due_at,
        ended_at=ended_at,
        late_s=((ended_at or period.ends_at) - due_at).total_seconds(),
    )


def _too_long(outage: Outage, period: Period) -> Breach:
    """Return the breach that an outage over the tolerance is, from the moment at which it was (rule SLA-5)."""
    assert outage.tolerated_until is not None, "without a tolerance nothing is over it"
    return Breach(
        number=outage.number,
        title=outage.title,
        kind="incident",
        priority=outage.priority,
        clock="outage",
        due_at=outage.tolerated_until,
        ended_at=outage.ends_at,
        late_s=((outage.ends_at or period.ends_at) - outage.tolerated_until).total_seconds(),
    )


def _before(ended_at: datetime | None, period: Period) -> datetime | None:
    """Return an end that lies before the end of the period: what comes later is not known in it."""
    return ended_at if ended_at is not None and ended_at < period.ends_at else None


def _share(kind: Kind, priority: Priority, clock: ClockName, line: dict[Standing, int]) -> Share:
    decided = line["met"] + line["missed"]
    percent = WHOLE_PERCENT * line["met"] / decided if decided else None
    return Share(kind=kind, priority=priority, clock=clock, percent=percent, **line)


def _times(kind: Kind, priority: str, clock: str, taken: list[tuple[float, float | None]]) -> Times:
    working = [seconds for _, seconds in taken if seconds is not None]
    return Times(
        kind=kind,
        priority=priority,  # type: ignore[arg-type]  # from the table of priorities
        clock=clock,  # type: ignore[arg-type]  # one of two
        count=len(taken),
        elapsed=figures([seconds for seconds, _ in taken]),
        working=figures(working) if working else None,
    )


def figures(values: Sequence[float]) -> Figures:
    """Return the mean and percentiles of at least one value."""
    ordered = sorted(values)
    return Figures(mean_s=sum(ordered) / len(ordered), p50_s=rank(ordered, 50), p90_s=rank(ordered, 90))


def rank(ordered: Sequence[float], percent: int) -> float:
    """Return the percentile by nearest rank: the least value that so many percent of all do not exceed."""
    return ordered[max(0, ceil(len(ordered) * percent / WHOLE_PERCENT) - 1)]


class _Working:
    """Measures in the calendars of a contract, each built once for the report."""

    def __init__(self, contract: Contract | None) -> None:
        self._contract = contract
        self._built: dict[str, BusinessTime] = {}

    def seconds(self, state: Incident, clock: str, ended_at: datetime) -> float | None:
        """Return the open time from the opening, less what was pending where the contract says so."""
        contract = self._contract
        target = contract.target(clock, state.priority) if contract else None  # type: ignore[arg-type]
        if contract is None or target is None:
            return None
        business = self._built.setdefault(target.calendar, BusinessTime(contract.calendars[target.calendar]))
        pauses = state.pauses if clock in contract.pending_stops else ()
        paused = spans.within(pauses, state.opened_at, ended_at)
        taken = sum((business.between(*pause) for pause in paused), timedelta())
        return (business.between(state.opened_at, ended_at) - taken).total_seconds()


def _in(moment: datetime | None, period: Period) -> bool:
    return moment is not None and period.begins_at <= moment < period.ends_at
