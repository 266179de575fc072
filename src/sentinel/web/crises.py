"""The API of crises: declare, answer, steps, messages, decisions, the cell, the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from sentinel.core import crisis_commands as cc
from sentinel.core.commands import Command
from sentinel.core.crisis_plan import CrisisLevel
from sentinel.core.state import Incident
from sentinel.messages.catalogue import Voice
from sentinel.web import bodies, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT
from sentinel.web.crisis_view import crisis_view
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.wording import LANGUAGES

EVERY_MAX_S = 86_400.0
Handler = Callable[[web.Request], Awaitable[web.Response]]
Given = Annotated[str, msgspec.Meta(min_length=1, max_length=bodies.NAME_MAX_CHARS)]


class Said(Body, frozen=True, kw_only=True):
    """Somebody does something, and says why or what."""

    by: Name = ""
    text: Text = ""


class Declared(Said, frozen=True, kw_only=True):
    """Somebody starts the crisis; ``security`` when that is in doubt."""

    trigger: Name = ""
    security: bool = False


class Step(Said, frozen=True, kw_only=True):
    """Somebody ticks a step, or one line of its checklist."""

    step: Given
    item: Text = ""


class Often(Body, frozen=True, kw_only=True):
    """The crisis call wants messages so often."""

    every_s: Annotated[float, msgspec.Meta(gt=0, le=EVERY_MAX_S)]
    by: Name = ""


class Recovery(Said, frozen=True, kw_only=True):
    """The disaster recovery plan: yes, no, or that it was started."""

    verdict: Literal["yes", "no", "started"]


class Beginning(Said, frozen=True, kw_only=True):
    """When the outage began."""

    t0: Annotated[datetime, msgspec.Meta(tz=True)]


class Higher(Said, frozen=True, kw_only=True):
    """A level of the cell is activated."""

    level: CrisisLevel


class Member(Body, frozen=True, kw_only=True):
    """Somebody joins the cell, or leaves it."""

    person: Given
    by: Name = ""


class Change(Said, frozen=True, kw_only=True):
    """An urgent change is attached, or approved."""

    change: Given
    approve: bool = False


async def show(request: web.Request) -> web.Response:
    """Show the crisis of an incident; ``lang`` chooses the language of titles and of the draft."""
    bodies.known_parameters(request, "lang")
    context, number = request.app[CONTEXT], number_of(request.match_info["number"])
    state: Incident | None = await context.read(context.store.incident, number)
    if state is None:
        raise Problem(404, f"There is no incident {number}.")
    return _answer(request, state)


async def declare(request: web.Request) -> web.Response:
    """Start a crisis, or confirm the one that is proposed."""
    body = await bodies.read(request, Declared)
    by = people.acting(request, body.by)
    command = cc.DeclareCrisis(by=by, why=bodies.lines(body.text), trigger=body.trigger, security=body.security)
    return await _do(request, command)


async def decline(request: web.Request) -> web.Response:
    """Say that it is no crisis."""
    body = await bodies.read(request, Said)
    return await _do(request, cc.DeclineCrisis(by=people.acting(request, body.by), why=bodies.lines(body.text)))


async def step(request: web.Request) -> web.Response:
    """Tick a step of the time line."""
    body = await bodies.read(request, Step)
    command = cc.DoStep(
        by=people.acting(request, body.by), step=body.step, item=body.item, text=bodies.lines(body.text)
    )
    return await _do(request, command)


async def message(request: web.Request) -> web.Response:
    """Send the status message: a text, or the draft when there is none."""
    body = await bodies.read(request, Said)
    return await _do(request, cc.SendUpdate(by=people.acting(request, body.by), text=bodies.lines(body.text)))


async def every(request: web.Request) -> web.Response:
    """Send status messages more often."""
    body = await bodies.read(request, Often)
    by = people.acting(request, body.by)
    return await _do(request, cc.PlanUpdates(by=by, every=timedelta(seconds=body.every_s)))


async def drp(request: web.Request) -> web.Response:
    """Decide on the disaster recovery plan, or say that it was started."""
    body = await bodies.read(request, Recovery)
    by, why = people.acting(request, body.by), bodies.lines(body.text)
    if body.verdict == "started":
        return await _do(request, cc.StartDrp(by=by, why=why))
    return await _do(request, cc.DecideDrp(by=by, yes=body.verdict == "yes", why=why))


async def t0(request: web.Request) -> web.Response:
    """Say when the outage began."""
    body = await bodies.read(request, Beginning)
    by, why = people.acting(request, body.by), bodies.lines(body.text)
    return await _do(request, cc.CorrectT0(by=by, t0=body.t0.astimezone(UTC), why=why))


async def level(request: web.Request) -> web.Response:
    """Activate a level of the cell."""
    body = await bodies.read(request, Higher)
    by, why = people.acting(request, body.by), bodies.lines(body.text)
    return await _do(request, cc.ActivateLevel(by=by, level=body.level, why=why))


async def join(request: web.Request) -> web.Response:
    """Let somebody take part in the cell."""
    body = await bodies.read(request, Member)
    person = people.named(request, bodies.line(body.person))
    return await _do(request, cc.JoinCell(by=people.acting(request, body.by), person=person))


async def leave(request: web.Request) -> web.Response:
    """Let somebody go."""
    body = await bodies.read(request, Member)
    person = people.named(request, bodies.line(body.person))
    return await _do(request, cc.LeaveCell(by=people.acting(request, body.by), person=person))


async def change(request: web.Request) -> web.Response:
    """Attach an urgent change, or approve it."""
    body = await bodies.read(request, Change)
    by, reference = people.acting(request, body.by), bodies.line(body.change)
    if body.approve:
        return await _do(request, cc.ApproveChange(by=by, change=reference))
    return await _do(request, cc.AttachChange(by=by, change=reference, text=bodies.lines(body.text)))


async def close(request: web.Request) -> web.Response:
    """End the crisis with its closing message."""
    body = await bodies.read(request, Said)
    return await _do(request, cc.CloseCrisis(by=people.acting(request, body.by), text=bodies.lines(body.text)))


async def _do(request: web.Request, command: Command) -> web.Response:
    state = await request.app[CONTEXT].desk.order(number_of(request.match_info["number"]), command)
    return _answer(request, state)


def _answer(request: web.Request, state: Incident) -> web.Response:
    context = request.app[CONTEXT]
    settings = context.settings()
    asked = request.query.get("lang", "")
    language = next((one for one in LANGUAGES if one == asked), settings.language)
    voice = Voice(language, ZoneInfo(settings.timezone))
    return bodies.json(crisis_view(state, settings.directory, voice, context.now()))


ACTIONS: dict[str, Handler] = {
    "declare": declare,
    "decline": decline,
    "step": step,
    "message": message,
    "every": every,
    "drp": drp,
    "t0": t0,
    "level": level,
    "join": join,
    "leave": leave,
    "change": change,
    "close": close,
}
