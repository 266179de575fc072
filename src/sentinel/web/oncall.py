"""The API of rotas and their calendars: who is on call, until when nobody is missing, and who changed what."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from sentinel.core import oncall
from sentinel.core.model import Refused
from sentinel.core.oncall import Gap, Off, Shift, Stretch
from sentinel.core.rota import Entry, EntryKind, Rota
from sentinel.web import bodies, ics, paging, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem

AHEAD_DEFAULT = timedelta(days=28)
FEED_BEHIND = timedelta(days=31)
FEED_AHEAD = timedelta(days=180)
FIRST_YEAR, LAST_YEAR = 2001, 2098

State = Literal["on_call", "gap", "off"]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_WEEK = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_STATES: dict[type, State] = {Shift: "on_call", Gap: "gap", Off: "off"}


class StretchView(msgspec.Struct, frozen=True, kw_only=True):
    """Someone on call, a gap, or a time that the rota does not cover.

    ``title`` is the rota's name, ``why`` how it came to that, ``change`` the id of what somebody changed.
    """

    rota: str
    title: str
    state: State
    person: str | None
    name: str | None
    starts_at: datetime
    ends_at: datetime
    why: str | None = None
    change: str | None = None


class OnCallView(StretchView, frozen=True, kw_only=True):
    """One rota at a moment; ``filled_until`` is when its next gap begins, a year ahead when there is none."""

    filled_until: datetime


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody put over a rota."""

    id: str
    rota: str
    kind: EntryKind
    who: str
    with_: str = msgspec.field(name="with", default="")
    starts_at: datetime
    ends_at: datetime
    by: str
    made_at: datetime | None
    note: str
    undone_by: str


class Fill(Body, frozen=True):
    """Put somebody on call: for the cycles that begin in an ISO week, or from one moment until another."""

    who: Name
    week: Name = ""
    from_: Moment | None = msgspec.field(name="from", default=None)
    until: Moment | None = None
    note: Text = ""
    by: Name = ""


class Swap(Body, frozen=True):
    """Put each of two people where the other was."""

    who: Name
    with_: Name = msgspec.field(name="with")
    from_: Moment = msgspec.field(name="from")
    until: Moment
    note: Text = ""
    by: Name = ""


class Undo(Body, frozen=True):
    """Who takes it back."""

    by: Name = ""


# -------------------------------------------------------------------------------------------------------------- looking


async def list_on_call(request: web.Request) -> web.Response:
    """Say of every rota who is on call."""
    bodies.known_parameters(request, "at", "rota")
    context = request.app[CONTEXT]
    at = _moment(request, "at", context.now())
    return bodies.json([_on_call(rota, at, context) for rota in _asked(request, context)])


async def list_shifts(request: web.Request) -> web.Response:
    """List who is on call in a time, gaps among them."""
    bodies.known_parameters(request, "rota", "person", "from", "until", "week")
    context = request.app[CONTEXT]
    person = people.known(bodies.line(request.query.get("person", "")), context.settings().directory)
    found = [one for rota in _asked(request, context) for one in _stretches(request, rota, context)]
    wanted = [one for one in found if not isinstance(one, Off) and (not person or getattr(one, "person", "") == person)]
    return bodies.json([_view(one, context) for one in wanted])


async def list_changes(request: web.Request) -> web.Response:
    """List what people put over the rotas, newest first."""
    bodies.known_parameters(request, "rota", "limit", "cursor")
    context = request.app[CONTEXT]
    names = {rota.id for rota in _asked(request, context)}
    found = [_change(one) for one in reversed(context.rotas.entries()) if one.rota in names]
    return paging.listed(request, found, lambda one: one.id)


async def rota_feed(request: web.Request) -> web.Response:
    """Answer with the calendar of a rota, if it is published."""
    bodies.known_parameters(request)
    context = request.app[CONTEXT]
    rota = context.rotas.current.get(request.match_info["rota"])
    if rota is None or not rota.published:
        raise Problem(404, "There is no such calendar.")
    return _feed(rota.name, [(shift, rota.name) for shift in _published(rota, context)], context)


async def person_feed(request: web.Request) -> web.Response:
    """Answer with the calendar of a person: their shifts in every rota that is published."""
    bodies.known_parameters(request)
    context = request.app[CONTEXT]
    person = context.settings().directory.people.get(request.match_info["person"])
    published = [rota for rota in context.rotas.current.values() if rota.published]
    if person is None or not published:
        raise Problem(404, "There is no such calendar.")
    shifts = [
        (shift, rota.name) for rota in published for shift in _published(rota, context) if shift.person == person.id
    ]
    return _feed(person.name, shifts, context)


# ------------------------------------------------------------------------------------------------------------- changing


async def fill(request: web.Request) -> web.Response:
    """Put somebody on call."""
    body = await bodies.read(request, Fill)
    rota = rota_of(request.match_info["rota"], request.app[CONTEXT])
    if bool(body.week) == bool(body.from_ and body.until) or bool(body.from_) != bool(body.until):
        raise Problem(400, "Give `week`, or `from` and `until`.")
    if body.week:
        return _made(await put(request, rota, body, kind="fill", time=week_of(rota, body.week)))
    assert body.from_ is not None, "it was looked at above"
    assert body.until is not None, "it was looked at above"
    return _made(await put(request, rota, body, kind="override", time=(body.from_, body.until)))


