"""Who may ask what, before any handler runs; and what every answer carries.

Without credentials only this machine is served: the control socket, and loopback peers that speak for themselves.
A browser on this machine visits other sites too, so the Host header (DNS rebinding) and the origin of everything
that changes something (request forgery) are checked as well (threats T8, T15, T24, T25). Who shows a token is served
as far as its role goes, wherever it comes from: `rights.py` has the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from sentinel.core.access import Right
from sentinel.core.model import Refused
from sentinel.engine.desk import Unknown
from sentinel.store.base import StoreUnavailable
from sentinel.web import identity as identities
from sentinel.web import keys, paging, peers, repeats, sessions, tenancy
from sentinel.web.context import CONTEXT, AlertDoor, Context
from sentinel.web.identity import IDENTITY, Identity
from sentinel.web.limits import Limits, Weight
from sentinel.web.operations import Operation
from sentinel.web.problem import RETRY_AFTER_S, Problem, answer
from sentinel.web.rights import Grant

# `local`: whoever shows a token, and this machine where none is needed. `near`: tokens, and this machine always.
# `listed`: the addresses of `server.metrics.allow`. `anyone`: carries its own proof, or says nothing.
# `alerts`: this machine, the addresses of `intake.alertmanager.allow`, and who has its key; `problems`: of Dynatrace.
Access = Literal["local", "near", "listed", "alerts", "problems", "anyone"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LIMITS: Final = web.AppKey("LIMITS", Limits)
# What a token needs for a route that has no line in the table of rights: the doors, which have keys of their own.
DOORS: Final[dict[Access, Right]] = {"listed": "look", "alerts": "work", "problems": "work"}
# Who may send alerts is held up, not refused: what is refused is lost, and the queue behind these doors is bounded.
SENDERS: Final[frozenset[Access]] = frozenset({"alerts", "problems"})

HOSTS_KEPT_MAX: Final = 256  # Of the names by which it is asked.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FRIENDLY_SITES = frozenset({"same-origin", "none"})
HEADERS = {
    "Server": "Sentinel",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; "
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
    """One line of the table of routes: everything that Sentinel answers stands in one.

    ``grant`` is its line in the table of rights, ``operation`` what the description of the API says of it.
    """

    method: str
    path: str
    handler: Handler
    access: Access = "local"
    grant: Grant | None = None
    operation: Operation | None = None


def guarded(route: Route) -> Handler:
    """Put the checks of a route before its handler."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            found = await sessions.look(request) if route.access != "anyone" else None
            who = admit(request, route.access, found)
        except Problem as problem:
            if problem.status == 401:
                charge_stranger(request)
            raise
        if who is None:
            return await route.handler(request)
        request[IDENTITY] = who
        entitle(who, route)
        if not peers.on_control_socket(request) and route.access not in SENDERS:
            charge(request, f"{who.key} {identities.client(request) if who.trusted else ''}", weight_of(route))
        if route.grant is not None:
            await tenancy.within(request, route.grant.tenant)
        if route.operation is not None:
            route.operation.check_query(request)
        secret = route.grant is not None and route.grant.shows_secret
        return await repeats.once(request, route.handler, shows_secret=secret)

    return handle


def admit(request: web.Request, access: Access, signed_in: Identity | None = None) -> Identity | None:
    """Let a request in, and say who asks; nothing on routes where that does not matter.

    Raises:
        Problem: 403, with the reason; 401 a token is missing, or it is none.
    """
    if access == "anyone":
        return None
    if peers.on_control_socket(request):
        return Identity(f"socket:{peers.user(request)}", "administrator", trusted=True)
    context = request.app[CONTEXT]
    if access == "listed" and _is_listed(request, context):
        return None
    if access == "alerts" and _may_send_alerts(request, context.settings().alerts, "alertmanager"):
        return None
    if access == "problems" and _may_send_alerts(request, context.settings().problems, "dynatrace"):
        return None
    who = _with_token(request, context) or _signed_in(request, signed_in)
    if who is not None:
        return who
    if access == "listed":
        raise Problem(403, "This address is not in `server.metrics.allow`.")
    return _of_this_machine(request, context, access)


def entitle(who: Identity, route: Route) -> None:
    """Refuse what the role has no right to. A route without a line in the table is refused to every token.

    Raises:
        Problem: 403, with the right that is missing.
    """
    if who.trusted:
        return
    grant = route.grant
    needed = grant.right if grant is not None else DOORS.get(route.access)
    if who.role == "customer":
        if grant is None or grant.tenant == "nothing":
            raise Problem(403, "A customer may not ask this.")
    elif needed is None or not who.has(needed):
        raise Problem(403, f"The role `{who.role}` may not ask this: it needs the right `{needed or 'of nobody'}`.")


def charge(request: web.Request, client: str, weight: Weight) -> None:
    """Count a request of a client.

    Raises:
        Problem: 429, with when to ask again; what matters least is refused first.
    """
    now_s = asyncio.get_running_loop().time()
    wait_s = request.app[LIMITS].take(client, weight, request.app[CONTEXT].settings().limit, now_s)
    if wait_s:
        raise Problem(429, f"Too many requests; ask again in {wait_s} s.", Retry_After=str(wait_s))


