"""From what happened to incidents to what ``simulate`` prints for programs: kinds, steps, people, lateness.

Each fact that has a kind of its own is one entry, with everybody whom it concerns; then ``notified`` says for each
channel who is told by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sentinel.core import chronogram
from sentinel.core.events import Event, pages_of
from sentinel.core.model import Page
from sentinel.core.state import Incident

NO_TIME: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line for programs; ``number`` is the incident's."""

    at: datetime
    kind: str
    step: str = ""
    who: tuple[str, ...] = ()
    channel: str = ""
    late: timedelta = NO_TIME
    number: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """How an event of one kind is told. Without ``who`` it concerns whom it tells; ``due_at`` is when it was to be."""

    kind: str
    step: Callable[[Any], str] = lambda _: ""
    who: Callable[[Any], tuple[str, ...]] | None = None
    due_at: Callable[[Any], datetime | None] = lambda _: None


def _by(event: Any) -> tuple[str, ...]:
    return (event.by,) if event.by else ()


def _rung(event: Any) -> str:
    return str(event.place + 1)


def due_of(event: Any) -> datetime | None:
    """Return when an event was to come; nothing where that says nothing: a step of a ladder may be called for early."""
    if tag_of(event) == "escalated" and (event.by or event.clock or event.forced):
        return None
    due_at: datetime | None = event.due_at if tag_of(event) in DUE else None
    return due_at


# By the tag that an event is written under. What is not here is of no kind of its own: it only tells people.
FACTS: dict[str, tuple[Fact, ...]] = {
    "opened": (Fact("opened", who=lambda _: ()),),
    "acknowledged": (Fact("acknowledged", who=_by),),
    "resolved": (Fact("resolved", who=_by),),
    "target-warned": (Fact("target_warned", lambda event: event.clock),),
    "target-missed": (Fact("target_missed", lambda event: event.clock, due_at=due_of),),
    "crisis-opened": (Fact("crisis_opened"),),
    "step-done": (Fact("step", lambda event: event.step, due_at=due_of),),
    "update-sent": (Fact("message", lambda _: "update", due_at=due_of),),
    "crisis-closed": (Fact("crisis_closed"),),
    "review-overdue": (
        Fact("report_due", lambda _: "report", due_at=due_of),
    ),  # Nobody writes reports in a simulation.
}
# What can be late. Others hold a moment too, of something that is still to come.
DUE: Final = frozenset({"escalated", "target-missed", "step-done", "update-sent", "review-overdue"})
# What a ``notified`` entry names as its occasion, where it is not the event's own tag.
OCCASIONS: dict[str, Callable[[Any], str]] = {
    "escalated": _rung,
    "target-warned": lambda event: str(event.clock),
    "target-missed": lambda event: str(event.clock),
    "step-done": lambda event: str(event.announce or event.step),
    "step-late": lambda event: str(event.step),
    "update-sent": lambda _: "update",
}


def tag_of(event: Event) -> str:
    """Return the name that an event is written under."""
    return str(event.__struct_config__.tag)


def entries(state: Incident, event: Event) -> Iterator[Entry]:
    """Yield what programs are told of an event; ``state`` is that just after it."""
    number, tag, pages = state.number, tag_of(event), pages_of(event)
    told, ways = _people(pages), _channels(pages)
    for fact in facts(event, tag):
        who = fact.who(event) if fact.who else told
        due_at = fact.due_at(event)
        yield Entry(
            at=event.at,
            kind=fact.kind,
            step=fact.step(event),
            who=who,
            channel=",".join(ways) if who == told else "",
            late=max(NO_TIME, event.at - due_at) if due_at else NO_TIME,
            number=number,
        )
    yield from _steps(state, tag, event.at, told)
    occasion = OCCASIONS[tag](event) if tag in OCCASIONS else tag
    for channel in ways:
        who = _people(page for page in pages if page.channel == channel)
        yield Entry(at=event.at, kind="notified", step=occasion, who=who, channel=channel, number=number)


def facts(event: Any, tag: str) -> tuple[Fact, ...]:
    """Return what an event is: the first step of a ladder, and a repeat, only notify; the others escalate."""
    if tag == "escalated":
        higher = event.place or event.by or event.clock
        return (Fact("escalated", _rung, due_at=due_of),) if higher and not event.repeat else ()
    if tag == "step-done" and event.announce and event.tell:
        return (*FACTS[tag], Fact("message", lambda done: str(done.announce), due_at=due_of))
    return FACTS.get(tag, ())


def _steps(state: Incident, tag: str, at: datetime, told: tuple[str, ...]) -> Iterator[Entry]:
    """Yield the steps of the time line that an event does by itself: what was detected, and the closing message."""
    plan = state.plan.crisis
    if plan is None:
        return
    if tag == "opened" and chronogram.critical(state):
        done = [(step, chronogram.ticked(state, step)) for step in plan.steps if step.done_when == "opened"]
        yield from (Entry(one.at, "step", step.id, number=state.number) for step, one in done if one)
    elif tag == "crisis-closed" and plan.closing:
        late = max(NO_TIME, at - chronogram.due_at(state, plan.closing))
        for kind, step in (("step", plan.closing.id), ("message", plan.closing.announce)):
            yield Entry(at, kind, step, who=told, late=late, number=state.number)


def _people(pages: Iterable[Page]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(page.person for page in pages if page.person))


def _channels(pages: Iterable[Page]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(page.channel for page in pages))
