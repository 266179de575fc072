"""Escalations as the core knows them, and which ladder of one is in force when (rules ESC-2 and ESC-3)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from sentinel.config.calendars import Calendars
from sentinel.config.contracts import Contracts
from sentinel.config.ladders import EscalationEntry
from sentinel.config.people import step_of
from sentinel.config.telling import StepEntry
from sentinel.core import hours
from sentinel.core.business import BusinessTime, business_time
from sentinel.core.model import LadderHours, Plan, Priority, Step, Watch
from sentinel.core.sla import Contract


class Escalation(NamedTuple):
    """The steps of all ladders of an escalation, and when each ladder is in force."""

    steps: tuple[Step, ...] = ()
    ladders: tuple[LadderHours, ...] = ()


def escalation_of(entry: EscalationEntry) -> Escalation:
    """Return an escalation as the core knows it. A single ladder without a name is just its steps."""
    if len(entry.ladders) == 1 and entry.ladders[0].name is None and entry.ladders[0].during.during == "always":
        return Escalation(tuple(_steps(entry.ladders[0].steps, "")))
    return Escalation(
        tuple(step for ladder in entry.ladders for step in _steps(ladder.steps, ladder.called)),
        tuple(
            LadderHours(name=ladder.called, during=ladder.during.during, calendar=ladder.during.calendar)
            for ladder in entry.ladders
        ),
    )


def _steps(entries: Iterable[StepEntry], ladder: str) -> Iterable[Step]:
    return (replace(step_of(entry), ladder=ladder) for entry in entries)


class Watches:
    """Says which ladder is in force, from the calendars and contracts of now; calendars are made when first needed."""

    def __init__(self, calendars: Calendars, contract_names: dict[str, str], contracts: Contracts) -> None:
        self._calendars = calendars
        self._contract_names = contract_names
        self._contracts = contracts
        self._made: dict[str, BusinessTime] = {}
        self._business: dict[tuple[str, Priority], BusinessTime | None] = {}

    def __call__(self, service: str, priority: Priority, plan: Plan, now: datetime) -> Watch:
        """Return which ladder of a plan is in force for an incident of a service, and until when (rule ESC-3)."""
        named = {ladder.calendar for ladder in plan.ladders} & self._calendars.names
        calendars = {name: self._time(name) for name in named}
        contract = self._contract(service)
        # Rule ESC-2: a P1 always pages.
        pages = priority == "P1" or (contract is not None and priority in contract.page_out_of_hours)
        agreed = hours.Agreed(calendars, self._hours(service, priority, contract), pages=pages)
        return hours.watch(plan.ladders, agreed, now)

    def _contract(self, service: str) -> Contract | None:
        name = self._contract_names.get(service)
        return self._contracts[name] if name else None

    def _time(self, name: str) -> BusinessTime:
        if name not in self._made:
            self._made[name] = self._calendars.time(name)
        return self._made[name]

    def _hours(self, service: str, priority: Priority, contract: Contract | None) -> BusinessTime | None:
        key = (service, priority)
        if key not in self._business:
            calendar = contract.hours_of(priority) if contract else None
            self._business[key] = business_time(calendar) if calendar else None
        return self._business[key]
