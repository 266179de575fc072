"""What a failing dependency explains: failures of the services that need it are part of it (rule SRC-8)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TypedDict

from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.hearing import listeners
from sentinel.core.model import Directory, Page, Plan
from sentinel.core.state import Incident

EXPLAINS_FROM = 2  # A warning, which level 1 is, takes nothing down.
SEEN_BY = frozenset({"probe", "alert"})  # What a person reports stays theirs, and is answered to them.
NOTED_MAX = 20  # incidents that are told of one cause


def cause_of(report: c.Report, incidents: Iterable[Incident]) -> Incident | None:
    """Return the incident that explains a failure that is about to open one of its own; nothing when none does.

    It is of the nearest service that the failing one needs, and still fails itself.
    """
    if not _explicable(report):
        return None
    rank = {service: number for number, service in enumerate(report.plan.depends_on)}
    found = [state for state in incidents if state.service in rank and explains(state)]
    return min(found, key=lambda state: (rank[state.service], state.opened_at), default=None)


class Brought(TypedDict):
    """What a signal brings along into the incident that explains it."""

    plan: Plan | None
    fault: str


def joining(report: c.Report, cause: Incident) -> c.Report:
    """Return the report as it joins its cause: whoever would have heard of an incident of its own hears of this one."""
    raised, stays = _together(report.plan, cause.plan), _together(cause.plan, report.plan)
    return replace(report, plan=replace(raised, depends_on=cause.plan.depends_on), joins=stays)


def brought(report: c.Report) -> Brought:
    """Return what a report brings along; nothing, unless it was explained by a dependency."""
    return Brought(plan=report.joins, fault=report.verdict.dedup if report.joins is not None else "")


def hearing(state: Incident, after: Incident, report: c.Report, directory: Directory) -> tuple[Page, ...]:
    """Return who listens to the service that was taken in, and has not heard of its cause; a rise tells them itself."""
    if report.joins is None or report.verdict.level > state.level:
        return ()
    coming = tuple(one for one in report.joins.listeners if one.services and state.service not in one.services)
    return listeners(replace(after, plan=replace(after.plan, listeners=coming)), "opened", directory)


def _together(plan: Plan, other: Plan) -> Plan:
    """Return a plan with those of another one who are told as well, and the channels that cannot be trusted."""
    return replace(
        plan,
        listeners=tuple(dict.fromkeys((*plan.listeners, *other.listeners))),
        manager=tuple(dict.fromkeys((*plan.manager, *other.manager))),
        operations=tuple(dict.fromkeys((*plan.operations, *other.operations))),
        carries=tuple(dict.fromkeys((*plan.carries, *other.carries))),
    )


def explained_by(cause: Incident, incidents: Iterable[Incident]) -> list[Incident]:
    """Return the incidents that were there before their cause was seen; they stay, and are told of it."""
    if not explains(cause):
        return []
    found = (
        state
        for state in incidents
        if state.active and state.kind == "incident" and cause.service in state.plan.depends_on and state.fails
    )
    return list(islice(found, NOTED_MAX))


def _explicable(report: c.Report) -> bool:
    verdict = report.verdict
    return (
        bool(report.plan.depends_on)
        and verdict.kind == "incident"
        and verdict.level >= EXPLAINS_FROM
        and report.signal.source in SEEN_BY
    )


def explains(state: Incident) -> bool:
    """Tell whether an incident is a failure of its service that still stands, rather than one that it took over."""
    return (
        state.active
        and state.kind == "incident"
        and state.level >= EXPLAINS_FROM
        and any(
            one.failing and one.signal.service == state.service and one.signal.source in SEEN_BY
            for one in state.signals.values()
        )
    )


def cause_note(cause: Incident) -> str:
    """Return what the timeline of an incident says of a cause that was seen after it."""
    return f"{cause.number} ({cause.service}), on which this depends, fails too: {cause.title}"


def effect_note(effect: Incident) -> str:
    """Return what the timeline of a cause says of an incident that was there before it."""
    return f"{effect.number} ({effect.service}) depends on this, and was seen before: {effect.title}"
