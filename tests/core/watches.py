"""Hours to tell stories of: the sample's escalations, in Paris, under a contract with business hours."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from sentinel.core import hours
from sentinel.core.business import business_time
from sentinel.core.calendar import Calendar
from sentinel.core.model import Directory, LadderHours, Plan, Priority, Step, Watch
from sentinel.core.sla import Contract
from sentinel.core.terms import Terms
from tests.core.calendars import calendar
from tests.core.contracts import close_by, remind_at
from tests.core.story import DIRECTORY, person

BUSINESS = calendar()
HO = LadderHours(name="HO", during="inside", calendar="business")
HNO = LadderHours(name="HNO", during="otherwise")
ALWAYS = LadderHours(name="always")


def rung(ladder: str, minutes: float, *to: str, **more: object) -> Step:
    return Step(after=timedelta(minutes=minutes), to=to, by=("sms",), ladder=ladder, **more)  # type: ignore[arg-type]


# The sample's escalation of a P1: three levels of managers in business hours, two and the customer's out of them.
P1 = Plan(
    ladder=(
        rung("HO", 0, "tdp"),
        rung("HO", 15, "elise"),
        rung("HO", 30, "farid", "ines", unless="resolved"),
        rung("HO", 60, "gaelle", "hugo", "jean", unless="resolved"),
        rung("HNO", 0, "technical", repeats=3, every=timedelta(minutes=5)),
        rung("HNO", 20, "managers"),
        rung("HNO", 45, "hugo", "karine", unless="resolved"),
    ),
    ladders=(HO, HNO),
    last_resort=("farid",),
    last_resort_by=("email",),
    manager=("elise",),
    cascade_after=timedelta(minutes=15),
)
# One ladder, day and night.
STANDARD = replace(
    P1,
    ladder=(rung("always", 0, "tdp", min_level=2), rung("always", 30, "elise")),
    ladders=(ALWAYS,),
)

WHO = ("tdp", "elise", "farid", "ines", "gaelle", "hugo", "jean", "technical", "managers", "karine", "rita", "alice")
PEOPLE = replace(DIRECTORY, people={name: person(name) for name in WHO})


def agreed(
    contract: Contract | None = None, *, directory: Directory = PEOPLE, business: Calendar = BUSINESS
) -> Directory:
    """Return a directory in which hours count: those of the plan's ladders, and of a contract if there is one."""
    calendars = {"business": business_time(business)}

    def watch_at(_service: str, priority: Priority, plan: Plan, now: datetime) -> Watch:
        held = contract.hours_of(priority) if contract else None
        pages = priority in (contract.page_out_of_hours if contract else ("P1",))
        found = hours.Agreed(calendars, business_time(held) if held else None, pages=pages)
        return hours.watch(plan.ladders, found, now)

    terms = Terms(contract_of=lambda _service: contract, remind_at=remind_at, close_by=close_by, watch_at=watch_at)
    return replace(directory, terms=terms)
