"""Contracts for stories: Gold as the documents have it, Silver in business hours, and one with a workaround clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from sentinel.core.business import BusinessDuration, business_time
from sentinel.core.calendar import ALWAYS, Calendar
from sentinel.core.model import Directory, Priority
from sentinel.core.sla import Clock, Contract, Target
from sentinel.core.terms import Terms
from tests.core.calendars import calendar
from tests.core.story import DIRECTORY

BUSINESS = calendar()


def target(clock: Clock, priority: Priority, calendar: str, **length: float) -> Target:
    return Target(clock=clock, priority=priority, calendar=calendar, allowed=BusinessDuration(timedelta(**length)))


def contract(calendar_of: Calendar, hours: dict[Priority, float], *more: Target, ack_minutes: float = 15) -> Contract:
    ack = [target("ack", priority, "its own", minutes=ack_minutes) for priority in hours]
    resolve = [target("resolve", priority, "its own", hours=length) for priority, length in hours.items()]
    return Contract(name="its own", targets=(*ack, *resolve, *more), calendars={"its own": calendar_of})


GOLD = contract(ALWAYS, {"P1": 2, "P2": 4, "P3": 8})
SILVER = contract(BUSINESS, {"P1": 4, "P2": 8}, ack_minutes=30)
BLOCKING = contract(ALWAYS, {"P1": 2}, target("workaround", "P1", "its own", hours=1), ack_minutes=60)


def under(contract_: Contract | None, directory: Directory = DIRECTORY) -> Directory:
    """Return a directory under a contract; who is waited on is reminded once an opening day."""
    terms = Terms(contract_of=lambda _service: contract_, remind_at=remind_at, close_by=close_by)
    return replace(directory, terms=terms)


def remind_at(since: datetime) -> datetime:
    return business_time(BUSINESS).add_days(since, 1)


def close_by(resolved_at: datetime) -> datetime:
    return business_time(BUSINESS).add_days(resolved_at, 2)
