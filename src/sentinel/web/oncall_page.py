"""The page of rotas: a month of each, who is on call when, where nobody is, and who changed it (rules ESC-5, ESC-6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core import oncall
from sentinel.core.calendar import instant_of
from sentinel.core.oncall import Cycle, Gap, Off, Shift, Stretch
from sentinel.core.rota import Entry, Rota
from sentinel.web import bodies, identity, moments, people
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.oncall import Fill, Swap, put, rota_of, week_of
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back

HERE: Final = "/oncall"
ROTAS_MAX: Final = 12  # On one page; the others are a link away.
WEEKS_MAX: Final = 12  # That a form offers, from the present one on.
LATELY_MAX: Final = 20

_MONTH: Final = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
Standing = Literal["filled", "over", "off", "empty", "late"]


class Month(NamedTuple):
    """A month of the site's calendar, and the ones beside it, each as ``2026-11``."""

    name: str
    before: str
    after: str
    begins_at: datetime
    ends_at: datetime


class Run(NamedTuple):
    """Somebody on call, or a gap when ``person`` is empty; what the rota does not cover in between is left out."""

    person: str
    starts_at: datetime
    ends_at: datetime
    why: str
    entry: Entry | None


class Line(NamedTuple):
    """One cycle of a rota: ``week`` is that of the calendar where cycles are weeks, else nothing."""

    cycle: Cycle
    week: int | None
    here: bool
    standing: Standing
    runs: tuple[Run, ...]
    entries: tuple[Entry, ...]


class Shown(NamedTuple):
    """A rota with its month; ``weeks`` are those that somebody may be put on call for, ``empty`` the first to fill."""

    rota: Rota
    now: Stretch
    person: str
    filled_until: datetime
    lines: tuple[Line, ...]
    weeks: tuple[str, ...]
    empty: str
    lately: tuple[Entry, ...]


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", f"{HERE}/{{rota}}/fill", fill),
        Route("POST", f"{HERE}/{{rota}}/swap", swap),
        Route("POST", f"{HERE}/changes/{{id}}/undo", undo),
    ]


async def show(request: web.Request) -> web.Response:
    """Show a month of every rota, or of one."""
    bodies.known_parameters(request, "month", "rota", "lang", "theme")
    context = request.app[CONTEXT]
    now, settings = context.now(), context.settings()
    month = _month(request.query.get("month", ""), ZoneInfo(settings.timezone), now)
    name = request.query.get("rota", "")
    every = list(context.rotas.current.values())
    wanted = [rota_of(name, context)] if name else every[:ROTAS_MAX]
    entries = context.rotas.entries()
    who = identity.of(request)
    mine = who.acts_as if who is not None and who.acts_as in settings.directory.people else ""
    return render(
        request,
        "oncall.html",
        month=month,
        only=name,
        rotas=[_shown(rota, entries, month, now) for rota in wanted],
        others=[rota for rota in every if rota not in wanted],
        mine=mine if any(rota.published for rota in every) else "",
        may_change=who is not None and who.has("work"),
        holds=lambda entry: not entry.undone_by and entry.ends_at > now,
        field=lambda at: moments.field(at, settings.timezone),
    )


async def fill(request: web.Request) -> web.Response:
    """Put somebody on call: for a week, or from one moment until another."""
    form, context = await _form(request), request.app[CONTEXT]
    rota = rota_of(request.match_info["rota"], context)
    body = Fill(who=form.get("who", ""), note=form.get("note", ""), by=form.get("by", ""))
    if form.get("week"):
        entry = await put(request, rota, body, kind="fill", time=week_of(rota, form["week"]))
    else:
        entry = await put(request, rota, body, kind="override", time=_time(form, context))
    return went_back(request, _back(rota, entry, context), entry.by)


async def swap(request: web.Request) -> web.Response:
    """Put each of two people where the other was."""
    form, context = await _form(request), request.app[CONTEXT]
    rota = rota_of(request.match_info["rota"], context)
    body = Swap(
        who=form.get("who", ""),
        with_=form.get("with", ""),
        from_=context.now(),
        until=context.now(),
        note=form.get("note", ""),
        by=form.get("by", ""),
    )
    entry = await put(request, rota, body, kind="swap", time=_time(form, context), with_=body.with_)
    return went_back(request, _back(rota, entry, context), entry.by)


async def undo(request: web.Request) -> web.Response:
    """Take a change back."""
    form, context = await _form(request), request.app[CONTEXT]
    by = people.acting(request, form.get("by", ""))
    entry = await context.rotas.undo(request.match_info["id"], by)
    return went_back(request, _back(context.rotas.current.get(entry.rota), entry, context), by)


async def _form(request: web.Request) -> dict[str, str]:
    return {name: str(value).strip() for name, value in (await bodies.form(request)).items()}


