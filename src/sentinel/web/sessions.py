"""Who has signed in in this browser, or was by a proxy that Sentinel trusts; and the cookie that says so.

A session is only begun where nobody listens: over TLS, or on this machine. Its cookie then is bound to this host alone.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.core.model import Person, Role
from sentinel.engine.accounts import AGE_MAX, Session
from sentinel.web import identity, peers, people
from sentinel.web.context import CONTEXT
from sentinel.web.identity import Identity
from sentinel.web.problem import Problem

# The prefix has browsers take it from this host only, over TLS only, for every path (threat T24).
COOKIE: Final = "__Host-sentinel_session"
COOKIE_IN_CLEAR: Final = "sentinel_session"  # Of this machine, for which no certificate is needed.
SIGN_IN: Final = "/sign-in"
AGENT_MAX_CHARS: Final = 200

FOUND: Final = web.RequestKey("FOUND", Identity)


async def look(request: web.Request) -> Identity | None:
    """Return who has signed in, by their session or at a proxy that is trusted; nothing for nobody.

    Raises:
        Problem: 403 the proxy names somebody who is not in the configuration.
    """
    return _by_proxy(request) or await _by_session(request)


async def begin(request: web.Request, response: web.Response, person: str, way: str) -> None:
    """Begin a session for somebody, always with a secret of its own (threat T26).

    Raises:
        Refused: too many are signed in.
        StoreUnavailable: it is not on disk.
    """
    accounts = request.app[CONTEXT].accounts
    assert accounts is not None, "there is no form without accounts"
    agent = request.headers.get("User-Agent", "")[:AGENT_MAX_CHARS]
    secret = await accounts.begin(person, way, agent=agent, client=identity.client(request))
    secure = over_tls(request)
    response.set_cookie(
        COOKIE if secure else COOKIE_IN_CLEAR,
        secret,
        max_age=int(AGE_MAX.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Lax",  # A link in a mail leads in; nothing that changes anything comes from elsewhere.
    )


def leave(request: web.Request, response: web.Response) -> None:
    """Have a browser forget its session."""
    secure = over_tls(request)
    name = COOKIE if secure else COOKIE_IN_CLEAR
    response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")


def over_tls(request: web.Request) -> bool:
    """Tell whether the browser speaks TLS, to us or to a proxy in ``auth.trusted_proxies``."""
    if request.secure:
        return True
    peer = peers.address(request)
    trusted = request.app[CONTEXT].settings().trusted_proxies
    said = request.headers.get("X-Forwarded-Proto", "").strip().casefold()
    return said == "https" and peer is not None and any(peer in network for network in trusted)


def heard_by_nobody(request: web.Request) -> bool:
    """Tell whether a password can be sent: over TLS, or without leaving this machine."""
    peer = peers.address(request)
    return over_tls(request) or (peer is not None and peer.is_loopback and not peers.forwarded(request))


def offered(request: web.Request) -> bool:
    """Tell whether people can sign in here at all."""
    context = request.app[CONTEXT]
    return context.accounts is not None and (context.accounts.known() or bool(context.settings().sign_in_ways))


def of_person(person: Person, key: str, session: Session | None = None) -> Identity:
    """Return somebody with the role of now: it changes with the configuration, not with the next sign-in."""
    # Whoever is not of the provider sees what is of their customer, and without one nothing.
    role: Role = person.role if person.side == "provider" else "customer"
    return Identity(key, role, person.id, person.customer, session=session)


async def _by_session(request: web.Request) -> Identity | None:
    context = request.app[CONTEXT]
    secret = request.cookies.get(COOKIE if over_tls(request) else COOKIE_IN_CLEAR)
    if secret is None or context.accounts is None:
        return None
    session = await context.accounts.find(secret)
    person = context.settings().directory.people.get(session.person) if session else None
    if session is None or person is None:
        return None
    return of_person(person, f"person:{person.id}", session)


def _by_proxy(request: web.Request) -> Identity | None:
    """Return whom a proxy has signed in. What anybody else writes in its header is nobody's word."""
    settings = request.app[CONTEXT].settings()
    proxy, peer = settings.sign_in_proxy, peers.address(request)
    if proxy is None or peer is None or not any(peer in network for network in proxy.networks):
        return None
    written = request.headers.getall(proxy.header, [])
    if not written:
        return None
    known = people.known(written[0].strip(), settings.directory) if len(written) == 1 else ""
    person = settings.directory.people.get(known)
    if person is None:
        raise Problem(403, "The proxy signed in somebody who is not in `people`.")
    return of_person(person, f"proxy:{person.id}")