async def swap(request: web.Request) -> web.Response:
    """Put each of two people where the other was."""
    body = await bodies.read(request, Swap)
    rota = rota_of(request.match_info["rota"], request.app[CONTEXT])
    return _made(await put(request, rota, body, kind="swap", time=(body.from_, body.until), with_=body.with_))


async def undo(request: web.Request) -> web.Response:
    """Take a change back."""
    body = await bodies.read(request, Undo)
    by = people.acting(request, body.by)
    return bodies.json(_change(await request.app[CONTEXT].rotas.undo(request.match_info["id"], by)))


async def put(
    request: web.Request,
    rota: Rota,
    body: Fill | Swap,
    *,
    kind: EntryKind,
    time: tuple[datetime, datetime],
    with_: str = "",
) -> Entry:
    """Put over a rota what somebody asks for; return it as it holds.

    Raises:
        Problem: 400 it makes no sense.
        Refused: it cannot be.
        StoreUnavailable: it is not on disk.
    """
    context = request.app[CONTEXT]
    directory = context.settings().directory
    if not time[0] < time[1]:
        raise Problem(400, "It ends before it begins.")
    entry = Entry(
        id=uuid.uuid4().hex[:12],
        rota=rota.id,
        kind=kind,
        who=people.known(bodies.line(body.who), directory),
        with_=people.known(bodies.line(with_), directory) if with_ else "",
        starts_at=_known_time(time[0], "from"),
        ends_at=_known_time(time[1], "until"),
        note=bodies.line(body.note),
        by=people.acting(request, body.by),
        made_at=context.now(),
    )
    return await context.rotas.put(entry)


def _made(entry: Entry) -> web.Response:
    return bodies.json(_change(entry), status=201)


# ---------------------------------------------------------------------------------------------------------- small steps


def rota_of(name: str, context: Context) -> Rota:
    """Return a rota as it is now.

    Raises:
        Problem: 404 there is none.
    """
    rota = context.rotas.current.get(name)
    if rota is None:
        raise Problem(404, f"There is no rota `{bodies.line(name)}`.")
    return rota


def _asked(request: web.Request, context: Context) -> list[Rota]:
    name = request.query.get("rota", "")
    return [rota_of(name, context)] if name else list(context.rotas.current.values())


def _moment(request: web.Request, name: str, default: datetime) -> datetime:
    written = request.query.get(name, "")
    if not written:
        return default
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Problem(400, f"`{name}` must be a moment with its offset: 2026-12-05T06:00:00+01:00.")
    return _known_time(moment, name)


def _known_time(moment: datetime, name: str) -> datetime:
    """Return a moment in UTC, if calendars know it."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Problem(400, f"`{name}` must lie in the years {FIRST_YEAR} to {LAST_YEAR}.")
    return moment.astimezone(UTC)


def week_of(rota: Rota, written: str) -> tuple[datetime, datetime]:
    """Return from when until when the cycles last that begin in a week: ``2026-W49``.

    Raises:
        Problem: 400 it is no week.
        Refused: no cycle begins in it.
    """
    found = _WEEK.fullmatch(written)
    if not found or not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise Problem(400, "`week` must be a week as ISO 8601 writes it: 2026-W49.")
    return oncall.week_of(rota, int(found[1]), int(found[2]))


def _stretches(request: web.Request, rota: Rota, context: Context) -> list[Stretch]:
    written = request.query.get("week", "")
    if written:
        try:
            return oncall.stretches(rota, *week_of(rota, written))
        except Refused:
            if "rota" in request.query:
                raise
            return []  # A rota whose turns are longer than a week need not begin one in each.
    start = _moment(request, "from", context.now())
    end = _moment(request, "until", start + AHEAD_DEFAULT)
    if end < start:
        raise Problem(400, "It ends before it begins.")
    return oncall.stretches(rota, start, end)


def _view(one: Stretch, context: Context) -> StretchView:
    directory = context.settings().directory
    shift = one if isinstance(one, Shift) else None
    return StretchView(
        rota=one.rota,
        title=context.rotas.current[one.rota].name,
        state=_STATES[type(one)],
        person=shift.person if shift else None,
        name=people.shown(shift.person, directory) if shift else None,
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        why=shift.why if shift else None,
        change=(shift.entry or None) if shift else None,
    )


def _on_call(rota: Rota, at: datetime, context: Context) -> OnCallView:
    view = _view(oncall.on_call(rota, at), context)
    fields = {name: getattr(view, name) for name in view.__struct_fields__}
    return OnCallView(**fields, filled_until=oncall.filled_until(rota, at))


def _change(entry: Entry) -> ChangeView:
    return ChangeView(**{name: getattr(entry, name) for name in ChangeView.__struct_fields__})


def _published(rota: Rota, context: Context) -> list[Shift]:
    now = context.now()
    return oncall.shifts(rota, now - FEED_BEHIND, now + FEED_AHEAD)


def _feed(title: str, shifts: Iterable[tuple[Shift, str]], context: Context) -> web.Response:
    names = {person.id: person.name for person in context.settings().directory.people.values()}
    written = ics.calendar(title, shifts, names, context.now())
    return web.Response(body=written.encode(), content_type=ics.CONTENT_TYPE, charset="utf-8")
