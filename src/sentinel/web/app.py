"""The one application: its table of routes, and the listeners it is served on."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import structlog
from aiohttp import web

from sentinel.intake import ping_limits, proven
from sentinel.intake import routes as intake
from sentinel.intake import silences as foreign_silences
from sentinel.web import (
    access_routes,
    accounts,
    addresses,
    audit_page,
    board,
    changes,
    changes_page,
    configuration_page,
    crisis_page,
    customer_pages,
    heard,
    history,
    incident_forms,
    incident_page,
    incidents,
    keys_pressed,
    lifecycle,
    links,
    live,
    matrices,
    matrices_page,
    my_account,
    now,
    now_view,
    oncall,
    oncall_page,
    openid_sign_in,
    overload,
    overview,
    people_page,
    pictures,
    probe_page,
    probes,
    probes_page,
    problems,
    problems_page,
    recurring,
    rendering,
    reports,
    requests,
    requests_page,
    reviews,
    services_page,
    sharing,
    signals,
    signing,
    silences_page,
    silencing,
    status_page,
    support,
    tokens_page,
)
from sentinel.web.bodies import BODY_MAX_BYTES
from sentinel.web.context import CONTEXT, Context
from sentinel.web.described import OPERATIONS
from sentinel.web.guard import LIMITS, Route, add_headers, answer_problems, guarded
from sentinel.web.limits import Limits
from sentinel.web.openapi import DESCRIBE, encoded
from sentinel.web.packing import packed
from sentinel.web.rights import GRANTS
from sentinel.web.runner import Runner, expectation
from sentinel.web.telemetry import telemetry

log = structlog.get_logger(__name__)

SHUTDOWN_WITHIN_S = 5.0
KEEPALIVE_S = 75.0
SOCKET_MODE = 0o600

API = "/api/v1"


def routes(metrics_path: str) -> list[Route]:
    """Return everything that is answered; who may ask stands beside it."""
    people = [*page_routes(), *account_routes(), *after_routes(), *change_routes()]
    found = [*people, *api_routes(), *door_routes(metrics_path)]
    named = [(route, f"{route.method} {route.path}") for route in (*found, *access_routes.routes(API))]
    return [
        replace(
            route,
            handler=sharing.shared(name, customer_pages.shared(name, route.handler)),
            grant=GRANTS.get(name),
            operation=OPERATIONS.get(name),
        )
        for route, name in named
    ]


@cache
def description(metrics_path: str) -> bytes:
    """Return what the API says of itself, made once: it takes a processor 60 ms."""
    return encoded(routes(metrics_path))


def page_routes() -> list[Route]:
    """Return the pages that people look at."""
    return [
        Route("GET", "/", now.show),
        Route("GET", "/live", live.follow),
        *incident_page.routes(),
        *incident_forms.routes(),
        *probes_page.routes(),
        *probe_page.routes(),
        *services_page.routes(),
        Route("GET", "/incidents/{number}/pictures/{name}", pictures.show),
        *requests_page.routes(),
        *status_page.routes(),
        Route("GET", "/static/{name}", rendering.static, access="anyone"),
        Route("GET", "/a/{code}", links.show, access="anyone"),
        Route("POST", "/a/{code}", links.act, access="anyone"),
        Route("POST", "/a/{code}/keys", keys_pressed.press, access="anyone"),
        Route("GET", "/support/{key}", support.form, access="anyone"),
        Route("POST", "/support/{key}", support.take, access="anyone"),
        *oncall_page.routes(),
        Route("POST", "/overload", overload.switch_form),
        *silences_page.routes(),
        *people_page.routes(),
        *tokens_page.routes(),
        *audit_page.routes(),
        *configuration_page.routes(),
        Route("GET", "/oncall/{rota}.ics", oncall.rota_feed),
        Route("GET", "/oncall/people/{person}.ics", oncall.person_feed),
        Route("GET", "/reports", reports.choose),
        Route("GET", "/reports/sla", reports.show),
        Route("GET", "/reports/style.css", reports.style),
    ]


def account_routes() -> list[Route]:
    """Return signing in and out, one's own account, and who administers those of others."""
    return [*signing.routes(), *openid_sign_in.routes(), *my_account.routes(), *accounts.routes(API)]


