"""The page of tokens: which there are, and a form to make one, whose text is shown this once, or to take it no more."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec
from aiohttp import web

from sentinel.core.access import ROLES
from sentinel.web import bodies, guard, people, tokens
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.rendering import render, went_back
from sentinel.web.tokens import NewToken, Wanted

HERE: Final = "/tokens"
SHOWN_MAX: Final = 50
DAYS_MAX: Final = 3_650
NAME_SHAPE: Final = "[A-Za-z0-9][A-Za-z0-9_.\\-]*"  # As browsers check it; `tokens.TokenName` decides.


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", HERE, issue),
        Route("POST", f"{HERE}/{{id}}/revoke", revoke),
    ]


async def show(request: web.Request) -> web.Response:
    """Show the tokens: those that are taken first, of each kind the newest first."""
    bodies.known_parameters(request, "page", "lang", "theme")
    return _page(request)


async def issue(request: web.Request) -> web.Response:
    """Make a token, and show its text: the one time that anybody sees it.

    Raises:
        Problem: 400 a field cannot be what it is.
    """
    form = {name: str(value).strip() for name, value in (await bodies.form(request)).items()}
    context, days = request.app[CONTEXT], _days(form.get("days", ""))
    fields = {name: form.get(name, "") for name in ("name", "role", "customer", "person", "by")}
    try:
        wanted = msgspec.convert({**fields, "expires_at": context.now() + days if days else None}, Wanted)
    except msgspec.ValidationError as error:
        raise Problem(400, f"There is no such token: {bodies.line(str(error))}.") from error
    first = not guard.credentials_known(context)
    return _page(request, await tokens.made(request, wanted), first=first)


async def revoke(request: web.Request) -> web.Response:
    """Take a token no more, from the next request on."""
    form = await bodies.form(request)
    by, why = people.acting(request, str(form.get("by", ""))), bodies.line(str(form.get("why", "")))
    await tokens.known(request.app[CONTEXT]).revoke(bodies.line(request.match_info["id"]), by, why)
    return went_back(request, HERE, by)


def _page(request: web.Request, made: NewToken | None = None, *, first: bool = False) -> web.Response:
    context = request.app[CONTEXT]
    settings, page = context.settings(), bodies.number(request, "page", 1, 1_000)
    newest = [tokens.token_view(one, context) for one in reversed(tokens.known(context).all())]
    found = sorted(newest, key=lambda one: one.state != "in_force")
    return render(
        request,
        "tokens.html",
        found=found[(page - 1) * SHOWN_MAX : page * SHOWN_MAX],
        page=page,
        pages=-(-len(found) // SHOWN_MAX),
        made=made,
        first=first,
        roles=ROLES,
        customers=sorted(set(filter(None, settings.owners.values()))),
        days_max=DAYS_MAX,
        name_shape=NAME_SHAPE,
    )


def _days(written: str) -> timedelta | None:
    """Return how long a token is taken; nothing for as long as nobody revokes it.

    Raises:
        Problem: 400 it is no number of days.
    """
    if not written:
        return None
    if not (written.isascii() and written.isdecimal() and len(written) < 5 and 1 <= int(written) <= DAYS_MAX):
        raise Problem(400, f"`days` must be a whole number from 1 to {DAYS_MAX}, or empty.")
    return timedelta(days=int(written))
