"""The API of planned changes and of fixes that wait for their delivery (rules CHG-1 to CHG-7)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from sentinel.core.change import Change
from sentinel.core.change_facts import Fact, Outcome
from sentinel.core.change_plan import Wanted
from sentinel.core.fixes import Fix
from sentinel.core.quality import QualityLevel, written
from sentinel.core.quality_words import LABELS, read
from sentinel.engine.changes import Changes
from sentinel.web import bodies, paging, people, tenancy
from sentinel.web.bodies import Body, Labels, Name, Text, Title
from sentinel.web.context import CONTEXT, Context
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem

LIMIT_MAX: Final = 1_000
SERVICES_MAX: Final = 100
STATES: Final = frozenset(
    {"refused", "planned", "announced", "preparing", "under_way", "stopped", "finished", "cancelled"}
)
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """A change in a list. ``maintenance`` tells whether its window is open, ``verified`` whether all was well after."""

    number: str
    title: str
    services: tuple[str, ...]
    state: str
    level: QualityLevel | None
    begins_at: datetime
    ends_at: datetime
    announce_at: datetime
    announced_at: datetime | None
    began_at: datetime | None
    started_at: datetime | None
    started_by: str
    overran_at: datetime | None
    ended_at: datetime | None
    ended_by: str
    maintenance: bool
    verified: bool | None
    incidents: tuple[str, ...]
    planned_by: str
    forced_by: str
    why: str


class ChangePage(ChangeView, frozen=True, kw_only=True):
    """One change with all that is known of it; ``reasons`` are those of its services' quality levels."""

    facts: dict[str, str]
    reasons: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    timeline: tuple[Fact, ...]


class FixView(msgspec.Struct, frozen=True, kw_only=True):
    """A validated fix that waits; ``owed`` tells whether the improvement level of its service obliges to deliver it."""

    number: str
    service: str
    title: str
    component: str
    since: datetime
    age_s: float
    owed: bool
    by: str


class Plan(Body, frozen=True):
    """A change to plan; ``facts`` are those that ``change check`` takes."""

    title: Title
    services: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=SERVICES_MAX)]
    begins_at: Moment
    ends_at: Moment
    facts: Labels = {}
    force: bool = False
    why: Text = ""
    by: Name = ""


class Act(Body, frozen=True):
    """Who acts, and why."""

    by: Name = ""
    why: Text = ""
    backed_up: bool = False
    incident: Name = ""


class AddFix(Body, frozen=True):
    """A fix that is validated."""

    service: Name
    title: Title
    component: Name = ""
    since: Moment | None = None
    by: Name = ""


class Deliver(Body, frozen=True):
    """Who delivered it, and by which change."""

    by: Name = ""
    change: Name = ""


# -------------------------------------------------------------------------------------------------------------- looking


async def list_changes(request: web.Request) -> web.Response:
    """List changes, the newest plan first; ``state=open`` is those to which something can still happen."""
    bodies.known_parameters(request, "service", "state", "limit", "cursor")
    context, service, state = request.app[CONTEXT], request.query.get("service", ""), request.query.get("state", "")
    if state and state not in STATES | {"open"}:
        raise Problem(400, f"`state` must be open or one of {', '.join(sorted(STATES))}.")
    found = [
        change
        for change in reversed(known(context).all())
        if (not service or service in change.services)
        and tenancy.sees(request, change.services)
        and (not state or change.phase == state or (state == "open" and not change.over))
    ]
    shown = paging.page(request, found, lambda change: change.number, LIMIT_MAX)
    return bodies.json([ChangeView(**_common(change, context)) for change in shown])


async def show_change(request: web.Request) -> web.Response:
    """Show one change."""
    bodies.known_parameters(request)
    context = request.app[CONTEXT]
    return bodies.json(_page(known(context).get(numbered(request.match_info["number"], "CHG")), context))


async def list_fixes(request: web.Request) -> web.Response:
    """List the fixes that wait for their delivery, the oldest first."""
    bodies.known_parameters(request, "service", "limit", "cursor")
    context, service = request.app[CONTEXT], request.query.get("service", "")
    found = [fix for fix in known(context).fixes() if not service or fix.service == service]
    return paging.listed(request, [_fix(fix, context) for fix in found], lambda fix: fix.number)


# ------------------------------------------------------------------------------------------------------------- changing


async def plan(request: web.Request) -> web.Response:
    """Plan a change, if the quality levels of its services allow it."""
    body = await bodies.read(request, Plan)
    context = request.app[CONTEXT]
    for label in ("notice", "at"):
        if label in body.facts:
            raise Problem(400, f"`{label}` follows from when the change begins.")
    try:
        facts = read(body.facts, ZoneInfo(context.settings().timezone))
    except ValueError as error:
        raise Problem(400, f"{bodies.line(str(error))}.") from error
    wanted = Wanted(
        title=bodies.line(body.title),
        services=tuple(dict.fromkeys(body.services)),
        begins_at=body.begins_at.astimezone(UTC),
        ends_at=body.ends_at.astimezone(UTC),
        facts=facts,
        by=people.acting(request, body.by),
        force=body.force,
        why=bodies.lines(body.why),
    )
    return bodies.json(_page(await known(context).plan(wanted), context), status=201)


