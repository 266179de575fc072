"""The API of records of problems (rules LIF-8 and REX-2)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from sentinel.core.problem_record import ProblemRecord
from sentinel.engine.problems import PREFIX
from sentinel.web import bodies, paging, people, reviews
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT
from sentinel.web.ordering import number_of
from sentinel.web.problem import Problem
from sentinel.web.reviews import ActionView, action_view

NUMBER = re.compile(rf"(?:{PREFIX}-)?([1-9][0-9]{{0,8}})", re.IGNORECASE)
STATES = ("open", "known_error", "solved")


class Said(Body, frozen=True):
    """Somebody says something of a problem."""

    text: Text = ""
    by: Name = ""


class Known(Body, frozen=True):
    """The cause of a problem, or how to get round it."""

    cause: Text = ""
    workaround: Text = ""
    by: Name = ""


class Naming(Body, frozen=True):
    """Who answers for a problem."""

    owner: Name
    by: Name = ""


class Linking(Body, frozen=True):
    """An incident of the problem; with ``off`` it is none."""

    incident: Name
    off: bool = False
    by: Name = ""


class ProblemView(msgspec.Struct, frozen=True, kw_only=True):
    """A problem; ``state`` is open, known_error or solved."""

    number: str
    title: str
    service: str
    state: str
    opened_at: datetime
    opened_by: str
    why: str
    owner: str
    incidents: tuple[str, ...]
    faults: tuple[str, ...]
    cause: str
    workaround: str
    solution: str
    solved_at: datetime | None
    notes: tuple[dict[str, Any], ...]
    actions: tuple[ActionView, ...]


def problem_number(text: str) -> str:
    """Return the number of a problem as it is written, from ``PRB-2``, ``prb-2`` or ``2``.

    Raises:
        Problem: 404 it is none.
    """
    found = NUMBER.fullmatch(text)
    if found is None:
        raise Problem(404, f"`{bodies.line(text)}` is not the number of a problem.")
    return f"{PREFIX}-{found[1]}"


def problem_view(one: ProblemRecord) -> ProblemView:
    """Show a problem."""
    return ProblemView(
        number=one.number,
        title=one.title,
        service=one.service,
        state=one.phase,
        opened_at=one.opened_at,
        opened_by=one.opened_by,
        why=one.why,
        owner=one.owner,
        incidents=one.incidents,
        faults=one.faults,
        cause=one.cause,
        workaround=one.workaround,
        solution=one.solution,
        solved_at=one.solved_at,
        notes=tuple({"at": note.at, "by": note.by, "text": note.text} for note in one.notes),
        actions=tuple(action_view(one.number, action) for action in one.actions.values()),
    )


async def list_problems(request: web.Request) -> web.Response:
    """List problems, the newest first; ``state`` narrows it."""
    bodies.known_parameters(request, "state", "limit", "cursor")
    wanted = [name for entry in request.query.getall("state", []) for name in entry.split(",") if name]
    wrong = [name for name in wanted if name not in STATES]
    if wrong:
        raise Problem(400, f"Unknown state `{bodies.line(wrong[0])}`; known: {', '.join(STATES)}.")
    found = request.app[CONTEXT].problems.all()
    shown = [problem_view(one) for one in reversed(found) if not wanted or one.phase in wanted]
    return paging.listed(request, shown, lambda one: one.number)


async def show_problem(request: web.Request) -> web.Response:
    """Show one problem."""
    return _shown(request.app[CONTEXT].problems.record(_number(request)))


async def note(request: web.Request) -> web.Response:
    """Write something down."""
    body = await bodies.read(request, Said)
    made = request.app[CONTEXT].problems.note(
        _number(request), people.acting(request, body.by), bodies.lines(body.text)
    )
    return _shown(await made)


async def known(request: web.Request) -> web.Response:
    """Say what the cause is, or how to get round it."""
    body = await bodies.read(request, Known)
    cause, workaround = bodies.lines(body.cause), bodies.lines(body.workaround)
    made = request.app[CONTEXT].problems.explain(_number(request), people.acting(request, body.by), cause, workaround)
    return _shown(await made)


async def owner(request: web.Request) -> web.Response:
    """Say who answers for it."""
    body = await bodies.read(request, Naming)
    named = people.named(request, bodies.line(body.owner, bodies.NAME_MAX_CHARS))
    made = request.app[CONTEXT].problems.name_owner(_number(request), people.acting(request, body.by), named)
    return _shown(await made)


async def solve(request: web.Request) -> web.Response:
    """Say that the fault does not come again."""
    body = await bodies.read(request, Said)
    made = request.app[CONTEXT].problems.solve(
        _number(request), people.acting(request, body.by), bodies.lines(body.text)
    )
    return _shown(await made)


async def reopen(request: web.Request) -> web.Response:
    """Say that it did."""
    body = await bodies.read(request, Said)
    made = request.app[CONTEXT].problems.reopen(
        _number(request), people.acting(request, body.by), bodies.lines(body.text)
    )
    return _shown(await made)


async def link(request: web.Request) -> web.Response:
    """Link an incident, or take it away."""
    body, problems = await bodies.read(request, Linking), request.app[CONTEXT].problems
    by, incident = people.acting(request, body.by), number_of(body.incident)
    change = problems.unlink if body.off else problems.link
    return _shown(await change(_number(request), incident, by))


async def add_action(request: web.Request) -> web.Response:
    """Give somebody something to do about it."""
    body = await bodies.read(request, reviews.NewAction)
    made = request.app[CONTEXT].problems.add_action(
        _number(request), people.acting(request, body.by), reviews.wanted_of(request, body)
    )
    return _shown(await made)


async def finish_action(request: web.Request) -> web.Response:
    """Say that an action is done."""
    body = await bodies.read(request, Said)
    name, text = bodies.line(request.match_info["action"]).upper(), bodies.lines(body.text)
    made = request.app[CONTEXT].problems.finish_action(_number(request), people.acting(request, body.by), name, text)
    return _shown(await made)


async def discuss_action(request: web.Request) -> web.Response:
    """Say that the production committee looked at an action."""
    body = await bodies.read(request, Said)
    name, text = bodies.line(request.match_info["action"]).upper(), bodies.lines(body.text)
    made = request.app[CONTEXT].problems.discuss_action(_number(request), people.acting(request, body.by), name, text)
    return _shown(await made)


def _number(request: web.Request) -> str:
    return problem_number(request.match_info["number"])


def _shown(record: ProblemRecord) -> web.Response:
    return bodies.json(problem_view(record))
