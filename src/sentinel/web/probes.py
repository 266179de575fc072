"""The API of probes, silences, people, messages and of the daemon itself."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web

from sentinel.core.matching import Silence, written
from sentinel.engine.live import Row
from sentinel.web import bodies, contact_tests, identity, paging, peers, people, silencing
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT
from sentinel.web.problem import Problem
from sentinel.web.views import ProbeView, message_view, silence_view

MESSAGES_DEFAULT = 50
MESSAGES_MAX = 500
MATCHERS_MAX = 20
ROWS_MAX = 10_000
SILENCE_MAX = timedelta(days=366)


class NewSilence(Body, frozen=True):
    """Signals that match open nothing until it ends: at ``ends_at``, or ``for_s`` seconds after it starts."""

    matchers: Annotated[tuple[Text, ...], msgspec.Meta(min_length=1, max_length=MATCHERS_MAX)]
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    ends_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    for_s: Annotated[float, msgspec.Meta(gt=0, le=SILENCE_MAX.total_seconds())] | None = None
    comment: Text = ""
    by: Name = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the daemon is."""

    version: str
    started_at: datetime
    ready: bool
    probes: int
    targets: dict[str, int]
    incidents_open: int
    last_run_at: datetime | None
    problems: tuple[str, ...]


def probe_view(row: Row) -> ProbeView:
    """Show a target."""
    return ProbeView(
        probe=row.plan.name,
        target=row.target,
        type=row.plan.type,
        service=row.plan.service,
        state=row.state,
        since=row.since,
        last=row.last,
    )


async def list_probes(request: web.Request) -> web.Response:
    """List every target of every probe with its last result."""
    bodies.known_parameters(request, "probe", "state", "limit", "cursor")
    wanted = {name: request.query[name] for name in ("probe", "state") if name in request.query}
    rows = map(probe_view, request.app[CONTEXT].live.rows())
    found = [row for row in rows if all(getattr(row, name) == value for name, value in wanted.items())]
    return paging.listed(request, found, lambda row: f"{row.probe} {row.target}", ROWS_MAX)


async def run_probe(request: web.Request) -> web.Response:
    """Run all targets of a probe now, and answer with the results."""
    name = request.match_info["name"]
    results = await request.app[CONTEXT].probe_once(name)
    if results is None:
        raise Problem(404, f"There is no probe `{bodies.line(name)}`.")
    return bodies.json(results)


async def list_silences(request: web.Request) -> web.Response:
    """List the silences that have not ended."""
    context = request.app[CONTEXT]
    found: list[Silence] = await context.read(context.store.silences, context.now())
    return paging.listed(request, [silence_view(one) for one in found], lambda one: one.id)


async def add_silence(request: web.Request) -> web.Response:
    """Add a silence."""
    body = await bodies.read(request, NewSilence)
    context = request.app[CONTEXT]
    now = context.now()
    starts_at = body.starts_at or now
    if (body.ends_at is None) == (body.for_s is None):
        raise Problem(400, "A silence ends: give `ends_at` or `for_s`, not both.")
    ends_at = body.ends_at or starts_at + timedelta(seconds=body.for_s or 0)
    if ends_at <= max(now, starts_at) or ends_at - starts_at > SILENCE_MAX:
        raise Problem(400, f"A silence ends after it starts, in the future, and lasts {SILENCE_MAX.days} days at most.")
    try:
        matchers = tuple(written(bodies.line(text, bodies.TEXT_MAX_CHARS)) for text in body.matchers)
    except ValueError as error:
        raise Problem(400, f"{error}.") from error
    silence = Silence(
        id=uuid.uuid4().hex[:12],
        matchers=matchers,
        starts_at=starts_at,
        ends_at=ends_at,
        by=people.acting(request, body.by),
        comment=bodies.lines(body.comment),
        updated_at=now,
    )
    (targets,) = await silencing.count_targets(context.live, [silence])
    silencing.weigh(silence, targets)
    await context.desk.silence(silence)
    return bodies.json(silence_view(silence), status=201)


async def expire_silence(request: web.Request) -> web.Response:
    """End a silence now."""
    who = identity.of(request)
    by = (who.acts_as if who else "") or peers.user(request)
    ended = await silencing.expire(request.app[CONTEXT], request.match_info["id"], by)
    return bodies.json(silence_view(ended))


async def test_person(request: web.Request) -> web.Response:
    """Send a marked test to a person by each of their channels; say at once what their carriers answered."""
    context, who = request.app[CONTEXT], identity.of(request)
    person = people.known(request.match_info["id"], context.settings().directory)
    by = (who.acts_as if who else "") or peers.user(request) or "api"
    return bodies.json(await contact_tests.at_once(request, person, by))


async def list_messages(request: web.Request) -> web.Response:
    """List messages, newest first."""
    context = request.app[CONTEXT]
    bodies.known_parameters(request, "limit", "incident")
    limit = bodies.number(request, "limit", MESSAGES_DEFAULT, MESSAGES_MAX)
    rows = await context.read(
        context.store.messages, limit=limit, incident=bodies.line(request.query.get("incident", ""))
    )
    return bodies.json([message_view(row) for row in rows])


async def show_status(request: web.Request) -> web.Response:
    """Say how the daemon is."""
    context = request.app[CONTEXT]
    health = context.health()
    targets: dict[str, int] = {}
    for row in context.live.rows():
        targets[row.state] = targets.get(row.state, 0) + 1
    status = Status(
        version=health.version,
        started_at=health.started_at,
        ready=health.ready,
        probes=health.probes,
        targets=targets,
        incidents_open=sum(state.active for state in context.desk.open()),
        last_run_at=health.last_run_at,
        problems=(*health.problems, *(f"self-test: {one}: {why}" for one, why in health.self_test.failing.items())),
    )
    return bodies.json(status)
