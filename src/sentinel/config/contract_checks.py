"""What must fit together in ``calendars`` and ``sla``: holidays are known, targets have calendars and can fall due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from sentinel.config import calendars, contracts
from sentinel.config.calendars import CalendarEntry, check_country, week_of
from sentinel.config.contracts import CalendarNames
from sentinel.config.errors import Path
from sentinel.config.quantities import write_duration
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted
from sentinel.core.business import BusinessDuration
from sentinel.core.model import Priority
from sentinel.core.sla import Clock

# A target that takes longer is a mistake, and would lead beyond the years that calendars know.
DUE_WITHIN_WEEKS_MAX: Final = 520


class Fault(NamedTuple):
    """A mistake: where, what, and what to write instead."""

    path: Path
    text: str
    suggestion: str = ""


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield what does not fit in the calendars, the contracts and the services that name one."""
    if calendars.ALWAYS_NAME in config.names["calendars"]:
        what = f"`{calendars.ALWAYS_NAME}` is built in: it never closes, and a day of it has 24 hours"
        yield Fault(("calendars", calendars.ALWAYS_NAME), what, "give yours another name")
    for path, country in _countries(config):
        try:
            check_country(country)
        except LookupError:
            what = f"no public holidays are known of {quoted(country)}"
            yield Fault(path, what, "write `FR`, or `FR-57` for a region")
    for name, contract in config.sla.items():
        for target in contract.promised():
            yield from _target(config, ("sla", name), contract.calendar, target)
        yield from _hours(config, ("sla", name, "hours"), contract.hours)
        requests = contract.requests
        for target in requests.promised():
            yield from _target(config, ("sla", name, "requests"), requests.calendar or contract.calendar, target)
        hour = contract.assistance
        yield from _target(config, ("sla", name, "assistance"), {"ack": {"P3": hour.calendar}}, ("ack", "P3", hour.ack))
    known = config.names["sla"] | contracts.BUILT_IN.keys()
    for name, service in config.services.items():
        if service.sla and service.sla not in known:
            near = did_you_mean(service.sla, sorted(known))
            yield Fault(("services", name, "sla"), f"unknown contract {quoted(service.sla)}", near)


def _countries(config: Config) -> Iterator[tuple[Path, str]]:
    if config.site.country:
        yield ("site", "country"), config.site.country
    for name, calendar in config.calendars.items():
        if calendar.holidays:
            yield ("calendars", name, "holidays"), calendar.holidays


def _target(
    config: Config, path: Path, calendar_of: CalendarNames, target: tuple[Clock, Priority, BusinessDuration]
) -> Iterator[Fault]:
    clock, priority, allowed = target
    calendar = calendar_of.get(clock, {}).get(priority)
    if calendar is None:
        yield Fault(
            (*path, clock, priority), f"no calendar is named for `{clock}` at {priority}", "add it to `calendar`"
        )
        return
    known = config.names["calendars"] | calendars.NAMES
    if calendar not in known:
        near = did_you_mean(calendar, sorted(known))
        yield Fault((*path, "calendar", clock, priority), f"unknown calendar {quoted(calendar)}", near)
    elif (entry := config.calendars.get(calendar)) and allowed.time > DUE_WITHIN_WEEKS_MAX * _open_in_a_week(entry):
        what = f"{write_duration(allowed.time)} of open time take more than ten years in {quoted(calendar)}"
        yield Fault((*path, clock, priority), what, "widen the hours, or ask for less")


def _hours(config: Config, path: Path, calendar: str) -> Iterator[Fault]:
    known = config.names["calendars"] | calendars.NAMES
    if calendar and calendar not in known:
        yield Fault(path, f"unknown calendar {quoted(calendar)}", did_you_mean(calendar, sorted(known)))


def _open_in_a_week(entry: CalendarEntry) -> timedelta:
    openings = (hours for day in week_of(entry) for hours in day)
    return timedelta(minutes=sum(hours.closes_minute - hours.opens_minute for hours in openings))
