"""The page of people: who can be told by what, when that was last proved, and who may sign in.

Addresses are personal data: whoever does not administer sees the end of a number, and whose a mailbox is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.core.accounts import Account
from sentinel.core.addresses import Doubt
from sentinel.core.model import Person, Role
from sentinel.engine.tested import ContactTest
from sentinel.store.base import OutboxRow, Sought
from sentinel.web import accounts, bodies, contact_tests, identity, people, sessions
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.rendering import render, went_back

HERE: Final = "/people"
SHOWN_MAX: Final = 50
DELIVERED_BACK: Final = timedelta(days=30)
DELIVERED_MAX: Final = 500
DIGITS_SHOWN: Final = 2


class Address(NamedTuple):
    """An address of a person: its kind, how it may be shown, the channels that use it, and what is held against it."""

    kind: str
    text: str
    channels: tuple[str, ...]
    doubt: Doubt | None


class Shown(NamedTuple):
    """A person on the page; ``fates`` is what came of the last test, ``delivered`` the last message that left."""

    person: Person
    role: Role
    addresses: tuple[Address, ...]
    test: ContactTest | None
    fates: tuple[contact_tests.Fate, ...]
    delivered: OutboxRow | None
    account: Account | None
    sessions: int


def routes() -> list[Route]:
    """Return the page and its forms."""
    return [
        Route("GET", HERE, show),
        Route("POST", f"{HERE}/{{id}}/test", test),
        Route("POST", f"{HERE}/{{id}}/invite", invite),
        Route("POST", f"{HERE}/{{id}}/disable", disable),
        Route("POST", f"{HERE}/{{id}}/enable", enable),
    ]


async def show(request: web.Request) -> web.Response:
    """Show who there is."""
    bodies.known_parameters(request, "page", "q", "lang", "theme")
    return await _page(request)


async def test(request: web.Request) -> web.Response:
    """Send a marked test to a person, by one of their channels or each."""
    form = await bodies.form(request)
    by = people.acting(request, str(form.get("by", "")))
    person = accounts.person_of(request, request.match_info["id"])
    await contact_tests.send(request, person, by, str(form.get("channel", "")))
    return went_back(request, f"{HERE}?q={person.id}#p-{person.id}", by)


async def invite(request: web.Request) -> web.Response:
    """Ask somebody in, and show the link: the one time that anybody sees it."""
    by = people.acting(request, str((await bodies.form(request)).get("by", "")))
    person = accounts.person_of(request, request.match_info["id"])
    made = await accounts.ask_in(request, person, by)
    return await _page(request, made)


async def disable(request: web.Request) -> web.Response:
    """Let nobody in by an account any more."""
    form = await bodies.form(request)
    by, why = people.acting(request, str(form.get("by", ""))), bodies.line(str(form.get("why", "")))
    person = accounts.person_of(request, request.match_info["id"])
    await accounts.known(request).disable(person.id, by, why)
    return went_back(request, f"{HERE}?q={person.id}#p-{person.id}", by)


async def enable(request: web.Request) -> web.Response:
    """Take an account again."""
    by = people.acting(request, str((await bodies.form(request)).get("by", "")))
    person = accounts.person_of(request, request.match_info["id"])
    await accounts.known(request).enable(person.id, by)
    return went_back(request, f"{HERE}?q={person.id}#p-{person.id}", by)


def addresses(person: Person, context: Context, *, whole: bool) -> tuple[Address, ...]:
    """Return how a person can be reached: every address of theirs, masked unless all of it may be seen."""
    doubts = {one.kind: one for one in context.addresses.doubts if one.person == person.id}
    channels = context.settings().directory.channels
    return tuple(
        Address(
            kind,
            text if whole else masked(kind, text),
            tuple(name for name, one in channels.items() if one.address == kind),
            doubts.get(kind),
        )
        for kind, text in person.addresses.items()
    )


def masked(kind: str, address: str) -> str:
    """Return an address as everybody may see it: the last digits of a number, the first letter of a mailbox."""
    if kind == "mobile":
        return f"…{address[-DIGITS_SHOWN:]}"
    local, at, domain = address.partition("@")
    return f"{local[:1]}…{at}{domain}" if at else "…"


async def delivered(context: Context, ids: Iterable[str]) -> dict[str, OutboxRow]:
    """Return the last message to each of some people that a carrier took, of the last month."""
    sought = Sought(people=tuple(ids))
    if not sought.people:
        return {}
    since: datetime = context.now() - DELIVERED_BACK
    rows: list[OutboxRow] = await context.read(context.store.taken, sought, since, limit=DELIVERED_MAX)
    return {row.person: row for row in reversed(rows)}


async def _page(request: web.Request, made: accounts.Invitation | None = None) -> web.Response:
    context, who = request.app[CONTEXT], identity.of(request)
    page, asked = bodies.number(request, "page", 1, 1_000), bodies.line(request.query.get("q", ""))
    found = [one for one in context.settings().directory.people.values() if ":" not in one.id and _fits(one, asked)]
    shown = found[(page - 1) * SHOWN_MAX : page * SHOWN_MAX]
    last = await delivered(context, (one.id for one in shown))
    tests = {one.id: context.tested.of(one.id) for one in shown} if context.tested is not None else {}
    fates = await contact_tests.fates(context, tests.values())
    administers = who is not None and who.has("administer")
    return render(
        request,
        "people.html",
        found=[_shown(one, context, last, fates, whole=administers) for one in shown],
        standing=contact_tests.standing,
        page=page,
        pages=-(-len(found) // SHOWN_MAX),
        asked=asked,
        made=made,
        groups_of=lambda person: [name for name, ids in context.settings().directory.groups.items() if person in ids],
        may_test=who is not None and who.has("work"),
        may_invite=administers and context.accounts is not None and context.settings().local_accounts,
    )


def _fits(person: Person, asked: str) -> bool:
    text = asked.casefold()
    return text in person.id.casefold() or text in person.name.casefold()


def _shown(
    person: Person,
    context: Context,
    last: Mapping[str, OutboxRow],
    fates: Mapping[str, tuple[contact_tests.Fate, ...]],
    *,
    whole: bool,
) -> Shown:
    known = context.accounts
    return Shown(
        person,
        sessions.of_person(person, "").role,
        addresses(person, context, whole=whole),
        context.tested.of(person.id) if context.tested is not None else None,
        fates.get(person.id, ()),
        last.get(person.id),
        known.of(person.id) if known is not None else None,
        len(known.sessions(person.id)) if known is not None else 0,
    )
