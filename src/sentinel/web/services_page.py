"""The pages of services: all of them, and one with what was agreed about it, how it stands, and how it was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup

from sentinel.core import occasions
from sentinel.core.business import OutOfCalendar, Period
from sentinel.core.change import Change
from sentinel.core.model import PRIORITIES
from sentinel.core.report.model import DayFigure, NoService, Report, ServiceReport, Wanted
from sentinel.core.sla import CLOCKS, Contract, Target
from sentinel.core.state import Incident
from sentinel.messages.catalogue import Voice
from sentinel.reporting.words import Words
from sentinel.store.base import StoreUnavailable
from sentinel.web import bodies, charts, people
from sentinel.web.board import RANK, board, line_of
from sentinel.web.charts import WHOLE_PERCENT, Bar
from sentinel.web.context import CONTEXT, Agreed, Context
from sentinel.web.guard import Route
from sentinel.web.history import DAYS_SHOWN
from sentinel.web.ordering import queued
from sentinel.web.overview import overview
from sentinel.web.problem import Problem
from sentinel.web.rendering import render
from sentinel.web.wording import Wording, wording

SERVICES_MAX: Final = 100
INCIDENTS_MAX: Final = 50
PROBES_MAX: Final = 50
CHANGES_MAX: Final = 10
FRESH_FOR: Final = timedelta(minutes=1)
PAGES_MAX: Final = 1_000_000


class Month(NamedTuple):
    """A month of a service: its name as ``2026-11``, how much it was there, for how long it was not."""

    name: str
    percent: float | None
    downtime_s: float


class Kept:
    """The last report on all services: made once a minute at most, and by one request at a time."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.report: Report | None = None
        self.making = asyncio.Lock()

    def fresh(self, now: datetime) -> bool:
        """Tell whether the report is from now."""
        return self.at is not None and timedelta(0) <= now - self.at < FRESH_FOR


KEPT: Final = web.AppKey("SERVICES", Kept)


async def _reports(request: web.Request) -> Mapping[str, ServiceReport]:
    """Return how each service was over the months that are shown; nothing where nobody can say."""
    context, kept = request.app[CONTEXT], request.app[KEPT]
    async with kept.making:
        now = context.now()
        if not kept.fresh(now):
            period = _period(now, ZoneInfo(context.settings().timezone))
            try:
                kept.report = await context.report(Wanted(period=period, quick=True))
            except (NoService, StoreUnavailable, OutOfCalendar):
                kept.report = None
            kept.at = now
        report = kept.report
    return {one.service: one for one in report.services} if report is not None else {}


def _period(now: datetime, zone: ZoneInfo) -> Period:
    """Return the last ninety days, and what is missing of the month before this one."""
    today = now.astimezone(zone).date()
    month_before = today.replace(day=1) - timedelta(days=1)
    return occasions.days(min(today - timedelta(days=DAYS_SHOWN - 1), month_before.replace(day=1)), today, zone)


# ---------------------------------------------------------------------------------------------------------- all of them


