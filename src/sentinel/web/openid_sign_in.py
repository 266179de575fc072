"""Signing in at an identity provider: where a browser is sent, what it brings back, and whose session then begins.

What is under way is kept here, and the browser that began it has a cookie: nobody is signed in by a link that somebody
else prepared (threat T26).
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import structlog
from aiohttp import web

from sentinel.core.model import Directory
from sentinel.openid.base import TEXT_MAX_CHARS, Unavailable, Unbelievable
from sentinel.openid.configured import BACK
from sentinel.openid.provider import Provider, Started
from sentinel.web import bodies, identity, sessions, signing
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render

log = structlog.get_logger(__name__)

START: Final = "/sign-in/oidc"
KEPT_FOR_S: Final = 600.0
UNDER_WAY_MAX: Final = 1_000
COOKIE: Final = "__Host-sentinel_oidc"
COOKIE_IN_CLEAR: Final = "sentinel_oidc"
RANDOM_BYTES: Final = 32

# Why nobody was signed in, and the status that says so.
Why = Literal["unavailable", "denied", "lost", "refused", "unverified", "unknown", "disabled"]
STATUS_OF: Final[dict[Why, int]] = {
    "unavailable": 503,
    "denied": 403,
    "lost": 400,
    "refused": 403,
    "unverified": 403,
    "unknown": 403,
    "disabled": 403,
}


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way: which browser began it, where it wants to go, and since when."""

    started: Started
    provider: Provider
    browser: str = field(repr=False)
    next: str
    at_s: float


class UnderWay:
    """The sign-ins under way. Each is taken once, within ten minutes; the oldest give way to new ones."""

    def __init__(self) -> None:
        self._begun: dict[str, Begun] = {}

    def put(self, one: Begun) -> None:
        """Keep a sign-in until somebody comes back with it."""
        self._begun[one.started.state] = one
        if len(self._begun) > UNDER_WAY_MAX:
            self._begun.pop(next(iter(self._begun)))

    def take(self, state: str, browser: str, now_s: float) -> Begun | None:
        """Return the sign-in of a state, if this browser began it lately; it is gone then."""
        one = self._begun.get(state)
        # Who only knows the state takes it from nobody.
        if one is None or not hmac.compare_digest(one.browser.encode(), browser.encode("utf-8", "surrogatepass")):
            return None
        del self._begun[state]
        return one if now_s - one.at_s < KEPT_FOR_S else None


UNDER_WAY: Final = web.AppKey("UNDER_WAY", UnderWay)


class _Failed(Exception):  # noqa: N818  an answer, not a fault
    """Nobody is signed in; ``said`` is what the provider calls whoever it was."""

    def __init__(self, why: Why, detail: str, said: str = "") -> None:
        super().__init__(detail)
        self.why: Why = why
        self.said = said


def routes() -> list[Route]:
    """Return where a sign-in at the provider begins and ends."""
    return [Route("GET", START, start, access="anyone"), Route("GET", BACK, back, access="anyone")]


async def start(request: web.Request) -> web.Response:
    """Send a browser to the provider."""
    provider = _provider(request)
    signing.may_try(request)
    now_s = asyncio.get_running_loop().time()
    started = Started(*(secrets.token_urlsafe(RANDOM_BYTES) for _ in range(3)))
    browser = secrets.token_urlsafe(RANDOM_BYTES)
    try:
        address = await provider.address(started)
    except Unavailable as error:
        return _page(request, _Failed("unavailable", str(error)))
    next_ = signing.inside(request.query.get("next", "/"))
    request.app[UNDER_WAY].put(Begun(started, provider, browser, next_, now_s))
    response = web.Response(status=303, headers={"Location": address})
    secure = sessions.over_tls(request)
    response.set_cookie(
        _cookie(request), browser, max_age=int(KEPT_FOR_S), path="/", secure=secure, httponly=True, samesite="Lax"
    )
    return response


