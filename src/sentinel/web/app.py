"""The one application: its table of routes, and the listeners it is served on."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from aiohttp import web

from sentinel.web import incidents, lifecycle, oncall, pages, probes, signals
from sentinel.web.bodies import BODY_MAX_BYTES
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route, add_headers, answer_problems, guarded
from sentinel.web.telemetry import telemetry

SHUTDOWN_WITHIN_S = 5.0
KEEPALIVE_S = 75.0
SOCKET_MODE = 0o600

API = "/api/v1"


def routes(metrics_path: str) -> list[Route]:
    """Return everything that is answered; who may ask stands beside it."""
    return [
        Route("GET", "/", pages.now),
        Route("GET", "/incidents/{number}", pages.incident),
        *(Route("POST", f"/incidents/{{number}}/{action}", pages.act) for action in pages.ACTIONS),
        Route("GET", "/static/{name}", pages.static),
        Route("GET", f"{API}/incidents", incidents.list_incidents),
        Route("POST", f"{API}/incidents", incidents.raise_incident),
        Route("GET", f"{API}/incidents/{{number}}", incidents.show_incident),
        *(Route("POST", f"{API}/incidents/{{number}}/{name}", act) for name, act in incidents.ACTIONS.items()),
        Route("POST", f"{API}/signals", signals.raise_signal),
        Route("GET", f"{API}/probes", probes.list_probes),
        Route("POST", f"{API}/probes/{{name}}/run", probes.run_probe),
        Route("GET", f"{API}/silences", probes.list_silences),
        Route("POST", f"{API}/silences", probes.add_silence),
        Route("DELETE", f"{API}/silences/{{id}}", probes.expire_silence),
        Route("GET", f"{API}/oncall", oncall.list_on_call),
        Route("GET", f"{API}/oncall/shifts", oncall.list_shifts),
        Route("GET", f"{API}/oncall/changes", oncall.list_changes),
        Route("POST", f"{API}/oncall/changes/{{id}}/undo", oncall.undo),
        Route("POST", f"{API}/oncall/{{rota}}/fill", oncall.fill),
        Route("POST", f"{API}/oncall/{{rota}}/swap", oncall.swap),
        Route("GET", "/oncall/{rota}.ics", oncall.rota_feed),
        Route("GET", "/oncall/people/{person}.ics", oncall.person_feed),
        Route("POST", f"{API}/people/{{id}}/test", probes.test_person),
        Route("GET", f"{API}/messages", probes.list_messages),
        Route("POST", f"{API}/reload", lifecycle.reload_api),
        Route("GET", f"{API}/status", probes.show_status),
        Route("GET", metrics_path, lifecycle.metrics, access="listed"),
        Route("GET", "/probe", lifecycle.probe),
        Route("GET", "/-/healthy", lifecycle.healthy, access="anyone"),
        Route("GET", "/-/ready", lifecycle.ready, access="anyone"),
        Route("POST", "/-/reload", lifecycle.reload),
        *(
            Route(method, f"/ping/{{key}}{signal}", lifecycle.ping, access="anyone")
            for method in ("GET", "POST")
            for signal in ("", "/{signal}")
        ),
    ]


def build(context: Context) -> web.Application:
    """Make the application. The path of the metrics is the one configured at the start."""
    app = web.Application(client_max_size=BODY_MAX_BYTES, middlewares=[telemetry, answer_problems])
    app[CONTEXT] = context
    app[lifecycle.RUNNING] = lifecycle.Running()
    for route in routes(context.settings().metrics_path):
        if route.method == "GET":
            app.router.add_get(route.path, guarded(route))
        else:
            app.router.add_route(route.method, route.path, guarded(route))
    app.on_response_prepare.append(add_headers)
    return app


async def serve(app: web.Application, listen: tuple[str, int] | socket.socket, control: Path | None) -> web.AppRunner:
    """Serve on a TCP address and on the control socket; ``cleanup`` of what is returned ends both.

    Raises:
        OSError: an address is in use or not this machine's, or another daemon answers on the control socket.
    """
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=KEEPALIVE_S, shutdown_timeout=SHUTDOWN_WITHIN_S)
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
