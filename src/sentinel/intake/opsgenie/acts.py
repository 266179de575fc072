"""What clients of Opsgenie do with an alert, and what Sentinel does then."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.core.state import Incident
from sentinel.intake.opsgenie.bodies import DETAILS_MAX_CHARS, RESPONDERS_MAX, TAGS_MAX
from sentinel.intake.opsgenie.book import Book, IdentifierType
from sentinel.intake.opsgenie.meaning import PRIORITY_OF
from sentinel.intake.opsgenie.records import Kept, Outcome, Priority, Responder
from sentinel.rules import LEVEL_OF, SEVERITY_OF

NO_ALERT: Final = "Alert does not exist"
CLOSED: Final = "Alert is already closed"
VIA: Final = "opsgenie"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks what of which alert; ``by`` is a person's id where the name given is somebody's."""

    integration: str
    action: str
    by: str
    note: str = ""
    identifier: str = ""
    kind: IdentifierType = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """An alert as somebody wants it."""

    message: str
    alias: str
    priority: Priority
    source: str
    user: str
    description: str = ""
    entity: str = ""
    tags: tuple[str, ...] = ()
    details: dict[str, str]
    actions: tuple[str, ...] = ()
    responders: tuple[Responder, ...] = ()
    visible_to: tuple[Responder, ...] = ()


class Act(Protocol):
    """Does something with an alert: returns it as it is then, and what is said of it."""

    def __call__(self, book: Book, kept: Kept, asked: Asked, /) -> Awaitable[tuple[Kept, str]]:
        """Do it.

        Raises:
            Refused: it is not possible; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """


async def create(book: Book, wanted: Created, asked: Asked) -> Outcome:
    """Create an alert, or count one more of an alias that is open.

    Raises:
        TooMany: Sentinel holds no more.
        StoreUnavailable: it is not on disk.
    """
    name = str(uuid.uuid4())
    alias = wanted.alias or name
    async with book.lock(asked.integration, alias):
        now = book.clock.now()
        known = book.find(asked.integration, alias, "alias")
        if known is None:
            await book.leave(asked.integration, alias)
            book.room()
            kept = _new(wanted, asked, (name, alias, book.next_tiny()), now)
        else:
            again = replace(known, count=known.count + 1, last_at=now)
            kept = again.written(now, f"Alert occurred again, {again.count} times by now", wanted.user)
        fresh = asked.note if asked.note not in {one.text for one in kept.log if one.note} else ""
        if fresh:
            kept = kept.written(now, fresh, asked.by, note=True)
        outcome = _outcome(asked, kept, now, status="Created alert")
        await book.keep(kept, outcome=outcome)
        await book.say(kept)
        if fresh:
            await noted(book, kept, asked.by, fresh)
        return outcome


def _new(wanted: Created, asked: Asked, named: tuple[str, str, int], now: datetime) -> Kept:
    name, alias, tiny = named
    kept = Kept(
        id=name,
        tiny=tiny,
        alias=alias,
        integration=asked.integration,
        message=wanted.message,
        priority=wanted.priority,
        created_at=now,
        updated_at=now,
        last_at=now,
        description=wanted.description,
        entity=wanted.entity,
        source=wanted.source,
        user=wanted.user,
        tags=wanted.tags,
        details=wanted.details,
        actions=wanted.actions,
        responders=wanted.responders,
        visible_to=wanted.visible_to,
    )
    return kept.written(now, "Alert created", wanted.user or asked.integration)


