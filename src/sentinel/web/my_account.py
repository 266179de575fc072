"""Oneself: how one is reached and whether that works, the language, the password, the second factor, the sessions."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sentinel.core import accounts as core
from sentinel.core.model import Person, Refused
from sentinel.engine.accounts import Accounts, new_second, second_url
from sentinel.web import bodies, contact_tests, identity, people_page, sessions
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render

HERE: Final = "/me"


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", f"{HERE}/test", send_test),
        Route("POST", f"{HERE}/password", change_password),
        Route("POST", f"{HERE}/second", set_second),
        Route("POST", f"{HERE}/second/remove", remove_second),
        Route("POST", f"{HERE}/sessions/{{id}}/end", end_session),
        Route("POST", f"{HERE}/sessions/end", end_others),
    ]


async def show(request: web.Request) -> web.Response:
    """Show who asks how they are reached, and their account."""
    return await _page(request)


async def send_test(request: web.Request) -> web.Response:
    """Send oneself a test by one channel: the way that every message goes."""
    _, person = _mine(request)
    await contact_tests.send(request, person, person.id, str((await bodies.form(request)).get("channel", "")))
    raise web.HTTPSeeOther(f"{HERE}?done=test#reach")


async def change_password(request: web.Request) -> web.Response:
    """Set another password, for whoever knows the one of now; every other session ends."""
    accounts, person = _mine(request)
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    if not await accounts.prove(person.id, form.get("password", ""), form.get("code", "")):
        return await _page(request, "me_wrong")
    if form.get("new", "") != form.get("again", ""):
        return await _page(request, "sign_not_the_same")
    try:
        password = core.fitting(form.get("new", ""), person.id, person.name)
    except Refused:
        return await _page(request, "sign_too_weak")
    await accounts.set_password(person.id, password, person.id)
    response = web.Response(status=303, headers={"Location": f"{HERE}?done=password"})
    await sessions.begin(request, response, person.id, "password")
    return response


async def set_second(request: web.Request) -> web.Response:
    """Set a second factor, for whoever shows a code of it, and the password."""
    accounts, person = _mine(request)
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    if accounts.of(person.id).second:
        raise Problem(409, "There is a second factor already; remove it first.")
    if not await accounts.prove(person.id, form.get("password", ""), ""):
        return await _page(request, "me_wrong", second=form.get("secret", ""))
    try:
        await accounts.set_second(person.id, form.get("secret", ""), form.get("code", ""), person.id)
    except (Refused, ValueError):  # No secret of ours.
        return await _page(request, "me_wrong_code", second=form.get("secret", ""))
    raise web.HTTPSeeOther(f"{HERE}?done=second")


async def remove_second(request: web.Request) -> web.Response:
    """Take the second factor away, for whoever shows it and the password."""
    accounts, person = _mine(request)
    form = {name: str(value) for name, value in (await bodies.form(request)).items()}
    if not await accounts.prove(person.id, form.get("password", ""), form.get("code", "")):
        return await _page(request, "me_wrong")
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


async def _page(request: web.Request, wrong: str = "", second: str = "") -> web.Response:
    accounts, person = _mine(request)
    account, who = accounts.of(person.id), identity.of(request)
    secret = "" if account.second else (second or new_second())
    context = request.app[CONTEXT]
    test = contact_tests.known(context).of(person.id)
    fates = await contact_tests.fates(context, (test,))
    response = render(
        request,
        "me.html",
        whom=person,
        role=who.role if who else "",
        account=account,
        addresses=people_page.addresses(person, context, whole=True),
        channels=contact_tests.channels_of(context, person),
        test=test,
        fates=fates.get(person.id, ()),
        standing=contact_tests.standing,
        sessions=accounts.sessions(person.id),
        here=who.session.id if who and who.session else "",
        secret=secret,
        secret_url=second_url(secret, person.id, context.settings().site_name) if secret else "",
        least=core.PASSWORD_MIN_CHARS,
        wrong=wrong,
        done=request.query.get("done", ""),
    )
    if wrong:
        response.set_status(400)
    return response
