"""The API of what people do with an incident beyond taking and resolving it: wait, recategorise, cascade, propose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from aiohttp import web

from sentinel.core import commands as c
from sentinel.core import handing
from sentinel.core.model import CauseClass, Level, Priority, Severity, WaitsOn
from sentinel.rules import LEVEL_OF, SEVERITY_OF
from sentinel.rules.words import ATTRIBUTED, CAUSES
from sentinel.web import bodies, ordering, peers, people, publishing
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem
from sentinel.web.views import incident_view

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Waiting(Body, frozen=True):
    """Somebody waits for the customer, or for a third party of that name, and says what is asked of them."""

    text: Text
    waits_on: WaitsOn = "customer"
    whom: Name = ""
    by: Name = ""


class Said(Body, frozen=True):
    """Somebody does something, and says why or what."""

    by: Name = ""
    text: Text = ""


class Category(Body, frozen=True):
    """Somebody says what it is, and why; what is left out stays, or follows from the priority."""

    text: Text
    priority: Priority | None = None
    level: Level | None = None
    severity: Severity | None = None
    cause_class: CauseClass | None = None
    cause: Name = ""
    by: Name = ""


class Giving(Said, frozen=True):
    """Somebody gives it to a person, by whatever name they go."""

    to: Name = ""


class Judgement(Body, frozen=True):
    """The incident manager accepts or declines a problem."""

    verdict: Literal["accept", "decline"]
    text: Text = ""
    by: Name = ""


async def pend(request: web.Request) -> web.Response:
    """Wait for the customer or a third party."""
    body = await bodies.read(request, Waiting)
    command = c.Pend(
        by=people.acting(request, body.by),
        waits_on=body.waits_on,
        whom=_audience(request, body.whom),
        ask=bodies.lines(body.text),
        via="cli" if peers.on_control_socket(request) else "api",
    )
    return await ordering.ordered(request, command)


async def resume(request: web.Request) -> web.Response:
    """Go on with the work."""
    body = await bodies.read(request, Said)
    return await ordering.ordered(request, c.Resume(by=people.acting(request, body.by), text=bodies.lines(body.text)))


async def workaround(request: web.Request) -> web.Response:
    """Propose a workaround to the customer."""
    body = await bodies.read(request, Said)
    return await ordering.ordered(request, c.Propose(by=people.acting(request, body.by), text=bodies.lines(body.text)))


async def recategorise(request: web.Request) -> web.Response:
    """Say what it is. Level and severity follow a new priority unless they are given too."""
    body = await bodies.read(request, Category)
    follows, cause = body.priority, bodies.line(body.cause)
    if cause and cause not in CAUSES:
        raise Problem(400, f"Unknown cause `{cause}`; known: {', '.join(CAUSES)}.")
    command = c.Recategorise(
        by=people.acting(request, body.by),
        why=bodies.lines(body.text),
        priority=body.priority,
        level=body.level or (LEVEL_OF[follows] if follows else None),
        severity=body.severity or (SEVERITY_OF[follows] if follows else None),
        cause_class=CAUSES.get(cause) or body.cause_class,
        attributed_to=ATTRIBUTED.get(cause, "") if cause else None,
    )
    return await ordering.ordered(request, command)


async def cascade(request: web.Request) -> web.Response:
    """Take it to level 3."""
    body = await bodies.read(request, Said)
    return await ordering.ordered(request, c.Cascade(by=people.acting(request, body.by), why=bodies.lines(body.text)))


async def escalate(request: web.Request) -> web.Response:
    """Call the next level of the escalation (rule ESC-1)."""
    body = await bodies.read(request, Said)
    return await ordering.ordered(request, c.Escalate(by=people.acting(request, body.by), why=bodies.lines(body.text)))


async def unacknowledge(request: web.Request) -> web.Response:
    """Take the acknowledgement back: nobody has it, and the escalation starts again."""
    body = await bodies.read(request, Said)
    command = handing.HandBack(by=people.acting(request, body.by), why=bodies.lines(body.text))
    return await ordering.ordered(request, command)


async def assign(request: web.Request) -> web.Response:
    """Give it to a person, who is told."""
    body = await bodies.read(request, Giving)
    command = handing.Assign(
        by=people.acting(request, body.by),
        to=_audience(request, body.to),
        why=bodies.lines(body.text),
        via="cli" if peers.on_control_socket(request) else "api",
    )
    return await ordering.ordered(request, command)


async def problem(request: web.Request) -> web.Response:
    """Accept or decline the problem that was proposed."""
    body = await bodies.read(request, Judgement)
    by, why = people.acting(request, body.by), bodies.lines(body.text)
    if body.verdict == "accept":
        state = await request.app[CONTEXT].problems.accept(ordering.number_of(request.match_info["number"]), by, why)
        return bodies.json(incident_view(state))
    return await ordering.ordered(request, c.JudgeProblem(by=by, accept=False, why=why))


def _audience(request: web.Request, whom: str) -> str:
    """Return the id of a person by whatever name they go; groups, and who is not known, stay as they are."""
    return people.named(request, bodies.line(whom, bodies.NAME_MAX_CHARS))


ACTIONS: dict[str, Handler] = {
    "pend": pend,
    "resume": resume,
    "workaround": workaround,
    "recategorise": recategorise,
    "cascade": cascade,
    "escalate": escalate,
    "unacknowledge": unacknowledge,
    "assign": assign,
    "problem": problem,
    "publish": publishing.publish,
}