async def do(book: Book, asked: Asked, act: Act) -> Outcome:
    """Do something with an alert; what came of it is kept, also when there is none or it is not possible.

    Raises:
        StoreUnavailable: it is not on disk.
    """
    found = book.find(asked.integration, asked.identifier, asked.kind)
    if found is None:
        outcome = _outcome(asked, None, book.clock.now(), status=NO_ALERT, success=False)
        await book.keep(outcome=outcome)
        return outcome
    async with book.lock(found.integration, found.alias):
        kept = book.find(found.integration, found.id, "id")
        if kept is None:  # Somebody deleted it meanwhile.
            return _outcome(asked, None, book.clock.now(), status=NO_ALERT, success=False)
        kept = await book.settled(kept)
        try:
            changed, status = await act(book, kept, asked)
            outcome = _outcome(asked, changed, book.clock.now(), status=status)
        except Refused as refusal:
            changed, outcome = kept, _outcome(asked, kept, book.clock.now(), status=str(refusal), success=False)
        if asked.action == "Delete" and outcome.success:
            await book.forget(changed, outcome)
        else:
            await book.keep(*([changed] if changed is not kept else []), outcome=outcome)
        return outcome


def _outcome(asked: Asked, kept: Kept | None, now: datetime, *, status: str, success: bool = True) -> Outcome:
    return Outcome(
        id=str(uuid.uuid4()),
        at=now,
        integration=asked.integration,
        action=asked.action,
        success=success,
        status=status,
        alert=kept.id if kept else "",
        alias=kept.alias if kept else "",
    )


# What an incident is asked to do --------------------------------------------------------------------------------------


def incident_of(book: Book, kept: Kept) -> Incident:
    """Return the incident of an alert that is open.

    Raises:
        Refused: the alert is closed, or muted.
    """
    if not kept.open:
        raise Refused(CLOSED)
    state = book.incident(kept)
    if state is None:
        raise Refused("Alert is muted: it has no incident")
    return state


async def noted(book: Book, kept: Kept, by: str, text: str) -> None:
    """Put a note into the timeline of the incident, if there is one."""
    state = book.incident(kept)
    number = state.number if state is not None else kept.incident
    if number and text:
        await book.desk.order(number, c.Note(by=by, text=text))


