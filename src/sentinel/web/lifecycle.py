"""The paths other programs call: metrics, life cycle, and ``/probe``."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from sentinel.web import bodies, scrape
from sentinel.web.context import CONTEXT, Context, ProbeAnswer
from sentinel.web.problem import RETRY_AFTER_S, Problem

PROBES_IN_FLIGHT_MAX: Final = 50
PAGES_IN_FLIGHT_MAX: Final = 8  # Two Prometheus servers, a few people, and what a client left half read.


class Running:
    """How many answers of a kind are under way: each is a connection that somebody else asked for."""

    def __init__(self) -> None:
        self.count = 0


RUNNING = web.AppKey("RUNNING", Running)  # Runs of `/probe`.
SENDING = web.AppKey("SENDING", Running)  # Pages of metrics.


async def metrics(request: web.Request) -> web.StreamResponse:
    """Answer with every metric, in the format the client prefers."""
    sending = request.app[SENDING]
    if sending.count >= PAGES_IN_FLIGHT_MAX:
        raise Problem(503, f"{PAGES_IN_FLIGHT_MAX} pages are being sent already.", Retry_After=str(RETRY_AFTER_S))
    sending.count += 1
    try:
        return await scrape.send(request, *request.app[CONTEXT].metrics_page(request.headers.get("Accept", "")))
    finally:
        sending.count -= 1


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """How it is, for another Sentinel: whether it is ready, its clock, when its self-test last passed, what fails."""

    ready: bool
    at: datetime
    self_test_passed_at: datetime | None
    self_test_failing: tuple[str, ...]


async def healthy(request: web.Request) -> web.Response:
    """Say that the process lives, and which parts of its self-test fail; why stays on the page."""
    failing = sorted(request.app[CONTEXT].health().self_test.failing)
    more = f"Its self-test fails: {', '.join(failing)}.\n" if failing else ""
    return web.Response(text=f"Sentinel is alive.\n{more}")


async def ready(request: web.Request) -> web.Response:
    """Say whether everything is started; the reasons stay on the page, since anyone may ask this."""
    if "application/json" in request.headers.get("Accept", ""):
        return _ready_for_peers(request.app[CONTEXT])
    if request.app[CONTEXT].health().ready:
        return web.Response(text="Sentinel is ready.\n")
    return web.Response(text="Sentinel is not ready.\n", status=503, headers={"Retry-After": str(RETRY_AFTER_S)})


def _ready_for_peers(context: Context) -> web.Response:
    health = context.health()
    said = Ready(
        ready=health.ready,
        at=context.now(),
        self_test_passed_at=health.self_test.passed_at,
        self_test_failing=tuple(sorted(health.self_test.failing)),
    )
    return bodies.json(said, status=200 if health.ready else 503)


async def reload(request: web.Request) -> web.Response:
    """Read the configuration again; a bad one changes nothing, and its mistakes are the answer."""
    outcome = await request.app[CONTEXT].reload()
    lines = "".join(f"{line}\n" for line in (*outcome.mistakes, *outcome.warnings))
    if outcome.done:
        return web.Response(text=f"{lines}The new configuration is in use.\n")
    return web.Response(text=f"{lines}The old configuration stays in use.\n", status=400)


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a reload, for programs."""

    done: bool
    mistakes: tuple[str, ...]
    warnings: tuple[str, ...]


async def reload_api(request: web.Request) -> web.Response:
    """Read the configuration again, and answer in JSON; ``done`` says whether the new one is in use."""
    outcome = await request.app[CONTEXT].reload()
    return bodies.json(Reloaded(done=outcome.done, mistakes=outcome.mistakes, warnings=outcome.warnings))


async def probe(request: web.Request) -> web.Response:
    """Probe a target now, as blackbox_exporter does."""
    running = request.app[RUNNING]
    if running.count >= PROBES_IN_FLIGHT_MAX:
        raise Problem(503, f"{PROBES_IN_FLIGHT_MAX} probes are under way already.", Retry_After=str(RETRY_AFTER_S))
    running.count += 1
    try:
        found = await request.app[CONTEXT].blackbox(dict(request.query), dict(request.headers))
    finally:
        running.count -= 1
    return _told(found)


async def modules(request: web.Request) -> web.Response:
    """Show the modules of ``/probe``, as blackbox_exporter's ``/config`` does."""
    return _told(await request.app[CONTEXT].blackbox_told("config", {}))


async def logs(request: web.Request) -> web.Response:
    """Show what one of the last runs of ``/probe`` saw, as blackbox_exporter's ``/logs`` does."""
    return _told(await request.app[CONTEXT].blackbox_told("logs", dict(request.query)))


def _told(found: ProbeAnswer) -> web.Response:
    return web.Response(body=found.text.encode(), status=found.status, headers={"Content-Type": found.content_type})