async def _start(changes: Changes, number: str, by: str, act: Act, _context: Context) -> Change:
    return await changes.start(number, by, backed_up=act.backed_up)


async def _finish(_changes: Changes, number: str, by: str, _act: Act, context: Context) -> Change:
    return await context.finish_change(number, by)


async def _cancel(changes: Changes, number: str, by: str, act: Act, _context: Context) -> Change:
    return await changes.cancel(number, by, bodies.lines(act.why))


async def _link(changes: Changes, number: str, by: str, act: Act, _context: Context) -> Change:
    return await changes.link(number, number_of(act.incident), by)


async def _unlink(changes: Changes, number: str, by: str, act: Act, _context: Context) -> Change:
    await changes.unlink(number_of(act.incident), by)
    return changes.get(number)


Doing = Callable[[Changes, str, str, Act, Context], Awaitable[Change]]
DOINGS: Final[dict[str, Doing]] = {
    "start": _start,
    "finish": _finish,
    "cancel": _cancel,
    "link": _link,
    "unlink": _unlink,
}


async def act(request: web.Request) -> web.Response:
    """Do what the last part of the path says with a change."""
    body = await bodies.read(request, Act)
    context, number = request.app[CONTEXT], numbered(request.match_info["number"], "CHG")
    doing = DOINGS[request.path.rpartition("/")[2]]
    return bodies.json(
        _page(await doing(known(context), number, people.acting(request, body.by), body, context), context)
    )


async def add_fix(request: web.Request) -> web.Response:
    """Keep that a fix is validated and waits for its delivery."""
    body = await bodies.read(request, AddFix)
    context = request.app[CONTEXT]
    fix = Fix(
        service=body.service,
        title=bodies.line(body.title),
        component=bodies.line(body.component),
        since=(body.since or context.now()).astimezone(UTC),
        by=people.acting(request, body.by),
    )
    return bodies.json(_fix(await known(context).add_fix(fix), context), status=201)


async def deliver_fix(request: web.Request) -> web.Response:
    """Keep that a fix was delivered."""
    body = await bodies.read(request, Deliver)
    context = request.app[CONTEXT]
    number, change = numbered(request.match_info["number"], "FIX"), numbered(body.change, "CHG") if body.change else ""
    return bodies.json(_fix(await known(context).deliver_fix(number, people.acting(request, body.by), change), context))


# ---------------------------------------------------------------------------------------------------------- small steps


def numbered(text: str, prefix: str) -> str:
    """Return the number of a change or fix as it is written, from ``CHG-3``, ``chg-3`` or ``3``.

    Raises:
        Problem: 404 it is none.
    """
    found = re.fullmatch(rf"(?:{prefix}-)?([1-9][0-9]{{0,8}})", text, re.IGNORECASE | re.ASCII)
    if found is None:
        raise Problem(404, f"`{bodies.line(text)}` is no number such as {prefix}-3.")
    return f"{prefix}-{found[1]}"


def known(context: Context) -> Changes:
    """Return the changes of the daemon."""
    assert context.changes is not None, "a daemon has them"
    return context.changes


def _common(change: Change, context: Context) -> dict[str, Any]:
    same = (name for name in ChangeView.__struct_fields__ if name not in {"state", "maintenance"})
    fields = {name: getattr(change, name) for name in same}
    return {**fields, "state": change.phase, "maintenance": change.holds(context.now())}


def _page(change: Change, context: Context) -> ChangePage:
    said = {label: written(getattr(change.facts, label)) for label in LABELS}
    return ChangePage(
        **_common(change, context),
        facts={label: value for label, value in said.items() if value},
        reasons=tuple(reason.text for reason in change.reasons),
        outcomes=change.outcomes,
        timeline=tuple(known(context).timeline(change.number)),
    )


def _fix(fix: Fix, context: Context) -> FixView:
    return FixView(
        number=fix.number,
        service=fix.service,
        title=fix.title,
        component=fix.component,
        since=fix.since,
        age_s=(context.now() - fix.since).total_seconds(),
        owed=known(context).is_owed(fix),
        by=fix.by,
    )


def banner(context: Context) -> list[Change]:
    """Return what stands on every page: windows that are open, and those announced (rule CHG-6)."""
    if context.changes is None:
        return []
    shown = {"announced", "preparing", "under_way"}
    return sorted((one for one in context.changes.open() if one.phase in shown), key=lambda one: one.begins_at)
