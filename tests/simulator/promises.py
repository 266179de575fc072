"""A second opinion on targets: what each contract promises, counted with a pencil (see ``hours``)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sentinel.core import events as e
from sentinel.core.deadlines import Deadline
from tests.simulator import hours
from tests.simulator.case import Case
from tests.simulator.setting import BUSINESS, Setting

Told = tuple[str, datetime, tuple[tuple[float, datetime], ...], bool]


def promised(
    service: str, priority: str, opened_at: datetime, pauses: Iterable[hours.Span], setting: Setting
) -> list[Told]:
    """Return clock, due time, warnings and whether it stands still while pending, for each target (SLA-6, CAL-6)."""
    contract = setting.contracts.get(service)
    if contract is None:
        return []
    found, pauses = [], list(pauses)
    for target in contract.targets:
        if target.priority != priority:
            continue
        stops = target.clock in contract.pending_stops
        calendar, length = contract.calendars[target.calendar], target.allowed.time
        off = pauses if stops else []
        due_at = hours.used_up(calendar, opened_at, length, off)
        parts = ((percent, length * (percent / 100)) for percent in contract.warn_at_percent)
        warns = tuple((percent, hours.used_up(calendar, opened_at, part, off)) for percent, part in parts)
        found.append((target.clock, due_at, warns, stops))
    return sorted(found)


def told(targets: Iterable[Deadline]) -> list[Told]:
    return sorted(
        (one.clock, one.due_at, tuple((warn.percent, warn.at) for warn in one.warn_at), one.stops) for one in targets
    )


def expected(case: Case, event: e.Event, setting: Setting) -> list[Told] | None:
    """Return what an event's targets are to be, before the case took it; nothing when it brings none."""
    match event:
        case e.Opened():
            return promised(event.service, event.priority, event.at, (), setting)
        case e.Raised() | e.Recategorised() if event.priority != case.priority:
            return promised(case.service, event.priority, case.opened_at, case.pauses, setting)
        case e.Resumed():
            return _resumed(case, event.at, setting)
    return None


def in_force(at: datetime) -> tuple[str, datetime]:
    """Return which ladder is in force at a moment, and until when: that of the office while it is open."""
    opens_at, closes_at = next(hours.spans(BUSINESS, at))
    return ("office", closes_at) if opens_at <= at else ("night", opens_at)


def _resumed(case: Case, at: datetime, setting: Setting) -> list[Told]:
    assert case.pending_since is not None, "what waits for nothing does not go on"
    pause = (case.pending_since, at)
    contract = promised(case.service, case.priority, case.opened_at, [*case.pauses, pause], setting)
    coming = {one[0]: one for one in contract}
    later = at - case.pending_since
    return sorted(
        coming.get(clock) or (clock, one.due_at + later, _later(one.warns, later), one.stops)
        for clock, one in case.clocks.items()
        if one.stopped and not one.ended
    )


def _later(warns: tuple[tuple[float, datetime], ...], by: timedelta) -> tuple[tuple[float, datetime], ...]:
    return tuple((percent, at + by) for percent, at in warns)
