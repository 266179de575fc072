"""One's own account: the password, the second factor, and where one is signed in."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.core import accounts as core
from sentinel.core.model import Person, Refused
from sentinel.engine.accounts import Accounts, new_second, second_url
from sentinel.web import identity, sessions
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render

HERE: Final = "/me"
SECOND: Final = "second"


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", f"{HERE}/password", change_password),
        Route("POST", f"{HERE}/second", set_second),
        Route("POST", f"{HERE}/second/remove", remove_second),
        Route("POST", f"{HERE}/sessions/{{id}}/end", end_session),
        Route("POST", f"{HERE}/sessions/end", end_others),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the account of who asks."""
    return _page(request)


async def change_password(request: web.Request) -> web.Response:
    """Set another password, for whoever knows the one of now; every other session ends."""
    accounts, person = _mine(request)
    form = {name: str(value) for name, value in (await request.post()).items()}
    if not await accounts.prove(person.id, form.get("password", ""), form.get("code", "")):
        return _page(request, "me_wrong")
    if form.get("new", "") != form.get("again", ""):
        return _page(request, "sign_not_the_same")
    try:
        password = core.fitting(form.get("new", ""), person.id, person.name)
    except Refused:
        return _page(request, "sign_too_weak")
    await accounts.set_password(person.id, password, person.id)
    response = web.Response(status=303, headers={"Location": f"{HERE}?done=password"})
    await sessions.begin(request, response, person.id, "password")
    return response


async def set_second(request: web.Request) -> web.Response:
    """Set a second factor, for whoever shows a code of it, and the password."""
    accounts, person = _mine(request)
    form = {name: str(value) for name, value in (await request.post()).items()}
    if accounts.of(person.id).second:
        raise Problem(409, "There is a second factor already; remove it first.")
    if not await accounts.prove(person.id, form.get("password", ""), ""):
        return _page(request, "me_wrong", second=form.get("secret", ""))
    try:
        await accounts.set_second(person.id, form.get("secret", ""), form.get("code", ""), person.id)
    except (Refused, ValueError):  # No secret of ours.
        return _page(request, "me_wrong_code", second=form.get("secret", ""))
    raise web.HTTPSeeOther(f"{HERE}?done=second")


async def remove_second(request: web.Request) -> web.Response:
    """Take the second factor away, for whoever shows it and the password."""
    accounts, person = _mine(request)
    form = {name: str(value) for name, value in (await request.post()).items()}
    if not await accounts.prove(person.id, form.get("password", ""), form.get("code", "")):
        return _page(request, "me_wrong")
    await accounts.set_second(person.id, "", "", person.id)
    raise web.HTTPSeeOther(f"{HERE}?done=second")


async def end_session(request: web.Request) -> web.Response:
    """End one session."""
    accounts, person = _mine(request)
    await accounts.end(person.id, request.match_info["id"])
    raise web.HTTPSeeOther(f"{HERE}?done=session")


async def end_others(request: web.Request) -> web.Response:
    """End every session but this one."""
    accounts, person = _mine(request)
    who = identity.of(request)
    await accounts.end_all(person.id, but=who.session.id if who and who.session else "")
    raise web.HTTPSeeOther(f"{HERE}?done=session")


def _mine(request: web.Request) -> tuple[Accounts, Person]:
    context, who = request.app[CONTEXT], identity.of(request)
    person = context.settings().directory.people.get(who.acts_as) if who is not None else None
    if context.accounts is None or person is None or who is None or who.token is not None:
        raise Problem(404, "Only who signed in has an account here.")
    return context.accounts, person


def _page(request: web.Request, wrong: str = "", second: str = "") -> web.Response:
    accounts, person = _mine(request)
    account, who = accounts.of(person.id), identity.of(request)
    secret = "" if account.second else (second or new_second())
    site = request.app[CONTEXT].settings().site_name
    response = render(
        request,
        "me.html",
        whom=person,
        role=who.role if who else "",
        account=account,
        sessions=accounts.sessions(person.id),
        here=who.session.id if who and who.session else "",
        secret=secret,
        secret_url=second_url(secret, person.id, site) if secret else "",
        least=core.PASSWORD_MIN_CHARS,
        wrong=wrong,
        done=request.query.get("done", ""),
    )
    if wrong:
        response.set_status(400)
    return response