async def close(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
    """Close the alert: what it reports is over."""
    if not kept.open:
        await book.say(kept)  # A crash may have lost it.
        raise Refused(CLOSED)
    await noted(book, kept, asked.by, asked.note or f"The alert was closed by {asked.by}.")
    return await book.close(kept, asked.by, "Alert closed"), "Alert closed"


async def delete(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
    """Close the alert; it is then forgotten."""
    if kept.open:
        await noted(book, kept, asked.by, f"The alert was deleted by {asked.by}.")
        kept = await book.close(kept, asked.by, "Alert deleted")
    return kept, "Alert deleted"


async def note(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
    """Add a note."""
    await noted(book, kept, asked.by, asked.note)
    return kept.written(book.clock.now(), asked.note, asked.by, note=True), "Note added"


def snooze(until: datetime) -> Act:
    """Return what makes the work wait until a moment, in the name given."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        state, now = incident_of(book, kept), book.clock.now()
        if until <= now:
            raise Refused("End time of a snooze must be in the future")
        if state.phase != "pending":
            ask = f"Snoozed until {until:%Y-%m-%d %H:%M} UTC" + (f": {asked.note}" if asked.note else "")
            pend = c.Pend(by=asked.by, waits_on="third_party", whom=asked.by, ask=ask, via=VIA)
            await book.desk.order(state.number, pend)
        said = f"Alert snoozed until {until:%Y-%m-%dT%H:%M:%SZ}"
        return replace(kept, snoozed_until=until).written(now, said, asked.by), "Alert snoozed"

    return act


def escalate(to: Responder) -> Act:
    """Return what calls the next level of the escalation."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        state = incident_of(book, kept)
        why = asked.note or f"{asked.by} asks for the escalation {to.called}"
        await book.desk.order(state.number, c.Escalate(by=asked.by, why=why))
        said = f"Alert escalated to {to.called}"
        return kept.written(book.clock.now(), said, asked.by), "Alert escalated"

    return act


def respond(who: Responder) -> Act:
    """Return what adds somebody who is to answer; whom Sentinel tells, its escalation says."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        said = f"{who.type.capitalize()} {who.called} was asked to answer"
        if who not in kept.responders:
            await noted(book, kept, asked.by, said + (f": {asked.note}" if asked.note else ""))
            kept = replace(kept, responders=(*kept.responders, who)[:RESPONDERS_MAX])
        return kept.written(book.clock.now(), said, asked.by), "Responder added"

    return act


def run(name: str) -> Act:
    """Return what notes that somebody wants a custom action: Sentinel runs none."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        said = f"Action {name} was asked for"
        await noted(book, kept, asked.by, said + (f": {asked.note}" if asked.note else ""))
        return kept.written(book.clock.now(), said, asked.by), "Custom action noted"

    return act


# What changes the alert itself ----------------------------------------------------------------------------------------


def change(what: Callable[[Kept], Kept], said: str, status: str) -> Act:
    """Return what changes tags or details: rules see them at the next look."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        await noted(book, kept, asked.by, asked.note)
        changed = what(kept).written(book.clock.now(), said, asked.by)
        if changed.open:
            await book.say(changed)
        return changed, status

    return act


def tagged(tags: tuple[str, ...]) -> Act:
    """Return what adds tags."""

    def more(kept: Kept) -> Kept:
        return replace(kept, tags=tuple(dict.fromkeys((*kept.tags, *tags)))[:TAGS_MAX])

    return change(more, f"Tags added: {', '.join(tags)}", "Tags added")


def untagged(tags: tuple[str, ...]) -> Act:
    """Return what removes tags."""

    def less(kept: Kept) -> Kept:
        return replace(kept, tags=tuple(one for one in kept.tags if one not in tags))

    return change(less, f"Tags removed: {', '.join(tags)}", "Tags removed")


def detailed(details: dict[str, str]) -> Act:
    """Return what adds details, as far as there is room."""

    def more(kept: Kept) -> Kept:
        found, room = {}, DETAILS_MAX_CHARS
        for name, text in {**kept.details, **details}.items():
            room -= len(name) + len(text)
            if room >= 0:
                found[name] = text
        return replace(kept, details=found)

    return change(more, f"Details added: {', '.join(details)}", "Details added")


def undetailed(keys: tuple[str, ...]) -> Act:
    """Return what removes details."""

    def less(kept: Kept) -> Kept:
        return replace(kept, details={name: text for name, text in kept.details.items() if name not in keys})

    return change(less, f"Details removed: {', '.join(keys)}", "Details removed")


def rewrite(field: Literal["message", "description"], text: str) -> Act:
    """Return what changes a text; the incident notes it when it is another one."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        status = f"{field.capitalize()} updated"
        if getattr(kept, field) == text:
            return kept, status
        changed = replace(kept, **{field: text}).written(book.clock.now(), status, asked.by)
        await noted(book, kept, asked.by, f"{field.capitalize()}: {text}")
        if changed.open:
            await book.say(changed)
        return changed, status

    return act


def prioritise(priority: Priority) -> Act:
    """Return what changes the priority, of the incident too."""

    async def act(book: Book, kept: Kept, asked: Asked) -> tuple[Kept, str]:
        if kept.priority == priority:
            return kept, "Priority updated"
        ours = PRIORITY_OF[priority]
        changed = replace(kept, priority=priority).written(
            book.clock.now(), f"Priority: {kept.priority} to {priority}", asked.by
        )
        state = book.incident(kept)
        if state is not None and state.active and state.priority != ours:
            why = asked.note or f"{asked.by} changed the priority of the alert to {priority}"
            command = c.Recategorise(
                by=asked.by, why=why, priority=ours, level=LEVEL_OF[ours], severity=SEVERITY_OF[ours]
            )
            await book.desk.order(state.number, command)
        if changed.open:
            await book.say(changed)
        return changed, "Priority updated"

    return act
