"""Who may ask what, before any handler runs; and what every answer carries.

Without credentials only this machine is served: the control socket, and loopback peers that speak for themselves.
A browser on this machine visits other sites too, so the Host header (DNS rebinding) and the origin of everything
that changes something (request forgery) are checked as well (threats T8, T15, T24, T25).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from aiohttp import web

from sentinel.core.model import Refused
from sentinel.engine.desk import Unknown
from sentinel.store.base import StoreUnavailable
from sentinel.web import keys, peers
from sentinel.web.context import CONTEXT, AlertDoor, Context
from sentinel.web.problem import RETRY_AFTER_S, Problem, answer

# `local`: this machine only. `listed`: the addresses of `server.metrics.allow`. `anyone`: carries its own proof, or
# says nothing.
# `alerts`: this machine, the addresses of `intake.alertmanager.allow`, and who has its key; `problems`: of Dynatrace.
Access = Literal["local", "listed", "alerts", "problems", "anyone"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FRIENDLY_SITES = frozenset({"same-origin", "none"})
HEADERS = {
    "Server": "Sentinel",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table of routes: everything that Sentinel answers stands in one."""

    method: str
    path: str
    handler: Handler
    access: Access = "local"


def guarded(route: Route) -> Handler:
    """Put the checks of a route before its handler."""

    async def handle(request: web.Request) -> web.StreamResponse:
        admit(request, route.access)
        return await route.handler(request)

    return handle


def admit(request: web.Request, access: Access) -> None:
    """Let a request in, or not.

    Raises:
        Problem: 403, with the reason.
    """
    if access == "anyone" or peers.on_control_socket(request):
        return
    context = request.app[CONTEXT]
    peer = peers.address(request)
    proxied = peers.forwarded(request)
    if access == "listed":
        if peer is None or proxied or not any(peer in network for network in context.settings().metrics_allow):
            raise Problem(403, "This address is not in `server.metrics.allow`.")
        return
    if access == "alerts" and _may_send_alerts(request, context.settings().alerts, "alertmanager"):
        return
    if access == "problems" and _may_send_alerts(request, context.settings().problems, "dynatrace"):
        return
    if peer is None or not peer.is_loopback or proxied:
        raise Problem(403, "Without credentials configured, only this machine is served, and no proxy.")
    if not _host_is_ours(request, context):
        raise Problem(403, "The Host header names neither this machine nor `site.url`.")
    if request.method not in SAFE_METHODS and not _origin_is_ours(request):
        raise Problem(403, "The request comes from another site.")


def _may_send_alerts(request: web.Request, door: AlertDoor, name: str) -> bool:
    """Tell whether somebody has the key, or speaks for an address that is let in.

    Raises:
        Problem: 401 a key is shown, and it is another one; 403 a browser was sent by another site.
    """
    shown = keys.shown(request)
    if shown is not None and door.key:
        if not keys.equal(shown, door.key):
            raise Problem(401, f"The key is not that of `intake.{name}.key`.", WWW_Authenticate="Bearer")
        return True
    peer = peers.address(request)
    if peer is None or peers.forwarded(request) or not any(peer in network for network in door.allow):
        return False
    if request.method not in SAFE_METHODS and not _origin_is_ours(request):
        raise Problem(403, "The request comes from another site.")
    return True


def _host_is_ours(request: web.Request, context: Context) -> bool:
    written = request.headers.get("Host")
    if written is None:  # No browser leaves it out.
        return True
    try:
        name = urlsplit(f"//{written}").hostname or ""
    except ValueError:
        return False
    settings = context.settings()
    if name in {"localhost", settings.listen_host, urlsplit(settings.site_url).hostname}:
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _origin_is_ours(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in FRIENDLY_SITES:
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == request.headers.get("Host")
    except ValueError:
        return False


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers that keep a browser in check on every answer, errors included."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what cannot be served into an answer that says why: details for programs, a page for people."""
    try:
        return await handler(request)
    except (Problem, Refused, StoreUnavailable, web.HTTPError) as error:
        problem = as_problem(error)
    if _wants_page(request):
        from sentinel.web.pages import error_page  # noqa: PLC0415  the pages need this module

        return error_page(request, problem)
    return answer(problem)


def as_problem(error: Exception) -> Problem:
    """Say what an expected error means in HTTP."""
    match error:
        case Problem():
            return error
        case Unknown():
            return Problem(404, str(error))
        case Refused():
            return Problem(409, str(error))
        case StoreUnavailable():
            return Problem(503, f"The database cannot be used now: {error}", Retry_After=str(RETRY_AFTER_S))
        case web.HTTPMethodNotAllowed():
            return Problem(405, f"Possible here: {error.headers['Allow']}.", Allow=error.headers["Allow"])
        case web.HTTPRequestEntityTooLarge():
            return Problem(413, "The body is too large.")
        case web.HTTPError():
            return Problem(error.status, f"{error.reason}.")
        case _:
            raise AssertionError(f"no answer for {type(error).__name__}") from error


def _wants_page(request: web.Request) -> bool:
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")
