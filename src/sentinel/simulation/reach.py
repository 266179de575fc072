"""Who was to be told of something and cannot be: by no channel, or because nobody stands behind a name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sentinel.core import audience, cell
from sentinel.core.events import Event
from sentinel.core.model import Directory
from sentinel.core.state import Incident
from sentinel.simulation.telling import tag_of

Audiences = tuple[str, ...]


def unreachable(state: Incident, event: Event, directory: Directory) -> Iterator[str]:
    """Yield each person whom an event was to reach and could not, and each audience that is nobody at that moment.

    ``state`` is that just after the event.
    """
    now = audience.now_in(directory, event.at)
    if tag_of(event) == "not-told":
        yield from _failed(event)
    for to, by in _asked(state, event):
        for one in to:
            yield from _missing(one, by, now)


def _failed(event: Any) -> Iterator[str]:
    """Yield whom a carrier has failed for good, when there is no other way to them."""
    if event.final and event.person and not event.tell:
        yield event.person


def _missing(one: str, by: Audiences, directory: Directory) -> Iterator[str]:
    people = tuple(audience.people((one,), directory))
    pages = audience.pages((one,), by, directory)
    reached = {page.person for page in pages}  # One place reaches everybody, and stands for nobody.
    if not people:
        yield one
    yield from (person.id for person in people if "" not in reached and person.id not in reached)


def _asked(state: Incident, event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    """Yield the audiences that an event speaks to, each with the channels it wants."""
    ask = ASKED.get(tag_of(event))
    if ask:
        yield from ask(state, event)


def _opened(state: Incident, _event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    for one in state.plan.listeners:
        heeds = "opened" in one.on and state.level >= one.min_level
        if heeds and (not one.services or state.service in one.services):
            yield (one.who,), one.by


def _escalated(state: Incident, event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    step = state.plan.ladder[event.step]
    yield step.to, step.by


def _routed(state: Incident, event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    yield (state.plan.intervention if event.path == "immediate" else state.plan.operations), ()


def _exhausted(state: Incident, _event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    yield state.plan.last_resort, state.plan.last_resort_by


def _crisis_opened(state: Incident, _event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    yield cell.actors(state), ()


def _step_done(state: Incident, event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    step = state.plan.crisis.step(event.step) if state.plan.crisis else None
    if step and event.tell:
        yield (*step.notify, *step.to), ()


def _update_sent(state: Incident, _event: Any) -> Iterator[tuple[Audiences, Audiences]]:
    if state.plan.crisis:
        yield state.plan.crisis.updates.to, ()


ASKED: dict[str, Callable[[Incident, Any], Iterator[tuple[Audiences, Audiences]]]] = {
    "opened": _opened,
    "escalated": _escalated,
    "routed": _routed,
    "exhausted": _exhausted,
    "crisis-opened": _crisis_opened,
    "step-done": _step_done,
    "update-sent": _update_sent,
}