async def show_all(request: web.Request) -> web.Response:
    """List the services, those in trouble first."""
    context = request.app[CONTEXT]
    seen, words = overview(request), wording(request, context.settings(), context.now())
    open_of: dict[str, list[Incident]] = {}
    for state in context.desk.open():
        if state.active and state.kind == "incident":
            open_of.setdefault(state.service, []).append(state)
    names = sorted(context.settings().services, key=lambda name: (name not in open_of, RANK[seen.worst(name)]))
    pages = max(1, -(-len(names) // SERVICES_MAX))
    page = min(bodies.number(request, "page", 1, PAGES_MAX), pages)
    shown = names[(page - 1) * SERVICES_MAX : page * SERVICES_MAX]
    reports = await _reports(request)
    return render(
        request,
        "services.html",
        names=shown,
        page=page,
        pages=pages,
        seen=seen,
        open_of=open_of,
        strips={name: _strip(reports[name], words) for name in shown if name in reports},
        months={name: _months(reports[name], words.zone)[0] for name in shown if name in reports},
        percent=Words(words.language, words.zone).percent,
    )


def _strip(report: ServiceReport, words: Wording) -> Markup:
    levels = [charts.level_of(day.percent) for day in _shown(report)]
    return charts.strip(levels, said(report, words))


# ----------------------------------------------------------------------------------------------------------------- one


async def show(request: web.Request) -> web.Response:
    """Show one service."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    agreed = context.agreed(name)
    if agreed is None:
        raise Problem(404, f"There is no service `{bodies.line(name)}`.")
    words = wording(request, context.settings(), context.now())
    report = (await _reports(request)).get(name)
    probes = [one.rows for one in board(request).probes if one.rows[0].plan.service == name]
    return render(
        request,
        "service.html",
        name=name,
        agreed=agreed,
        state=overview(request).worst(name),
        lines=[line_of(rows) for rows in probes[:PROBES_MAX]],
        more_lines=max(0, len(probes) - PROBES_MAX),
        incidents=_incidents(context, name)[:INCIDENTS_MAX],
        changes=_changes(context, name),
        report=report,
        bars=_bars(report, words) if report else "",
        said=said(report, words) if report else "",
        first_day=_shown(report)[0].begins_at.astimezone(words.zone).date() if report else None,
        last_day=_shown(report)[-1].begins_at.astimezone(words.zone).date() if report else None,
        months=_months(report, words.zone) if report else (),
        contacts=_contacts(agreed, context, words),
        promised=promised(agreed.contract, words) if agreed.contract else (),
        numbers=Words(words.language, words.zone),
    )


def _incidents(context: Context, name: str) -> list[Incident]:
    """Return the open incidents of a service in the order of work; what somebody asked for is no incident."""
    found = [one for one in context.desk.open() if one.active and one.kind == "incident" and one.service == name]
    return queued(found)


def _shown(report: ServiceReport) -> Sequence[DayFigure]:
    return report.days[-DAYS_SHOWN:]


def _changes(context: Context, name: str) -> list[Change]:
    """Return the planned changes of a service that are not over, the next first."""
    if context.changes is None:
        return []
    mine = (one for one in context.changes.open() if name in one.services)
    return sorted(mine, key=lambda one: one.begins_at)[:CHANGES_MAX]


def _bars(report: ServiceReport, words: Wording) -> Markup:
    return charts.bars([_bar(day, words) for day in _shown(report)], said(report, words))


def _bar(day: DayFigure, words: Wording) -> Bar:
    written = words.day(day.begins_at.astimezone(words.zone).date())
    if day.percent is None:
        return Bar("none", words.say("service_day_none", day=written))
    numbers = Words(words.language, words.zone)
    text = words.say("service_day", day=written, percent=numbers.percent(day.percent))
    if day.downtime_s:
        text += words.say("service_day_down", down=numbers.hours(day.downtime_s))
    return Bar(charts.level_of(day.percent), text)


def said(report: ServiceReport, words: Wording) -> str:
    """Say what the bars show."""
    percent = percent_of(_shown(report))
    if percent is None:
        return words.say("service_bars_none", days=DAYS_SHOWN)
    bad = sum(day.downtime_s > 0 for day in _shown(report))
    written = Words(words.language, words.zone).percent(percent)
    return words.say("service_bars", days=DAYS_SHOWN, percent=written, bad=bad)


def percent_of(days: Iterable[DayFigure]) -> float | None:
    """Return how much of the time that counts a service was there; nothing where none counts."""
    accountable_s = downtime_s = 0.0
    for day in days:
        accountable_s, downtime_s = accountable_s + day.accountable_s, downtime_s + day.downtime_s
    return WHOLE_PERCENT * (accountable_s - downtime_s) / accountable_s if accountable_s else None


def _months(report: ServiceReport, zone: ZoneInfo) -> list[Month]:
    """Return this month and the one before, as far as they are over."""
    by_month: dict[str, list[DayFigure]] = {}
    for day in report.days:
        by_month.setdefault(f"{day.begins_at.astimezone(zone):%Y-%m}", []).append(day)
    newest = sorted(by_month, reverse=True)[:2]
    return [Month(one, percent_of(by_month[one]), sum(day.downtime_s for day in by_month[one])) for one in newest]


def promised(contract: Contract, words: Wording) -> list[tuple[str, list[str]]]:
    """Return what a contract promises: for each priority its targets in words, in the order of the clocks."""
    found: list[tuple[str, list[str]]] = []
    for priority in PRIORITIES:
        targets = [target for clock in CLOCKS if (target := contract.target(clock, priority)) is not None]
        if targets:
            found.append((priority, [_in_words(target, words) for target in targets]))
    return found


def _in_words(target: Target, words: Wording) -> str:
    allowed = target.allowed
    voice = Voice(words.language, words.zone)
    length = words.say("service_days", days=allowed.days) if allowed.days else voice.duration(allowed.time)
    calendar = words.named("service_calendar", target.calendar)
    return words.say("service_target", clock=words.clock(target.clock), length=length, calendar=calendar)


def _contacts(agreed: Agreed, context: Context, words: Wording) -> list[tuple[str, str]]:
    """Return who is in charge, by role: people by their names, groups and rotas as what they are."""
    directory = context.settings().directory

    def said_of(one: str) -> str:
        kind, colon, name = one.partition(":")
        return words.say("service_whom", kind=words.named("service_kind", kind), name=name) if colon else shown(one)

    def shown(one: str) -> str:
        return people.shown(one, directory)

    return [
        (words.named("service_role", role), ", ".join(said_of(one) for one in who))
        for role, who in agreed.contacts.items()
        if who
    ]


def routes() -> list[Route]:
    """Return the pages."""
    return [Route("GET", "/services", show_all), Route("GET", "/services/{name}", show)]
