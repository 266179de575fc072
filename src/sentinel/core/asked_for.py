"""What a contract promises of a request: targets of its own, a day that was agreed, an hour for assistance.

Rules SLA-10 and SLA-4. The arithmetic of the clocks is that of incidents.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from sentinel.core.business import business_time
from sentinel.core.calendar import instant_of, minute_of
from sentinel.core.deadlines import Deadline, WarnAt
from sentinel.core.model import PRIORITIES, Priority, Verdict
from sentinel.core.sla import WHOLE_PERCENT, Contract, Target
from sentinel.core.state import Incident

ASSISTANCE: Final = "assistance"
BY_DATE: Final[Priority] = "P4"
DAY: Final = timedelta(days=1)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says that decides its targets."""

    category: str = ""
    agreed_on: date | None = None


def asked_of(one: Incident | Verdict) -> Asked | None:
    """Return what a request says; nothing of an incident."""
    return Asked(category=one.category, agreed_on=one.agreed_on) if one.kind == "request" else None


def contract_for(contract: Contract, asked: Asked) -> Contract:
    """Return the contract as it holds for a request.

    Its table of requests goes before that of incidents, clock by clock; there is nothing to work around.
    """
    own = {target.clock for target in contract.requests}
    targets = (*contract.requests, *(one for one in contract.targets if one.clock not in {*own, "workaround"}))
    if asked.category == ASSISTANCE and contract.assistance is not None:
        hour = contract.assistance  # Rule SLA-4: whatever the service level.
        targets = (*(replace(hour, priority=one) for one in PRIORITIES), *(t for t in targets if t.clock != "ack"))
    return replace(contract, targets=targets)


def by_date(contract: Contract, asked: Asked, priority: Priority, opened_at: datetime) -> Deadline | None:
    """Return when a request of the lowest priority is to be done: its agreed date (rule SLA-10).

    That is the last closing of that local day, or the end of the day when it is not open then or never closes.
    Waiting for somebody does not move a day that was agreed.
    """
    if priority != BY_DATE or asked.agreed_on is None:
        return None
    target = contract.target("resolve", priority) or _any(contract)
    business = business_time(contract.calendars[target.calendar])
    local = contract.calendars[contract.assistance.calendar] if contract.assistance else business.calendar
    zone = ZoneInfo(local.timezone)
    begins_at = instant_of(minute_of(asked.agreed_on, 0), zone)
    ends_at = instant_of(minute_of(asked.agreed_on + DAY, 0), zone)
    openings = business.periods(begins_at, ends_at)
    due_at = openings[-1].ends_at if openings else ends_at
    time = max(timedelta(0), business.between(opened_at, due_at))
    warns = (percent for percent in contract.warn_at_percent if percent < WHOLE_PERCENT)
    return Deadline(
        clock="resolve",
        priority=priority,
        due_at=due_at,
        warn_at=tuple(WarnAt(one, min(due_at, business.add(opened_at, time * (one / WHOLE_PERCENT)))) for one in warns),
    )


def _any(contract: Contract) -> Target:
    return contract.targets[0]