def _time(form: dict[str, str], context: Context) -> tuple[datetime, datetime]:
    zone = context.settings().timezone
    begin, end = (moments.read(form.get(name, ""), zone, name) for name in ("from", "until"))
    if begin is None or end is None:
        raise Problem(400, "Give a week, or `from` and `until`.")
    return begin, end


def _back(rota: Rota | None, entry: Entry, context: Context) -> str:
    """Return the page of the month in which a change begins."""
    local = entry.starts_at.astimezone(ZoneInfo(context.settings().timezone))
    anchor = f"#rota-{rota.id}" if rota is not None else ""
    return f"{HERE}?month={local:%Y-%m}{anchor}"


def _month(written: str, zone: ZoneInfo, now: datetime) -> Month:
    """Return the month that is asked for, or the one of now.

    Raises:
        Problem: 400 it is no month, or one that calendars do not know.
    """
    local = now.astimezone(zone)
    found = _MONTH.fullmatch(written or f"{local:%Y-%m}")
    year, month = (int(found[1]), int(found[2])) if found else (0, 0)
    if not bodies.FIRST_YEAR <= year <= bodies.LAST_YEAR or not 1 <= month <= 12:
        raise Problem(400, "`month` must be a month: 2026-11.")
    before = (year - 1, 12) if month == 1 else (year, month - 1)
    after = (year + 1, 1) if month == 12 else (year, month + 1)
    begins_at, ends_at = (instant_of(datetime(*one, 1), zone) for one in ((year, month), after))  # noqa: DTZ001  local
    return Month(f"{year}-{month:02}", "{}-{:02}".format(*before), "{}-{:02}".format(*after), begins_at, ends_at)


def _shown(rota: Rota, every: list[Entry], month: Month, now: datetime) -> Shown:
    present = oncall.on_call(rota, now)
    weeks = _weeks(rota, now)
    missing = oncall.filled_until(rota, now)
    return Shown(
        rota,
        present,
        oncall.person_at(rota, now),
        missing,
        tuple(_line(rota, cycle, now) for cycle in _cycles(rota, month)),
        tuple(dict.fromkeys(weeks.values())),
        weeks.get(oncall.cycle_at(rota, missing).number, "") if missing < now + oncall.LOOK_AHEAD else "",
        tuple([entry for entry in reversed(every) if entry.rota == rota.id][:LATELY_MAX]),
    )


def _cycles(rota: Rota, month: Month) -> Iterator[Cycle]:
    cycle = oncall.cycle_at(rota, month.begins_at)
    while cycle.starts_at < month.ends_at:
        yield cycle
        cycle = oncall.cycle_after(rota, cycle)


def _weeks(rota: Rota, now: datetime) -> dict[int, str]:
    """Return the weeks in which the next cycles begin, by the number of each cycle."""
    found: dict[int, str] = {}
    cycle = oncall.cycle_at(rota, now)
    while len(set(found.values())) < WEEKS_MAX:
        found[cycle.number] = _week_of(rota.cycles.day_of(cycle.number))
        cycle = oncall.cycle_after(rota, cycle)
    return found


def _week_of(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _line(rota: Rota, cycle: Cycle, now: datetime) -> Line:
    runs = _runs(rota, oncall.stretches(rota, cycle.starts_at, cycle.ends_at))
    weekly = rota.cycles.days == 7
    return Line(
        cycle,
        rota.cycles.day_of(cycle.number).isocalendar().week if weekly else None,
        cycle.starts_at <= now < cycle.ends_at,
        _standing(rota, cycle, runs, now),
        runs,
        tuple(one for one in rota.entries if one.starts_at < cycle.ends_at and cycle.starts_at < one.ends_at),
    )


def _standing(rota: Rota, cycle: Cycle, runs: tuple[Run, ...], now: datetime) -> Standing:
    if cycle.ends_at <= now:
        return "over"
    if not runs:
        return "off"
    if any(not run.person and run.ends_at > now for run in runs):
        return "late" if now >= cycle.starts_at - rota.fill_by else "empty"
    return "filled"


def _runs(rota: Rota, found: list[Stretch]) -> tuple[Run, ...]:
    entries = {entry.id: entry for entry in rota.entries if entry.id}
    runs: list[Run] = []
    for one in found:
        if isinstance(one, Off):
            continue
        assert isinstance(one, Shift | Gap), "somebody is on call, or should be"
        shift = one if isinstance(one, Shift) else None
        person, why = (shift.person, shift.why) if shift else ("", "")
        entry = entries.get(shift.entry) if shift else None
        if runs and (runs[-1].person, runs[-1].why, runs[-1].entry) == (person, why, entry):
            runs[-1] = runs[-1]._replace(ends_at=one.ends_at)
        else:
            runs.append(Run(person, one.starts_at, one.ends_at, why, entry))
    return tuple(runs)
