"""The practice site: home, login with a hidden token and a session cookie, a course behind it."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from sentinel.demo.faults import Faults
from sentinel.demo.paper import page

COOKIE: Final = "CampusSession"
USERNAME: Final = "probe"
PASSWORD: Final = "practice"  # noqa: S105  it guards nothing, and stands in the documentation
COURSE: Final = "2"
SLOW_S: Final = 20.0
SESSIONS_MAX: Final = 1_000
FAULTS_KEY: Final = web.AppKey("faults", Faults)


@dataclass(slots=True)
class Session:
    """A visitor: the token of the form they were given, and whether they are signed in."""

    token: str
    signed_in: bool = False


SESSIONS: Final = web.AppKey("sessions", dict[str, Session])


def add_to(app: web.Application, faults: Faults) -> None:
    """Add the site's pages to an application."""
    app[FAULTS_KEY] = faults
    app[SESSIONS] = {}
    app.router.add_get("/", home)
    app.router.add_get("/login/index.php", login_form)
    app.router.add_post("/login/index.php", login)
    app.router.add_get("/my/", dashboard)
    app.router.add_get("/course/view.php", course)


async def home(request: web.Request) -> web.Response:
    """Show the home page."""
    if await _fault(request) == "home-500":
        return page(request, "broken.html", status=500)
    return page(request, "home.html")


async def login_form(request: web.Request) -> web.Response:
    """Show the login form, with a token that belongs to the visitor's session."""
    if await _fault(request) == "login-503":
        return page(request, "broken.html", status=503)
    return _form(request, status=200)


async def login(request: web.Request) -> web.Response:
    """Sign in who sends back the token and the password."""
    if await _fault(request) == "login-503":
        return page(request, "broken.html", status=503)
    given = await request.post()
    session = _session(request)
    right = session is not None and all(
        hmac.compare_digest(str(given.get(field, "")).encode(), wanted.encode())
        for field, wanted in (("logintoken", session.token), ("username", USERNAME), ("password", PASSWORD))
    )
    if session is None or not right:
        return _form(request, status=403)
    session.signed_in = True
    raise web.HTTPSeeOther("/my/")


async def dashboard(request: web.Request) -> web.Response:
    """Show what a user sees after signing in."""
    await _fault(request)
    _signed_in(request)
    return page(request, "dashboard.html", course=COURSE)


async def course(request: web.Request) -> web.Response:
    """Show the one course there is."""
    fault = await _fault(request)
    _signed_in(request)
    if fault == "course-missing" or request.query.get("id") != COURSE:
        return page(request, "broken.html", status=404)
    return page(request, "course.html")


async def _fault(request: web.Request) -> str | None:
    """Return what is wrong now; a slow site has made the visitor wait by then."""
    fault = request.app[FAULTS_KEY].now
    if fault == "slow":
        await asyncio.sleep(SLOW_S)
    return fault


def _form(request: web.Request, *, status: int) -> web.Response:
    sessions = request.app[SESSIONS]
    session = _session(request)
    key = request.cookies[COOKIE] if session else secrets.token_urlsafe(16)
    session = sessions.setdefault(key, session or Session(secrets.token_urlsafe(16)))
    while len(sessions) > SESSIONS_MAX:
        del sessions[next(iter(sessions))]
    response = page(request, "login.html", status=status, token=session.token, username=USERNAME, password=PASSWORD)
    response.set_cookie(COOKIE, key, httponly=True, samesite="Lax")
    return response


def _session(request: web.Request) -> Session | None:
    return request.app[SESSIONS].get(request.cookies.get(COOKIE, ""))


def _signed_in(request: web.Request) -> None:
    session = _session(request)
    if session is None or not session.signed_in:
        raise web.HTTPSeeOther("/login/index.php")