def api_routes() -> list[Route]:
    """Return Sentinel's own API."""
    return [
        Route("GET", f"{API}/incidents", incidents.list_incidents),
        Route("POST", f"{API}/incidents", incidents.raise_incident),
        Route("GET", f"{API}/incidents/{{number}}", incidents.show_incident),
        *(Route("POST", f"{API}/incidents/{{number}}/{name}", act) for name, act in incidents.ACTIONS.items()),
        *crisis_page.routes(API),
        Route("POST", f"{API}/signals", signals.raise_signal),
        Route("GET", f"{API}/requests", requests.list_requests),
        Route("POST", f"{API}/requests", requests.log_request),
        *(Route("POST", f"{API}/requests/{{number}}/{name}", act) for name, act in requests.ACTIONS.items()),
        Route("GET", f"{API}/probes", probes.list_probes),
        Route("POST", f"{API}/probes/{{name}}/run", probes.run_probe),
        Route("GET", f"{API}/heartbeats/{{name}}/pings", heard.list_pings),
        Route("GET", f"{API}/silences", probes.list_silences),
        Route("POST", f"{API}/silences", probes.add_silence),
        Route("GET", f"{API}/silences/recurring", recurring.list_all),
        Route("POST", f"{API}/silences/recurring", recurring.add),
        Route("DELETE", f"{API}/silences/recurring/{{id}}", recurring.remove),
        Route("DELETE", f"{API}/silences/{{id}}", probes.expire_silence),
        Route("GET", f"{API}/oncall", oncall.list_on_call),
        Route("GET", f"{API}/oncall/shifts", oncall.list_shifts),
        Route("GET", f"{API}/oncall/changes", oncall.list_changes),
        Route("POST", f"{API}/oncall/changes/{{id}}/undo", oncall.undo),
        Route("POST", f"{API}/oncall/{{rota}}/fill", oncall.fill),
        Route("POST", f"{API}/oncall/{{rota}}/swap", oncall.swap),
        Route("GET", f"{API}/addresses", addresses.show),
        Route("GET", f"{API}/overload", overload.show),
        Route("POST", f"{API}/overload", overload.switch),
        Route("GET", f"{API}/matrices", matrices.list_matrices),
        Route("GET", f"{API}/matrices/{{name}}", matrices.show_matrix),
        Route("GET", f"{API}/matrices/{{name}}/history", matrices.history),
        *(Route("POST", f"{API}/matrices/{{name}}/{name}", act) for name, act in matrices.ACTIONS.items()),
        Route("POST", f"{API}/people/{{id}}/test", probes.test_person),
        Route("GET", f"{API}/messages", probes.list_messages),
        Route("GET", f"{API}/reports/sla", reports.sla),
        Route("POST", f"{API}/reload", lifecycle.reload_api),
        Route("GET", f"{API}/now", now_view.now),
        Route("GET", f"{API}/status", probes.show_status),
    ]


def door_routes(metrics_path: str) -> list[Route]:
    """Return what other programs ask for: measurements, health, heartbeats, the doors of other systems."""
    return [
        Route("GET", metrics_path, lifecycle.metrics, access="listed"),
        Route("GET", "/probe", lifecycle.probe, access="near"),
        Route("GET", "/config", lifecycle.modules, access="near"),
        Route("GET", "/logs", lifecycle.logs, access="near"),
        *intake.routes(),
        Route("GET", "/-/healthy", lifecycle.healthy, access="anyone"),
        Route("GET", "/-/ready", lifecycle.ready, access="anyone"),
        Route("POST", "/-/reload", lifecycle.reload),
    ]


def change_routes() -> list[Route]:
    """Return what is answered about planned changes and fixes that wait."""
    return [
        *changes_page.routes(),
        Route("GET", f"{API}/changes", changes.list_changes),
        Route("POST", f"{API}/changes", changes.plan),
        Route("GET", f"{API}/changes/{{number}}", changes.show_change),
        *(Route("POST", f"{API}/changes/{{number}}/{name}", changes.act) for name in changes.DOINGS),
        Route("GET", f"{API}/fixes", changes.list_fixes),
        Route("POST", f"{API}/fixes", changes.add_fix),
        Route("POST", f"{API}/fixes/{{number}}/done", changes.deliver_fix),
    ]


def after_routes() -> list[Route]:
    """Return what is answered about the time after an incident: reports on it, actions, problems."""
    incident, record = f"{API}/incidents/{{number}}", f"{API}/problems/{{number}}"
    return [
        Route("GET", "/incidents/{number}/report", reviews.show_report),
        Route("POST", "/incidents/{number}/report", reviews.write_form),
        Route("POST", "/incidents/{number}/review", reviews.held_form),
        *problems_page.routes(),
        *matrices_page.routes(),
        Route("GET", f"{incident}/report", reviews.get_report),
        Route("POST", f"{incident}/report", reviews.write),
        Route("POST", f"{incident}/review", reviews.held),
        Route("POST", f"{incident}/actions", reviews.add_action),
        Route("POST", f"{incident}/actions/{{action}}/done", reviews.finish_action),
        Route("POST", f"{incident}/actions/{{action}}/discussed", reviews.discuss_action),
        Route("GET", f"{API}/actions", reviews.list_actions),
        Route("GET", f"{API}/problems", problems.list_problems),
        Route("GET", record, problems.show_problem),
        Route("POST", f"{record}/note", problems.note),
        Route("POST", f"{record}/known", problems.known),
        Route("POST", f"{record}/owner", problems.owner),
        Route("POST", f"{record}/solve", problems.solve),
        Route("POST", f"{record}/reopen", problems.reopen),
        Route("POST", f"{record}/link", problems.link),
        Route("POST", f"{record}/actions", problems.add_action),
        Route("POST", f"{record}/actions/{{action}}/done", problems.finish_action),
        Route("POST", f"{record}/actions/{{action}}/discussed", problems.discuss_action),
    ]


