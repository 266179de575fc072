"""The API of accounts: who may sign in with a password, asked in, disabled and enabled by an administrator."""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from sentinel.core.model import Person, Role
from sentinel.engine.accounts import Accounts
from sentinel.web import bodies, paging, people
from sentinel.web.bodies import Body, Name, Text
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.problem import Problem
from sentinel.web.sessions import of_person


class Invite(Body, frozen=True):
    """Who asks somebody in."""

    by: Name = ""


class Disable(Body, frozen=True):
    """Why nobody comes in by an account any more."""

    why: Text
    by: Name = ""


class Enable(Body, frozen=True):
    """Who takes an account again."""

    by: Name = ""


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of the configuration, and how they may sign in. ``sessions`` is in how many browsers they are."""

    person: str
    name: str
    role: Role
    password_at: datetime | None
    second_factor: bool
    invited_until: datetime | None
    disabled_at: datetime | None
    why: str
    sessions: int


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """Where somebody sets a password: the one time that anybody sees it."""

    person: str
    url: str
    expires_at: datetime | None


def routes(api: str) -> list[Route]:
    """Return the API below ``api``."""
    one = f"{api}/accounts/{{person}}"
    return [
        Route("GET", f"{api}/accounts", list_accounts),
        Route("POST", f"{one}/invite", invite),
        Route("POST", f"{one}/disable", disable),
        Route("POST", f"{one}/enable", enable),
    ]


async def list_accounts(request: web.Request) -> web.Response:
    """List the people of the configuration and their accounts."""
    context = request.app[CONTEXT]
    accounts = known(request)
    found = [_view(accounts, one) for one in context.settings().directory.people.values() if ":" not in one.id]
    return paging.listed(request, found, lambda one: one.person)


async def invite(request: web.Request) -> web.Response:
    """Make the link by which somebody sets a password, once, within a day."""
    body = await bodies.read(request, Invite)
    known(request)
    person = person_of(request, request.match_info["person"])
    return bodies.json(await ask_in(request, person, people.acting(request, body.by)), status=201)


async def ask_in(request: web.Request, person: Person, by: str) -> Invitation:
    """Make the link by which somebody sets a password.

    Raises:
        Problem: 409 they are not of the provider, and nobody knows whose customer they are.
        Refused: the account is disabled.
    """
    if person.side != "provider" and not person.customer:
        raise Problem(409, f"{person.id} is not of the provider: say in `people` whose `customer` they are.")
    accounts = known(request)
    secret = await accounts.invite(person.id, by)
    base = request.app[CONTEXT].settings().site_url.rstrip("/")
    until = accounts.of(person.id).invited_until
    return Invitation(person=person.id, url=f"{base}/invitations/{secret}", expires_at=until)


async def disable(request: web.Request) -> web.Response:
    """Let nobody in by an account any more; its sessions end at once."""
    body, accounts, person = await bodies.read(request, Disable), known(request), _person(request)
    await accounts.disable(person.id, people.acting(request, body.by), bodies.line(body.why))
    return bodies.json(_view(accounts, person))


async def enable(request: web.Request) -> web.Response:
    """Take an account again."""
    body, accounts, person = await bodies.read(request, Enable), known(request), _person(request)
    await accounts.enable(person.id, people.acting(request, body.by))
    return bodies.json(_view(accounts, person))


def known(request: web.Request) -> Accounts:
    """Return the accounts.

    Raises:
        Problem: 404 nobody signs in by one.
    """
    accounts = request.app[CONTEXT].accounts
    if accounts is None:
        raise Problem(404, "Nobody signs in here with a password.")
    return accounts


def _person(request: web.Request) -> Person:
    return person_of(request, request.match_info["person"])


def person_of(request: web.Request, name: str) -> Person:
    """Return somebody of the configuration, by id, name or mail address.

    Raises:
        Problem: 404 there is nobody of that name.
    """
    directory = request.app[CONTEXT].settings().directory
    found = directory.people.get(people.known(bodies.line(name), directory))
    if found is None:
        raise Problem(404, f"There is no person `{bodies.line(name)}`.")
    return found


def _view(accounts: Accounts, person: Person) -> AccountView:
    account = accounts.of(person.id)
    return AccountView(
        person=person.id,
        name=person.name,
        role=of_person(person, "").role,
        password_at=account.password_at,
        second_factor=bool(account.second),
        invited_until=account.invited_until if account.invitation else None,
        disabled_at=account.disabled_at,
        why=account.why,
        sessions=len(accounts.sessions(person.id)),
    )
