"""Signing in and out, and setting a password by the link of an invitation. Forms without script."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from sentinel.core import accounts as core
from sentinel.core.model import Person, Refused
from sentinel.engine.accounts import Accounts
from sentinel.web import bodies, identity, people, sessions
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route, is_of_our_page
from sentinel.web.limits import Bucket
from sentinel.web.problem import Problem
from sentinel.web.rendering import render

log = structlog.get_logger(__name__)

# Of one account, and from one address: so many at once, and in the long run one in so many seconds (threat T27).
TRIES_EACH: Final = 10
TRIES_ADDRESS: Final = 20
TRY_EVERY_S: Final = 6.0
REMEMBERED_MAX: Final = 10_000
NEXT_MAX_CHARS: Final = 500


class Tries:
    """How often passwords were tried. Acknowledge links ask nothing here: no lock-out keeps anybody from acting."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def wait_s(self, name: str, size: int, now_s: float) -> float:
        """Count a try; return how long to wait with it, 0 when it may be made."""
        bucket = self._buckets.pop(name, None) or Bucket(size, now_s)
        self._buckets[name] = bucket
        if len(self._buckets) > REMEMBERED_MAX:
            self._buckets.pop(next(iter(self._buckets)))
        wait_s = bucket.wait_s("vital", 1 / TRY_EVERY_S, size, now_s)
        if wait_s == 0:
            bucket.level -= 1
        return wait_s


TRIES: Final = web.AppKey("TRIES", Tries)


def routes() -> list[Route]:
    """Return the pages that somebody sees who has not signed in yet, and the way out."""
    return [
        Route("GET", sessions.SIGN_IN, show, access="anyone"),
        Route("POST", sessions.SIGN_IN, sign_in, access="anyone"),
        Route("POST", "/sign-out", sign_out, access="anyone"),
        Route("GET", "/invitations/{secret}", invited, access="anyone"),
        Route("POST", "/invitations/{secret}", set_password, access="anyone"),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the form."""
    return _form(request)


async def sign_in(request: web.Request) -> web.Response:
    """Begin a session for whoever proves who they are; say the same of all who do not."""
    accounts = _accounts(request)
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    settings = request.app[CONTEXT].settings()
    written = bodies.line(form.get("person", ""), bodies.NAME_MAX_CHARS)
    person = people.known(written, settings.directory)
    may_try(request, person)
    password = form.get("password", "")[: core.PASSWORD_MAX_CHARS + 1]
    proved = await accounts.prove(person, password, form.get("code", ""))
    if not proved or person not in settings.directory.people:
        log.warning("sign-in failed", person=person, client=identity.client(request))
        return _form(request, written=written, wrong=True)
    response = web.Response(status=303, headers={"Location": inside(form.get("next", ""))})
    await sessions.begin(request, response, person, "password")
    return response


async def sign_out(request: web.Request) -> web.Response:
    """End the session of this browser."""
    context = request.app[CONTEXT]
    if not is_of_our_page(request):
        raise Problem(403, "The request comes from another site.")
    found = await sessions.look(request)
    if found is not None and found.session is not None and context.accounts is not None:
        await context.accounts.end(found.session.person, found.session.id)
    response = web.Response(status=303, headers={"Location": sessions.SIGN_IN})
    sessions.leave(request, response)
    return response


async def invited(request: web.Request) -> web.Response:
    """Show the form that sets a password. Looking spends nothing: previews of links look too."""
    return _invitation(request, _whom(request))


async def set_password(request: web.Request) -> web.Response:
    """Set a password by an invitation, which is spent then, and begin a session."""
    accounts, person = _accounts(request), _whom(request)
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    password = form.get("password", "")
    if password != form.get("again", ""):
        return _invitation(request, person, "sign_not_the_same")
    try:
        core.fitting(password, person.id, person.name)
    except Refused:
        return _invitation(request, person, "sign_too_weak")
    await accounts.set_password(person.id, password, person.id)
    response = web.Response(status=303, headers={"Location": "/"})
    await sessions.begin(request, response, person.id, "password")
    return response


def _accounts(request: web.Request) -> Accounts:
    """Return the accounts, if a password may be sent here.

    Raises:
        Problem: 403 somebody could read it on its way, or another site sends it; 404 nobody signs in here.
    """
    context = request.app[CONTEXT]
    if context.accounts is None or not context.settings().local_accounts:
        raise Problem(404, "Nobody signs in here with a password.")
    if not sessions.heard_by_nobody(request):
        raise Problem(403, "A password is taken over TLS only: name the proxy in `auth.trusted_proxies`.")
    if request.method == "POST" and not is_of_our_page(request):
        raise Problem(403, "The request comes from another site.")
    return context.accounts


def may_try(request: web.Request, person: str = "") -> None:
    """Count a try to sign in, of a person where one is named.

    Raises:
        Problem: 429 too many, with when to try again.
    """
    now_s, tries = asyncio.get_running_loop().time(), request.app[TRIES]
    wait_s = tries.wait_s(f"from {identity.client(request)}", TRIES_ADDRESS, now_s)
    if person:
        wait_s = wait_s or tries.wait_s(f"of {person}", TRIES_EACH, now_s)
    if wait_s:
        raise Problem(429, f"Too many tries; try again in {int(wait_s) + 1} s.", Retry_After=str(int(wait_s) + 1))


def _whom(request: web.Request) -> Person:
    found = _accounts(request).invited(request.match_info["secret"][:NEXT_MAX_CHARS])
    person = request.app[CONTEXT].settings().directory.people.get(found.person) if found else None
    if person is None:
        raise Problem(404, "This link leads nowhere: it serves once, within a day. Ask for another one.")
    return person


def inside(next_: str) -> str:
    """Return a path of ours, and never the address of another site (threat T2)."""
    parts = urlsplit(next_[:NEXT_MAX_CHARS].replace("\\", "/"))
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or parts.path.startswith("//"):
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _form(request: web.Request, *, written: str = "", wrong: bool = False) -> web.Response:
    settings = request.app[CONTEXT].settings()
    response = render(
        request,
        "sign_in.html",
        written=written,
        wrong=wrong,
        next=inside(request.query.get("next", "/")),
        local=settings.local_accounts,
        clear=not sessions.heard_by_nobody(request),
    )
    if wrong:
        response.set_status(401)
    return response


def _invitation(request: web.Request, person: Person, wrong: str = "") -> web.Response:
    response = render(
        request, "invitation.html", whom=person, wrong=wrong, least=core.PASSWORD_MIN_CHARS, language=person.language
    )
    response.headers["Referrer-Policy"] = "no-referrer"  # The secret must not travel on.
    if wrong:
        response.set_status(400)
    return response
