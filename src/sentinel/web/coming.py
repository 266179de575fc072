"""What falls due next: targets, steps of the ladder and of crises, changes, gaps of rotas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from sentinel.core import audience, chronogram, ladder, oncall
from sentinel.core.change import Change
from sentinel.core.model import Directory
from sentinel.core.oncall import Gap
from sentinel.core.rota import Rota
from sentinel.core.state import Incident

GAPS_AHEAD: Final = timedelta(days=14)
CHANGES_AHEAD: Final = timedelta(days=7)

What = Literal["target", "step", "opening", "crisis", "change_begins", "change_ends", "gap"]


class Coming(NamedTuple):
    """One moment: ``name`` is the clock, the crisis' step or the rota; ``who`` are people that will be told."""

    at: datetime
    what: What
    about: str
    name: str = ""
    who: tuple[str, ...] = ()


def of_incident(state: Incident, directory: Directory) -> list[Coming]:
    """Return what time alone will bring to an incident, the next first."""
    return sorted(_of_incident(state, directory))


def of_all(active: Iterable[Incident], directory: Directory, limit: int) -> list[Coming]:
    """Return the next moment of each kind of every incident, the next ones first."""
    found = [coming for state in active for coming in _first_of_each(_of_incident(state, directory))]
    return sorted(found)[:limit]


def of_changes(changes: Iterable[Change], now: datetime) -> list[Coming]:
    """Return the windows that begin soon, and the ends of those that are open."""
    found = []
    for one in changes:
        if one.began_at is not None:
            found.append(Coming(one.ends_at, "change_ends", one.number, one.title))
        elif now <= one.begins_at <= now + CHANGES_AHEAD:
            found.append(Coming(one.begins_at, "change_begins", one.number, one.title))
    return sorted(found)


def of_rotas(rotas: Iterable[Rota], now: datetime) -> list[Coming]:
    """Return since or from when nobody will be on call who should be, the first time of each rota."""
    found = []
    for rota in rotas:
        gap: Gap | None = next(iter(oncall.gaps(rota, now, now + GAPS_AHEAD)), None)
        if gap is not None:
            found.append(Coming(gap.starts_at, "gap", rota.id, rota.name))
    return sorted(found)


def _of_incident(state: Incident, directory: Directory) -> Iterator[Coming]:
    number = state.number
    for clock in state.clocks.values():
        if clock.running:
            yield Coming(clock.deadline.due_at, "target", number, clock.deadline.clock)
    if state.gated and state.watch is not None and state.watch.until is not None:
        yield Coming(state.watch.until, "opening", number)
    step = _next_step(state)
    if step is not None:
        at, index = step
        there = audience.now_in(directory, at)
        who = tuple(person.id for person in audience.people(state.plan.ladder[index].to, there))
        yield Coming(at, "step", number, str(ladder.rung(state.plan, index) + 1), who)
    if state.crisis is not None and state.crisis.open:
        for one in chronogram.remaining(state):
            if one.due_at is not None:
                yield Coming(one.due_at, "crisis", number, one.title or one.step)


def _next_step(state: Incident) -> tuple[datetime, int] | None:
    """Return when the ladder next calls somebody, and by which step."""
    if state.over or state.gated:
        return None
    found = []
    for index, step in ladder.in_force(state):
        taken = state.taken.get(index, 0)
        if taken <= step.repeats and ladder.asked(step, state):
            found.append((state.ladder_at + step.after + taken * step.every, index))
    return min(found, default=None)


def _first_of_each(found: Iterable[Coming]) -> Iterable[Coming]:
    first: dict[str, Coming] = {}
    for one in sorted(found):
        first.setdefault(one.what, one)
    return first.values()
