"""Opsgenie's saved searches: made, changed, listed, and used in place of a query."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from sentinel.intake.opsgenie import bodies, query, showing
from sentinel.intake.opsgenie.bodies import Wrong, field
from sentinel.intake.opsgenie.door import Caller, Reply
from sentinel.intake.opsgenie.searches import SEARCHES_MAX, Search
from sentinel.web.context import CONTEXT

NOT_FOUND: Final = "Saved search does not exist"
KINDS: Final = ("id", "name")


async def create(caller: Caller) -> Reply:
    """Save a search under a name that is free."""
    body = await bodies.read(caller.request)
    searches, integration = caller.watch.searches, caller.integration.name
    now = caller.watch.book.clock.now()
    made = Search(
        id=str(uuid.uuid4()),
        integration=integration,
        name=bodies.needed(body, "name", bodies.NAME_MAX_CHARS),
        query=_query(body),
        owner=bodies.responder(body, "owner", "user"),
        description=bodies.lines(body, "description", bodies.DESCRIPTION_MAX_CHARS),
        teams=bodies.responders(body, "teams"),
        created_at=now,
        updated_at=now,
    )
    _free(caller, made)
    if len(searches.of(integration)) >= SEARCHES_MAX:
        raise Wrong(422, f"There are {SEARCHES_MAX} saved searches already")
    await searches.keep(made)
    return Reply({"result": "Created", "data": _named(made)}, 201)


async def list_all(caller: Caller) -> Reply:
    """List the saved searches of this integration."""
    return Reply({"data": [_named(one) for one in caller.watch.searches.of(caller.integration.name)]})


async def show(caller: Caller) -> Reply:
    """Show a saved search."""
    found, directory = _found(caller), caller.request.app[CONTEXT].settings().directory
    owner = {
        "id": found.owner.id or showing.identifier("user", found.owner.called),
        "username": showing.username(found.owner.called, directory),
    }
    teams = [{"id": one.id or showing.identifier("team", one.called), "name": one.name} for one in found.teams]
    shown = {
        **_named(found),
        "createdAt": showing.written(found.created_at),
        "updatedAt": showing.written(found.updated_at),
        "owner": owner,
        "teams": teams,
        "description": found.description,
        "query": found.query,
    }
    return Reply({"data": shown})


async def update(caller: Caller) -> Reply:
    """Change a saved search; what is left out stays."""
    found, body = _found(caller), await bodies.read(caller.request)
    changed = replace(found, updated_at=caller.watch.book.clock.now())
    if body.get("name") is not None:
        changed = replace(changed, name=bodies.needed(body, "name", bodies.NAME_MAX_CHARS))
    if body.get("query") is not None:
        changed = replace(changed, query=_query(body))
    if body.get("owner") is not None:
        changed = replace(changed, owner=bodies.responder(body, "owner", "user"))
    if body.get("description") is not None:
        said = bodies.lines(body, "description", bodies.DESCRIPTION_MAX_CHARS)
        changed = replace(changed, description=said)
    if body.get("teams") is not None:
        changed = replace(changed, teams=bodies.responders(body, "teams"))
    _free(caller, changed)
    await caller.watch.searches.keep(changed)
    return Reply({"result": "Updated", "data": _named(changed)})


async def delete(caller: Caller) -> Reply:
    """Forget a saved search."""
    await caller.watch.searches.forget(_found(caller))
    return Reply({"result": "Deleted"})


def meant(caller: Caller) -> str:
    """Return the query of the saved search that a list is asked for by; empty when none is named.

    Raises:
        Wrong: 404 there is none of that name or id.
    """
    name = caller.request.query.get("searchIdentifier", "")
    return _at(caller, name, "searchIdentifierType").query if name else ""


def _found(caller: Caller) -> Search:
    return _at(caller, caller.request.match_info["search"], "identifierType")


def _at(caller: Caller, name: str, kind: str) -> Search:
    asked = (caller.request.query.get(kind, "") or "id").lower()
    if asked not in KINDS:
        raise field(kind, "should be one of [id, name]")
    by_name = asked == "name"
    spelt = bodies.line({"name": name}, "name", bodies.NAME_MAX_CHARS) if by_name else name
    found = caller.watch.searches.find(caller.integration.name, spelt, by_name=by_name)
    if found is None:
        raise Wrong(404, NOT_FOUND)
    return found


def _free(caller: Caller, search: Search) -> None:
    other = caller.watch.searches.find(search.integration, search.name, by_name=True)
    if other is not None and other.id != search.id:
        raise Wrong(409, "Saved search with the same name already exists")


def _query(body: Mapping[str, Any]) -> str:
    """Return a query that can be asked; what cannot is refused now and not when somebody needs it."""
    text = bodies.needed(body, "query", query.QUERY_MAX_CHARS + 1)  # One that is cut would mean something else.
    query.parse(text)
    return text


def _named(search: Search) -> dict[str, str]:
    return {"id": search.id, "name": search.name}