async def back(request: web.Request) -> web.Response:
    """Begin a session for whoever comes back from the provider, or say on a page why not."""
    _provider(request)
    try:
        begun = _begun(request)
        person = await _person(request, begun)
    except _Failed as failed:
        log.warning("sign-in failed", way="oidc", why=str(failed), client=identity.client(request))
        return _page(request, failed)
    response = web.Response(status=303, headers={"Location": begun.next})
    await sessions.begin(request, response, person, "oidc")
    response.del_cookie(_cookie(request), path="/", secure=sessions.over_tls(request), httponly=True, samesite="Lax")
    return response


def _provider(request: web.Request) -> Provider:
    """Return the provider, if a session may begin here.

    Raises:
        Problem: 404 nobody signs in that way; 403 somebody could read the session on its way.
    """
    context = request.app[CONTEXT]
    provider = context.openid()
    if provider is None or context.accounts is None:
        raise Problem(404, "Nobody signs in here at a provider.")
    if not sessions.heard_by_nobody(request):
        raise Problem(403, "Sessions begin over TLS only: name the proxy in `auth.trusted_proxies`.")
    return provider


def _begun(request: web.Request) -> Begun:
    """Return the sign-in that a browser comes back with.

    Raises:
        _Failed: it is none of this browser, it took too long, or the provider says no.
    """
    query, now_s = request.query, asyncio.get_running_loop().time()
    browser = request.cookies.get(_cookie(request), "")
    begun = request.app[UNDER_WAY].take(query.get("state", ""), browser, now_s)
    if begun is None:
        raise _Failed("lost", "no sign-in of this browser is under way")
    if begun.provider is not request.app[CONTEXT].openid():
        raise _Failed("lost", "the configuration has changed meanwhile")
    # RFC 9207: where the answer names who gives it, it must be whom we asked.
    if query.get("iss", begun.provider.ours.issuer) != begun.provider.ours.issuer:
        raise _Failed("refused", "another provider answers")
    if "error" in query:
        said = bodies.line(query["error"], TEXT_MAX_CHARS)
        raise _Failed("denied" if said == "access_denied" else "refused", f"the provider says: {said}")
    return begun


async def _person(request: web.Request, begun: Begun) -> str:
    """Return whose session begins.

    Raises:
        _Failed: what the provider says is no proof, or proves somebody whom nobody knows.
    """
    context = request.app[CONTEXT]
    try:
        claims = await begun.provider.exchange(request.query.get("code", ""), begun.started, context.now())
    except Unavailable as error:
        raise _Failed("unavailable", str(error)) from error
    except Unbelievable as error:
        raise _Failed("refused", str(error)) from error
    claim = begun.provider.ours.claim
    said = claims.get(claim)
    name = bodies.line(said, TEXT_MAX_CHARS) if isinstance(said, str) else ""
    if claim == "email" and name and not _verified(claims):
        raise _Failed("unverified", "the provider has not verified the mail address", name)
    person = whose(name, context.settings().directory)
    if not person:
        raise _Failed("unknown", f"nobody in `people` has this {claim}", name)
    if context.accounts is not None and context.accounts.of(person).disabled_at is not None:
        raise _Failed("disabled", "the account is disabled", name)
    return person


def whose(said: str, directory: Directory) -> str:
    """Return the id of the one person who has this id or mail address, in whatever case; nothing for nobody, or two.

    Names do not count: at many providers people choose them.
    """
    folded = said.casefold()
    found = [
        one.id
        for one in directory.people.values()
        if folded and folded in {one.id.casefold(), one.addresses.get("email", "").casefold()}
    ]
    return found[0] if len(found) == 1 else ""


def _verified(claims: dict[str, Any]) -> bool:
    return claims.get("email_verified") in (True, "true")  # As a text: some write it so.


def _cookie(request: web.Request) -> str:
    return COOKIE if sessions.over_tls(request) else COOKIE_IN_CLEAR


def _page(request: web.Request, failed: _Failed) -> web.Response:
    response = render(request, "openid.html", why=failed.why, said=failed.said)
    response.set_status(STATUS_OF[failed.why])
    return response
