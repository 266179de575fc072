"""What is promised and what is left of it, in numbers: looked up when the metrics page is written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sentinel.core import sla
from sentinel.core.business import business_time
from sentinel.core.deadlines import ClockState
from sentinel.core.model import PRIORITIES, Directory
from sentinel.core.state import Incident

Sample = tuple[tuple[str, ...], float]


def promised(services: Iterable[str], directory: Directory, now: datetime) -> list[Sample]:
    """Return the agreed time of each contract that a service has, in open seconds; a day has as many as from now on."""
    if directory.terms is None:
        return []
    found: dict[tuple[str, ...], float] = {}
    for service in services:
        contract = directory.terms.contract_of(service)
        for clock in sla.CLOCKS if contract else ():
            for priority in PRIORITIES:
                due = sla.due(contract, priority, clock, now) if contract else None
                if contract is not None and due is not None:
                    found[contract.name, priority, clock] = due.time.total_seconds()
    return list(found.items())


def remaining(incidents: Iterable[Incident], directory: Directory, now: datetime) -> list[Sample]:
    """Return the least open time left among open incidents, by service, priority and clock.

    Of what is late it is the time since, below nothing. A clock that stands still keeps what it had left.
    """
    least: dict[tuple[str, ...], float] = {}
    for state in (one for one in incidents if one.kind == "incident"):
        for one in state.clocks.values():
            if one.ended_at is None and state.active:
                key = (state.service, state.priority, one.deadline.clock)
                left_s = _left_s(one, state.service, directory, one.stopped_at or now)
                least[key] = min(least.get(key, left_s), left_s)
    return list(least.items())


def _left_s(one: ClockState, service: str, directory: Directory, now: datetime) -> float:
    due_at = one.deadline.due_at
    contract = directory.terms.contract_of(service) if directory.terms else None
    target = contract.target(one.deadline.clock, one.deadline.priority) if contract else None
    if contract is None or target is None or now >= due_at:
        return (due_at - now).total_seconds()
    return business_time(contract.calendars[target.calendar]).between(now, due_at).total_seconds()