def build(context: Context) -> web.Application:
    """Make the application. The path of the metrics is the one configured at the start."""
    app = web.Application(client_max_size=BODY_MAX_BYTES, middlewares=[telemetry, packed, answer_problems])
    app[CONTEXT] = context
    app[lifecycle.RUNNING] = lifecycle.Running()
    app[lifecycle.SENDING] = lifecycle.Running()
    app[support.TAKEN] = support.Taken()
    app[foreign_silences.CHANGING] = asyncio.Lock()
    app[proven.SEEN] = proven.Seen()
    app[ping_limits.LIMITS] = ping_limits.PingLimits()
    app[LIMITS] = Limits()
    app[signing.TRIES] = signing.Tries()
    app[openid_sign_in.UNDER_WAY] = openid_sign_in.UnderWay()
    status_page.keep(app)
    app[overview.KEPT] = overview.Kept()
    app[silencing.KEPT] = silencing.Counted()
    app[board.BOARD] = board.Board()
    app[history.KEPT] = history.Kept()
    app[sharing.PAGES] = sharing.Pages()
    app[services_page.KEPT] = services_page.Kept()
    metrics_path = context.settings().metrics_path
    app[DESCRIBE] = partial(description, metrics_path)
    for route in routes(metrics_path):
        _add(app, route, route.path)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(live.end)
    return app


def rooted(whole: web.Application, root: str) -> web.Application:
    """Make an application that answers at ``/`` what the whole one answers below ``/root``, and remembers with it."""
    app = web.Application(client_max_size=BODY_MAX_BYTES, middlewares=[telemetry, packed, answer_problems])
    for key, value in whole.items():
        app[key] = value
    for route in routes(whole[CONTEXT].settings().metrics_path):
        if route.path.startswith(f"/{root}/"):
            _add(app, route, route.path.removeprefix(f"/{root}"))
    app.on_response_prepare.append(add_headers)
    return app


def _add(app: web.Application, route: Route, path: str) -> None:
    if route.method == "GET":
        app.router.add_get(path, guarded(route), expect_handler=expectation)
    else:
        app.router.add_route(route.method, path, guarded(route), expect_handler=expectation)


async def serve(app: web.Application, listen: tuple[str, int] | socket.socket, control: Path | None) -> web.AppRunner:
    """Serve on a TCP address and on the control socket; ``cleanup`` of what is returned ends both.

    Raises:
        OSError: an address is in use or not this machine's, or another daemon answers on the control socket.
    """
    runner = Runner(app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=SHUTDOWN_WITHIN_S)
    await runner.setup()
    try:
        if control is not None:
            await web.SockSite(runner, control_socket(control)).start()
        if isinstance(listen, socket.socket):
            await web.SockSite(runner, listen).start()
        else:
            await web.TCPSite(runner, *listen).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


async def serve_roots(whole: web.Application, roots: Mapping[str, tuple[str, int]]) -> AsyncExitStack:
    """Serve each root on an address of its own, until what is returned is closed.

    Raises:
        OSError: an address is in use or not this machine's; none is served.
    """
    async with AsyncExitStack() as served:
        for root, listen in roots.items():
            runner = await serve(rooted(whole, root), listen, None)
            served.push_async_callback(runner.cleanup)
            log.info("serving", root=root, host=listen[0], port=listen[1])
        return served.pop_all()


def control_socket(path: Path) -> socket.socket:
    """Bind the control socket, readable by the daemon's own user and root only.

    A socket that a dead daemon left behind is replaced.

    Raises:
        OSError: another daemon answers there, or what stands there is no socket.
    """
    if path.exists():
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise FileExistsError(f"{path} is there, and is not a socket")
        if _answers(path):
            raise OSError(f"another daemon answers on {path}")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777 & ~SOCKET_MODE)  # A mode set after bind would leave a moment for others.
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(1.0)
        return attempt.connect_ex(str(path)) == 0
