"""The API of tokens: who may come in, and who is asking now."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web

from sentinel.core.access import NAME_MAX_CHARS, Issued, Token
from sentinel.core.model import Role
from sentinel.engine.tokens import Tokens
from sentinel.web import bodies, identity, paging, people
from sentinel.web.bodies import Body, Name
from sentinel.web.context import CONTEXT, Context
from sentinel.web.problem import Problem

TokenName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=NAME_MAX_CHARS, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
]


class Wanted(Body, frozen=True):
    """A token to make. ``person`` is in whose name it acts, ``customer`` whose services it sees."""

    name: TokenName
    role: Role
    customer: Name = ""
    person: Name = ""
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    by: Name = ""


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its text, which nobody keeps. ``acts_as`` is the name that its deeds stand under."""

    id: str
    name: str
    role: Role
    acts_as: str
    customer: str
    state: str
    issued_at: datetime | None
    issued_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str
    configured: bool


class NewToken(TokenView, frozen=True, kw_only=True):
    """A token with its text: it is told once, and never again."""

    token: str


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. ``services`` are those that are seen; null for all."""

    role: Role
    acts_as: str
    customer: str
    services: tuple[str, ...] | None
    token: TokenView | None


async def me(request: web.Request) -> web.Response:
    """Say who is asking, and what they see."""
    who, context = identity.of(request), request.app[CONTEXT]
    assert who is not None, "the guard has found out"
    shown = token_view(who.token, context) if who.token else None
    return bodies.json(
        Me(
            role=who.role,
            acts_as=who.acts_as,
            customer=who.customer,
            services=identity.services(request),
            token=shown,
        )
    )


async def list_tokens(request: web.Request) -> web.Response:
    """List the tokens, those that are revoked among them."""
    context = request.app[CONTEXT]
    found = [token_view(token, context) for token in known(context).all()]
    return paging.listed(request, found, lambda one: one.id)


async def issue(request: web.Request) -> web.Response:
    """Make a token, and tell its text: the one time that anybody sees it."""
    return bodies.json(await made(request, await bodies.read(request, Wanted)), status=201)


async def made(request: web.Request, body: Wanted) -> NewToken:
    """Make a token, in whose name whoever asks says.

    Raises:
        Problem: 400 there is no such person or customer.
        Refused: it makes no sense.
    """
    context = request.app[CONTEXT]
    settings = context.settings()
    person = people.named(request, bodies.line(body.person, bodies.NAME_MAX_CHARS))
    if person and person not in settings.directory.people:
        raise Problem(400, f"There is no person `{person}`.")
    if body.customer and body.customer not in settings.owners.values():
        customers = ", ".join(sorted(set(filter(None, settings.owners.values())))) or "none"
        raise Problem(400, f"No service is of the customer `{bodies.line(body.customer)}`; known: {customers}.")
    wanted = Issued(
        at=context.now(),
        by=people.acting(request, body.by),
        name=body.name,
        digest="",
        role=body.role,
        customer=body.customer,
        person=person,
        expires_at=body.expires_at,
    )
    token, text = await known(context).issue(wanted)
    shown = msgspec.structs.asdict(token_view(token, context))
    return NewToken(**shown, token=text)


async def revoke(request: web.Request) -> web.Response:
    """Take a token no more, from the next request on; by its id or its name."""
    context, why = request.app[CONTEXT], bodies.line(request.query.get("why", ""), bodies.NAME_MAX_CHARS)
    by = people.acting(request, "") if identity_names(request) else "this machine"
    token = await known(context).revoke(bodies.line(request.match_info["id"]), by, why)
    return bodies.json(token_view(token, context))


def identity_names(request: web.Request) -> bool:
    """Tell whether it is known who asks without a word: by a token, or on the control socket."""
    who = identity.of(request)
    return who is not None and (bool(who.acts_as) or who.key.startswith("socket:"))


def token_view(token: Token, context: Context) -> TokenView:
    """Show a token."""
    over = "revoked" if token.revoked_at else "expired"
    return TokenView(
        id=token.id,
        name=token.name,
        role=token.role,
        acts_as=token.acts_as,
        customer=token.customer,
        state="in_force" if token.in_force(context.now()) else over,
        issued_at=token.issued_at,
        issued_by=token.issued_by,
        expires_at=token.expires_at,
        revoked_at=token.revoked_at,
        revoked_by=token.revoked_by,
        configured=token.configured,
    )


def known(context: Context) -> Tokens:
    """Return the tokens of the daemon."""
    assert context.tokens is not None, "a daemon has them"
    return context.tokens
