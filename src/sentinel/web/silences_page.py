"""The page of silences: what is hidden now, what will be, what comes again, and how much a new one would hide."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core.matching import LONG, WIDE_TARGETS, Silence, written
from sentinel.core.model import Refused
from sentinel.engine.recurring_silences import Wanted
from sentinel.web import bodies, identity, moments, people, silencing
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.probes import MATCHERS_MAX, SILENCE_MAX
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back
from sentinel.web.views import silence_view

HERE: Final = "/silences"
SHOWN_MAX: Final = 50
LENGTHS_M: Final = (30, 60, 120, 240, 480, 1440, 2880)  # That a form offers, in minutes.
LENGTH_DEFAULT_M: Final = 120
FIELDS: Final = ("service", "probe", "target", "match", "from", "until", "for", "every", "comment")


class Look(NamedTuple):
    """What somebody is about to silence; ``problem`` says why it cannot be."""

    silence: Silence | None = None
    targets: int = 0
    problem: str = ""

    @property
    def wants_reason(self) -> bool:
        """Tell whether it must say why."""
        return self.silence is not None and self.silence.needs_reason(self.targets)


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", HERE, add),
        Route("POST", f"{HERE}/{{id}}/end", end),
        Route("POST", f"{HERE}/recurring/{{id}}/end", end_recurring),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the silences; with what to silence in the address, show first how much that would hide."""
    bodies.known_parameters(request, "page", "lang", "theme", *FIELDS)
    context = request.app[CONTEXT]
    asked = {name: request.query.get(name, "").strip() for name in FIELDS}
    look = await _look(request, asked) if any(asked[name] for name in FIELDS[:4]) else Look()
    page = bodies.number(request, "page", 1, 1_000)
    every: list[Silence] = await context.read(context.store.silences, context.now())
    every.sort(key=lambda one: (one.starts_at > context.now(), one.ends_at))
    shown = every[(page - 1) * SHOWN_MAX : page * SHOWN_MAX]
    recurring = context.recurring
    who = identity.of(request)
    response = render(
        request,
        "silences.html",
        silences=shown,
        counts=await silencing.counted(request, shown),
        page=page,
        pages=-(-len(every) // SHOWN_MAX),
        asked=asked,
        look=look,
        lengths=[timedelta(minutes=one) for one in LENGTHS_M],
        length=_length(asked["for"]) or timedelta(minutes=LENGTH_DEFAULT_M),
        wide=WIDE_TARGETS,
        long=LONG,
        said=recurring.all()[:SHOWN_MAX] if recurring is not None else (),
        configured=recurring.configured()[:SHOWN_MAX] if recurring is not None else (),
        view=silence_view,
        may_change=who is not None and who.has("work"),
    )
    if look.problem:
        response.set_status(400)
    return response


async def add(request: web.Request) -> web.Response:
    """Add a silence, or one that comes again and again."""
    form = {name: str(value).strip() for name, value in (await bodies.form(request)).items()}
    context, by = request.app[CONTEXT], people.acting(request, form.get("by", ""))
    if form.get("every"):
        await _again(context, form, by)
        return went_back(request, f"{HERE}#again", by)
    silence = _wanted(form, context, by)
    (targets,) = await silencing.count_targets(context.live, [silence])
    silencing.weigh(silence, targets)
    await context.desk.silence(silence)
    return went_back(request, f"{HERE}#s-{silence.id}", by)


async def end(request: web.Request) -> web.Response:
    """End a silence now."""
    by = people.acting(request, str((await bodies.form(request)).get("by", "")))
    await silencing.expire(request.app[CONTEXT], request.match_info["id"], by)
    return went_back(request, HERE, by)


async def end_recurring(request: web.Request) -> web.Response:
    """Have a silence come no more; the one in force ends."""
    by = people.acting(request, str((await bodies.form(request)).get("by", "")))
    context, name = request.app[CONTEXT], request.match_info["id"]
    if context.recurring is None or await context.recurring.remove(name) is None:
        raise Problem(404, f"There is no silence `{bodies.line(name)}` that comes again.")
    return went_back(request, f"{HERE}#again", by)


async def _again(context: Context, form: dict[str, str], by: str) -> None:
    length = _length(form.get("for", ""))
    wanted = Wanted(
        matchers=tuple(_texts(form)),
        every=bodies.line(form["every"]),
        for_s=length.total_seconds() if length and ":" not in form["every"] else 0.0,  # Hours of the week end.
        comment=bodies.lines(form.get("comment", "")),
        by=by,
    )
    assert context.recurring is not None, "the daemon always has them"
    try:
        await context.recurring.add(wanted)
    except Refused as refusal:
        raise Problem(400, str(refusal)) from refusal


async def _look(request: web.Request, asked: dict[str, str]) -> Look:
    context = request.app[CONTEXT]
    try:
        silence = _wanted(asked, context, "")
    except Problem as problem:
        return Look(problem=problem.detail)
    (targets,) = await silencing.count_targets(context.live, [silence])
    return Look(silence, targets)


def _wanted(form: dict[str, str], context: Context, by: str) -> Silence:
    """Return the silence that a form describes.

    Raises:
        Problem: 400 it makes no sense.
    """
    now, zone = context.now(), context.settings().timezone
    starts_at = moments.read(form.get("from", ""), zone, "from") or now
    until, length = moments.read(form.get("until", ""), zone, "until"), _length(form.get("for", ""))
    ends_at = until or starts_at + (length or timedelta(minutes=LENGTH_DEFAULT_M))
    if ends_at <= max(now, starts_at) or ends_at - starts_at > SILENCE_MAX:
        raise Problem(400, f"A silence ends after it starts, in the future, and lasts {SILENCE_MAX.days} days at most.")
    try:
        matchers = tuple(written(text) for text in _texts(form))
    except ValueError as error:
        raise Problem(400, f"{error}.") from error
    return Silence(
        id=uuid.uuid4().hex[:12],
        matchers=matchers,
        starts_at=starts_at,
        ends_at=ends_at,
        by=by,
        comment=bodies.lines(form.get("comment", "")),
        updated_at=now,
    )


def _texts(form: dict[str, str]) -> list[str]:
    """Return the matchers of a form: its simple fields, and what stands in its free one, a line or a comma each.

    Raises:
        Problem: 400 there is none, or there are too many.
    """
    simple = [f"{name}={bodies.line(form[name])}" for name in FIELDS[:3] if form.get(name)]
    free = form.get("match", "").replace(",", "\n").splitlines()
    found = simple + [bodies.line(text, bodies.TEXT_MAX_CHARS) for text in free if text.strip()]
    if not 1 <= len(found) <= MATCHERS_MAX:
        raise Problem(400, f"Say what is to be silenced: 1 to {MATCHERS_MAX} matchers such as service=campus.")
    return found


def _length(written_m: str) -> timedelta | None:
    """Return a length that was chosen, in minutes."""
    known = {str(one) for one in LENGTHS_M}
    return timedelta(minutes=int(written_m)) if written_m in known else None