def charge_stranger(request: web.Request) -> None:
    """Count a request that proves nothing.

    Raises:
        Problem: 429, with when to ask again.
    """
    charge(request, f"stranger:{identities.client(request)}", "bulk")


def weight_of(route: Route) -> Weight:
    """Return how much an answer matters when there are too many."""
    if route.grant is not None:
        return route.grant.weight
    return "look"


def _with_token(request: web.Request, context: Context) -> Identity | None:
    """Return who shows a token. Where nobody needs one, a password of something else means nothing."""
    if context.tokens is None or not (context.tokens.known() or context.tokens.looks_like(keys.in_header(request))):
        return None
    who = identities.shown(request)
    if who is not None and request.method not in SAFE_METHODS and not _origin_is_ours(request):
        raise Problem(403, "The request comes from another site.")
    return who


def _signed_in(request: web.Request, found: Identity | None) -> Identity | None:
    """Return who has signed in. A cookie is sent with whatever another site asks: the request must be our page's."""
    if found is not None and request.method not in SAFE_METHODS and not is_of_our_page(request):
        raise Problem(403, "The request comes from another site.")
    return found


def credentials_known(context: Context) -> bool:
    """Tell whether somebody could prove who they are: then everybody has to."""
    tokens, accounts = context.tokens, context.accounts
    return (tokens is not None and tokens.known()) or (accounts is not None and accounts.known())


def _of_this_machine(request: web.Request, context: Context, access: Access) -> Identity:
    peer, settings = peers.address(request), context.settings()
    needed = settings.loopback == "no" or bool(settings.sign_in_ways) or credentials_known(context)
    near = peer is not None and peer.is_loopback and not peers.forwarded(request)
    if needed and not (near and (access != "local" or settings.loopback == "yes")):
        raise identities.unknown(request, "Show a token: `Authorization: Bearer TOKEN`.")
    if not near:
        raise Problem(403, "Without credentials configured, only this machine is served, and no proxy.")
    if not _host_is_ours(request, context):
        raise Problem(403, "The Host header names neither this machine nor `site.url`.")
    if request.method not in SAFE_METHODS and not _origin_is_ours(request):
        raise Problem(403, "The request comes from another site.")
    return Identity("local", "administrator", trusted=True)


def _is_listed(request: web.Request, context: Context) -> bool:
    peer = peers.address(request)
    if peer is None or peers.forwarded(request):
        return False
    return any(peer in network for network in context.settings().metrics_allow)


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
    name, loopback = _host_of(written)
    if loopback:
        return True
    settings = context.settings()
    return bool(name) and name in {settings.listen_host, urlsplit(settings.site_url).hostname}


@lru_cache(maxsize=HOSTS_KEPT_MAX)
def _host_of(written: str) -> tuple[str, bool]:
    """Return the name in a Host header, empty when it is none, and whether it is this machine's own."""
    try:
        name = urlsplit(f"//{written}").hostname or ""
    except ValueError:
        return "", False
    try:
        return name, name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return name, False


def _origin_is_ours(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in FRIENDLY_SITES:
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    ours = {request.headers.get("Host"), urlsplit(request.app[CONTEXT].settings().site_url).netloc or None}
    try:
        return urlsplit(origin).netloc in ours
    except ValueError:
        return False


def is_of_our_page(request: web.Request) -> bool:
    """Tell whether a page of ours asks. Every browser says of its forms where they stand; what says nothing is none."""
    said = "Origin" in request.headers or "Sec-Fetch-Site" in request.headers
    return said and _origin_is_ours(request)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers that keep a browser in check on every answer, errors included."""
    stricter = response.headers.get("Referrer-Policy")  # Where a code or a secret stands in the address (threat T22).
    response.headers.update(HEADERS)
    if stricter:
        response.headers["Referrer-Policy"] = stricter
    response.headers.setdefault("Cache-Control", "no-store")
    paging.add_link(request, response)


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what cannot be served into an answer that says why: details for programs, a page for people."""
    try:
        return await handler(request)
    except (Problem, Refused, StoreUnavailable, web.HTTPError, web.RequestPayloadError) as error:
        problem = as_problem(error)
    if _wants_page(request):
        from sentinel.web.rendering import error_page  # noqa: PLC0415  the pages need this module

        if problem.status == 401 and request.method == "GET" and sessions.offered(request):
            form = f"{sessions.SIGN_IN}?{urlencode({'next': request.path_qs})}"
            return web.Response(status=303, headers={"Location": form})
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
            problem = Problem(409, str(error))
            problem.refusal = error
            return problem
        case StoreUnavailable():
            return Problem(503, f"The database cannot be used now: {error}", Retry_After=str(RETRY_AFTER_S))
        case web.HTTPMethodNotAllowed():
            return Problem(405, f"Possible here: {error.headers['Allow']}.", Allow=error.headers["Allow"])
        case web.HTTPRequestEntityTooLarge():
            return Problem(413, "The body is too large.")
        case web.HTTPError():
            return Problem(error.status, f"{error.reason}.")
        case web.RequestPayloadError():
            return Problem(400, "The body is not packed as its headers say.")
        case _:
            raise AssertionError(f"no answer for {type(error).__name__}") from error


def _wants_page(request: web.Request) -> bool:
    return not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")
