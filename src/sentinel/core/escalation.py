"""Climbing the ladder: the steps that are due, and what follows when a message reaches nobody (rule DSP-4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from sentinel.core import audience, ladder
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.folding import evolve
from sentinel.core.hearing import listening
from sentinel.core.model import LEVELS, Directory, Page
from sentinel.core.sla import ClockName
from sentinel.core.state import Incident, Sent

# Why an escalation has nothing more to give.
UNREACHED = "nobody could be reached"
UNTOLD = "nobody is to be told"
UNANSWERED = "nobody has acknowledged"


class Cause(NamedTuple):
    """Why a step is taken: because time came, because a person, ``by``, or a target, ``clock``, asked for it."""

    why: str
    by: str = ""
    clock: ClockName | None = None


DUE = Cause("due")
NOT_REACHED = Cause("nobody was reached")


def begin(state: Incident, alarmed: Iterable[Page], now: datetime, directory: Directory) -> list[e.Event]:
    """Take the first steps after an opening, a reopening or a higher level, of which ``alarmed`` were told."""
    alone = not any(page.person != state.requester for page in alarmed)
    return climb(state, now, directory, hurry=alone and not state.laddered and state.level == max(LEVELS))


def climb(state: Incident, now: datetime, directory: Directory, *, hurry: bool = False) -> list[e.Event]:
    """Take the steps that are due; when these reach nobody, or there is hurry, the one that was never taken too.

    A repeat is never hurried: it would only ask the same people again. When no step is left and nobody was or may be
    reached, or nobody has acknowledged for long enough after the last step, that is said once, to the last resort.
    """
    taken: list[e.Event] = []
    reached = not (due := ladder.due(state, now))
    for occasion in due:
        event, reaches = _step(occasion, DUE, now, state, directory)
        taken.append(event)
        state = evolve(state, event)
        reached = reached or reaches
    hurry = hurry or not reached
    while hurry and (following := ladder.untaken(state)):
        event, reaches = _step(following, NOT_REACHED, now, state, directory)
        taken.append(event)
        state = evolve(state, event)
        hurry = not reaches
    why = _exhaustion(state, now, hurry)
    if why:
        last = audience.pages(state.plan.last_resort, state.plan.last_resort_by, directory)
        taken.append(e.Exhausted(at=now, why=why, tell=last))
    return taken


def push(state: Incident, cause: Cause, now: datetime, directory: Directory) -> list[e.Event]:
    """Take the next step that was never taken, before its time and whatever its ``unless`` says (rule ESC-1).

    When it reaches nobody the one after it is taken too, as far as there are any; then that is said.
    """
    taken: list[e.Event] = []
    while following := ladder.following(state):
        event, reaches = _step(following, cause, now, state, directory)
        taken.append(event)
        state = evolve(state, event)
        if reaches:
            return taken
    return [*taken, *climb(state, now, directory, hurry=bool(taken))]


def _exhaustion(state: Incident, now: datetime, hurry: bool) -> str:
    if state.exhausted or state.phase != "open" or state.gated:
        return ""
    if hurry and not state.heard and not _hope(state):
        return UNREACHED if state.laddered or state.plan.listeners else UNTOLD
    end = ladder.ends_at(state)
    if end is not None and now >= end:
        return UNANSWERED
    return ""


def _hope(state: Incident) -> bool:
    """Tell whether a message on its way may still reach someone who acts."""
    kinds = {"page"} if state.laddered else {"page", "alarm"}
    return any(sent.fate == "waiting" and sent.kind in kinds for sent in state.sent.values())


def _step(
    occasion: ladder.Occasion, cause: Cause, now: datetime, state: Incident, directory: Directory
) -> tuple[e.Event, bool]:
    """Return the event of taking a step, and whether it reaches anybody."""
    step = state.plan.ladder[occasion.step]
    pages = audience.pages(step.to, step.by, directory)
    tell = tuple(page for page in _fresh(pages, state, directory) if not cause.by or page.person != cause.by)
    place = ladder.rung(state.plan, occasion.step)
    coming = any(sent.fate == "waiting" and sent.page in pages for sent in state.sent.values() if sent.kind == "page")
    copies: tuple[Page, ...] = ()
    if place and occasion.repeat == 0 and tell:
        heard = (page for page in listening(state, "escalated", directory) if page not in tell)
        copies = tuple(page for page in heard if not cause.by or page.person != cause.by)
    event = e.Escalated(
        at=now,
        step=occasion.step,
        repeat=occasion.repeat,
        due_at=occasion.due_at,
        why=cause.why,
        tell=tell,
        copies=copies,
        rung=place if place != occasion.step else None,
        by=cause.by,
        clock=cause.clock,
        forced=not ladder.wanted(step, state),
    )
    return event, bool(tell) or coming


def _fresh(pages: tuple[Page, ...], state: Incident, directory: Directory) -> tuple[Page, ...]:
    """Return the pages without those that an earlier one is still on its way for.

    That one will arrive when its channel works again, and one is enough; who has nothing but channels that fail is
    told by another way meanwhile.
    """
    stuck = {sent.page: sent.fate for sent in state.sent.values() if sent.kind == "page" and sent.unsettled}
    told = {page: None for page in pages if page not in stuck}
    for page in pages:
        if stuck.get(page) == "failing" and all(other.person != page.person for other in told):
            tried = frozenset(other.channel for other in stuck if other.person in {page.person, ""})
            way = audience.another_way(page.person, page.channel, tried, directory)
            if way:
                told[_page(page.person, way, directory)] = None
    return tuple(told)


def fail(state: Incident, command: c.Fail, now: datetime, directory: Directory) -> list[e.Event]:
    """Try the person's next channel at once, then the next people: waiting for a sick channel loses the night.

    What only informs waits for its channel's last word.
    """
    sent = state.sent.get(command.message)
    if sent is None or not sent.unsettled or (sent.fate == "failing" and not command.final):
        return []
    missed = e.NotTold(
        at=now,
        message=command.message,
        person=sent.person,
        channel=sent.channel,
        why=command.why,
        final=command.final,
    )
    acts = command.final if sent.kind == "notice" else sent.fate == "waiting"
    if not acts or not ladder.still_wanted(sent, state):
        return [missed]
    missed = replace(missed, tell=_other_ways(state, command.message, directory))
    if missed.tell or not _unheard(state, command.message):
        return [missed]
    return [missed, *climb(evolve(state, missed), now, directory, hurry=True)]


def _other_ways(state: Incident, message: str, directory: Directory) -> tuple[Page, ...]:
    """Return how to tell those for whom this was the last message of its occasion that had a chance."""
    sent = state.sent[message]
    kin = [other for m, other in state.sent.items() if m == message or other.occasion == sent.occasion]
    places = {other.channel for other in kin if not other.person}
    if sent.person:
        people: Iterable[str] = (sent.person,)
    else:
        channel = directory.channels.get(sent.channel)
        stand_in = directory.channels.get(channel.fallback) if channel else None
        if stand_in and not stand_in.address and stand_in.name not in places:
            return (Page("", stand_in.name),)
        people = _waiting_for(state, sent, kin, directory)
    found: dict[Page, None] = {}
    for person in people:
        tried = frozenset(places | {other.channel for other in kin if other.person == person} | _stuck(state, person))
        way = audience.another_way(person, sent.channel, tried, directory)
        if way and Page("", way) not in found:
            found[_page(person, way, directory)] = None
    return tuple(found)


def _waiting_for(state: Incident, sent: Sent, kin: list[Sent], directory: Directory) -> Iterable[str]:
    """Yield the people of a step who counted on a place that failed."""
    to = state.plan.ladder[sent.step].to if sent.kind == "page" and sent.step >= 0 else ()
    counting = {person.id: None for person in audience.people(to, directory)}
    counting.update((other.person, None) for other in kin if other.person)
    for person in counting:
        if not any(other.person == person and other.fate in {"waiting", "accepted"} for other in kin):
            yield person


def _stuck(state: Incident, person: str) -> set[str]:
    return {s.channel for s in state.sent.values() if s.kind == "page" and s.unsettled and s.person == person}


def _page(person: str, way: str, directory: Directory) -> Page:
    return Page(person if directory.channels[way].address else "", way)


def _unheard(state: Incident, message: str) -> bool:
    """Tell whether everybody whom a step, or an alarm without a ladder, was to reach has been failed."""
    sent = state.sent[message]
    if state.phase != "open" or sent.kind == "notice" or (sent.kind == "alarm" and state.laddered):
        return False
    kin = (other for m, other in state.sent.items() if other.occasion == sent.occasion and m != message)
    return not any(other.fate in {"waiting", "accepted"} for other in kin if other.kind == sent.kind)


def unwanted(state: Incident) -> tuple[str, ...]:
    """Return the pages that have not arrived and that nobody needs any more."""
    return tuple(
        m
        for m, sent in state.sent.items()
        if sent.kind == "page" and sent.unsettled and not ladder.still_wanted(sent, state)
    )


def unsettled(state: Incident) -> tuple[str, ...]:
    """Return the pages that have not arrived."""
    return tuple(m for m, sent in state.sent.items() if sent.kind == "page" and sent.unsettled)


def told(event: Any, tell: Iterable[Page], by: str = "") -> Any:
    """Return the event with whom it tells, each once, and nobody of what they did themselves."""
    return replace(event, tell=tuple(dict.fromkeys(page for page in tell if not by or page.person != by)))
