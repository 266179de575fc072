"""Opsgenie's Alert API: what clients ask and say of alerts.

What changes an alert is answered with 202 once it is done and on disk; what came of it is asked for by the request's
id, as Opsgenie has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

from aiohttp import web

from sentinel.intake.opsgenie import acts, bodies, hands, paging, query, searches_api, showing
from sentinel.intake.opsgenie.acts import Act, Asked, Created
from sentinel.intake.opsgenie.bodies import Wrong, field
from sentinel.intake.opsgenie.book import IdentifierType
from sentinel.intake.opsgenie.door import SOURCE, Caller, Reply
from sentinel.intake.opsgenie.records import Kept, Outcome
from sentinel.web import identity, people
from sentinel.web.context import CONTEXT

KINDS: Final[tuple[IdentifierType, ...]] = get_args(IdentifierType)
RESULT: Final = "Request will be processed"
NOT_FOUND: Final = "Alert does not exist"

Said = Mapping[str, Any]


async def create(caller: Caller) -> Reply:
    """Create an alert, or count one more of its alias."""
    body = await bodies.read(caller.request)
    details = bodies.details(body)
    usual = bodies.PRIORITY_OF.get(details.get("severity", "").lower(), bodies.USUAL)
    wanted = Created(
        message=bodies.needed(body, "message", bodies.MESSAGE_MAX_CHARS),
        alias=bodies.line(body, "alias", bodies.ALIAS_MAX_CHARS),
        priority=bodies.priority(body) or usual,
        source=bodies.line(body, "source", bodies.SOURCE_MAX_CHARS) or identity.client(caller.request),
        user=bodies.line(body, "user", bodies.USER_MAX_CHARS),
        description=bodies.lines(body, "description", bodies.DESCRIPTION_MAX_CHARS),
        entity=bodies.line(body, "entity", bodies.ENTITY_MAX_CHARS),
        tags=bodies.words(body, "tags", bodies.TAGS_MAX),
        details=details,
        actions=bodies.words(body, "actions", bodies.ACTIONS_MAX),
        responders=bodies.responders(body),
        visible_to=bodies.responders(body, "visibleTo"),
    )
    outcome = await acts.create(caller.watch.book, wanted, _asked(caller, "Create", body))
    caller.request.app[CONTEXT].alerts_heard(SOURCE, 1, 0, 0)
    return _accepted(outcome)


def doing(action: str, read: Callable[[Caller, Said], Act]) -> Callable[[Caller], Any]:
    """Return the handler of an action, of which ``read`` reads what it needs from the body and the query."""

    async def handle(caller: Caller) -> Reply:
        if caller.request.method == "DELETE":
            body: Said = dict(caller.request.query)
        else:
            body = await bodies.read(caller.request)
        act = read(caller, body)
        asked = _asked(caller, action, body, caller.request.match_info["identifier"])
        outcome = await acts.do(caller.watch.book, asked, act)
        if action in {"Close", "Delete"}:
            caller.request.app[CONTEXT].alerts_heard(SOURCE, 0, 1, 0)
        return _accepted(outcome)

    return handle


async def requested(caller: Caller) -> Reply:
    """Say what came of a request."""
    found = caller.watch.book.outcome(caller.integration.name, caller.request.match_info["request"])
    if found is None:
        raise Wrong(404, "Request not found. It might not be processed, yet.")
    return Reply({"data": showing.outcome(found)})


async def list_alerts(caller: Caller) -> Reply:
    """List alerts that a query asks for."""
    found = _sought(caller)
    page = paging.page(caller.request, paging.ordered(caller.request, found))
    shown = [showing.brief(one) for one in page.items]
    return Reply({"data": shown, "paging": page.links})


async def count(caller: Caller) -> Reply:
    """Count alerts that a query asks for."""
    return Reply({"data": {"count": len(_sought(caller))}})


async def show(caller: Caller) -> Reply:
    """Show an alert."""
    shown = showing.alert(caller.watch.book, named(caller), _directory(caller.request))
    return Reply({"data": showing.one(shown)})


async def notes(caller: Caller) -> Reply:
    """List the notes of an alert."""
    return _entries(caller, note=True)


async def logs(caller: Caller) -> Reply:
    """List what happened to an alert by this door."""
    return _entries(caller, note=False)


async def recipients(caller: Caller) -> Reply:
    """List whom pages have reached."""
    kept, directory = named(caller), _directory(caller.request)
    state = caller.watch.book.incident(kept)
    at = showing.written(state.updated_at if state is not None else kept.updated_at)
    found = [
        {
            "user": {
                "id": showing.identifier("user", page.person),
                "username": showing.username(page.person, directory),
            },
            "state": "acknowledged" if state.acknowledged_by == page.person else "notified",
            "method": page.channel,
            "createdAt": showing.written(state.opened_at),
            "updatedAt": at,
        }
        for page in (state.reached if state is not None else ())
        if state is not None and page.person
    ]
    return Reply({"data": found})


# What is read ---------------------------------------------------------------------------------------------------------


def _sought(caller: Caller) -> list[dict[str, Any]]:
    wanted, saved = query.parse(caller.request.query.get("query", "")), query.parse(searches_api.meant(caller))
    book, directory = caller.watch.book, _directory(caller.request)
    shown = (showing.alert(book, kept, directory) for kept in book.of(caller.integration.name))
    return [one for one in shown if wanted(one) and saved(one)]


def named(caller: Caller) -> Kept:
    """Return the alert of the path.

    Raises:
        Wrong: 404 there is none.
    """
    name = caller.request.match_info["identifier"]
    found = caller.watch.book.find(caller.integration.name, _spelt(caller, name), _kind(caller))
    if found is None:
        raise Wrong(404, NOT_FOUND)
    return found


def _entries(caller: Caller, *, note: bool) -> Reply:
    kept = named(caller)
    found = [showing.entry(one) for one in kept.log if one.note == note]
    page = paging.along(caller.request, found)
    return Reply({"data": page.items, "paging": page.links})


def _kind(caller: Caller) -> IdentifierType:
    asked = caller.request.query
    given = asked.get("identifierType", "") or asked.get("alertIdentifierType", "") or "id"
    kind = next((one for one in KINDS if one == given.lower()), None)
    if kind is None:
        raise field("identifierType", "should be one of [id, alias, tiny]")
    return kind


def _spelt(caller: Caller, name: str) -> str:
    """Return the name of an alert as it is kept."""
    return bodies.alias(name) if _kind(caller) == "alias" else name


def _asked(caller: Caller, action: str, body: Said, identifier: str = "") -> Asked:
    directory = _directory(caller.request)
    user = bodies.line(body, "user", bodies.USER_MAX_CHARS)
    return Asked(
        integration=caller.integration.name,
        action=action,
        by=people.known(user, directory) if user else caller.integration.name,
        note=bodies.lines(body, "note", bodies.NOTE_MAX_CHARS),
        identifier=_spelt(caller, identifier),
        kind=_kind(caller) if identifier else "id",
    )


def _directory(request: web.Request) -> Any:
    return request.app[CONTEXT].settings().directory


def _accepted(outcome: Outcome) -> Reply:
    return Reply({"result": RESULT}, 202, outcome.id)


# What each action needs -----------------------------------------------------------------------------------------------


def _plain(act: Act) -> Callable[[Caller, Said], Act]:
    return lambda _caller, _body: act


def _noted(_caller: Caller, body: Said) -> Act:
    bodies.needed(body, "note", bodies.NOTE_MAX_CHARS)
    return acts.note


def _words(name: str, act: Callable[[tuple[str, ...]], Act], most: int) -> Callable[[Caller, Said], Act]:
    def read(_caller: Caller, body: Said) -> Act:
        found = bodies.words(body, name, most)
        if not found:
            raise field(name, "can not be empty")
        return act(found)

    return read


def _assigned(caller: Caller, body: Said) -> Act:
    owner, directory = bodies.responder(body, "owner", "user"), _directory(caller.request)
    # Ids of people are those that other answers name them by.
    by_id = {showing.identifier("user", person): person for person in directory.people}
    return hands.assign(by_id.get(owner.id) or people.known(owner.called, directory))


def _detailed(_caller: Caller, body: Said) -> Act:
    found = bodies.details(body)
    if not found:
        raise field("details", "can not be empty")
    return acts.detailed(found)


def _undetailed(_caller: Caller, body: Said) -> Act:
    names = (name.strip() for name in bodies.line(body, "keys", bodies.DETAILS_MAX_CHARS).split(","))
    found = tuple(name for name in names if name)
    if not found:
        raise field("keys", "can not be empty")
    return acts.undetailed(found)


def _prioritised(_caller: Caller, body: Said) -> Act:
    found = bodies.priority(body)
    if found is None:
        raise field("priority", "should be one of [P1, P2, P3, P4, P5]")
    return acts.prioritise(found)


ACTIONS: Final[dict[tuple[str, str], tuple[str, Callable[[Caller, Said], Act]]]] = {
    ("DELETE", ""): ("Delete", _plain(acts.delete)),
    ("POST", "/acknowledge"): ("Acknowledge", _plain(hands.acknowledge)),
    ("POST", "/unacknowledge"): ("UnAcknowledge", _plain(hands.unacknowledge)),
    ("POST", "/close"): ("Close", _plain(acts.close)),
    ("POST", "/snooze"): ("Snooze", lambda _caller, body: acts.snooze(bodies.moment(body, "endTime"))),
    ("POST", "/assign"): ("Assign", _assigned),
    ("POST", "/escalate"): (
        "EscalateToNext",
        lambda _caller, body: acts.escalate(bodies.responder(body, "escalation", "escalation")),
    ),
    ("POST", "/responders"): ("AddResponder", lambda _caller, body: acts.respond(bodies.responder(body, "responder"))),
    ("POST", "/teams"): ("AddTeam", lambda _caller, body: acts.respond(bodies.responder(body, "team", "team"))),
    ("POST", "/notes"): ("AddNote", _noted),
    ("POST", "/tags"): ("AddTags", _words("tags", acts.tagged, bodies.TAGS_MAX)),
    ("DELETE", "/tags"): ("RemoveTags", _words("tags", acts.untagged, bodies.TAGS_MAX)),
    ("POST", "/details"): ("AddDetails", _detailed),
    ("DELETE", "/details"): ("RemoveDetails", _undetailed),
    ("PUT", "/message"): (
        "UpdateMessage",
        lambda _caller, body: acts.rewrite("message", bodies.needed(body, "message", bodies.MESSAGE_MAX_CHARS)),
    ),
    ("PUT", "/description"): (
        "UpdateDescription",
        lambda _caller, body: acts.rewrite(
            "description", bodies.lines(body, "description", bodies.DESCRIPTION_MAX_CHARS)
        ),
    ),
    ("PUT", "/priority"): ("UpdatePriority", _prioritised),
    ("POST", "/actions/{name}"): (
        "ExecuteCustomAction",
        lambda caller, _body: acts.run(bodies.alias(caller.request.match_info["name"])[: bodies.WORD_MAX_CHARS]),
    ),
}
