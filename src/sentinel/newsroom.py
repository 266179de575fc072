"""What open pages are told of: each part that says of a change says it to them too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, Protocol

from sentinel.core.events import Event
from sentinel.core.state import Incident
from sentinel.engine.changes import Changes
from sentinel.engine.desk import Desk
from sentinel.engine.judge import Judge
from sentinel.engine.matrices import Matrices
from sentinel.engine.news import News
from sentinel.engine.overload import OverloadWatch
from sentinel.engine.problems import Problems
from sentinel.engine.rotas import Rotas
from sentinel.store.base import Settlement

P = ParamSpec("P")
NUMBERS_MAX: Final = 20  # In a storm it is enough to say that incidents changed.


class Room(Protocol):
    """The parts that say of a change; the daemon."""

    news: News
    desk: Desk
    judge: Judge
    rotas: Rotas
    overload: OverloadWatch
    changes: Changes
    problems: Problems
    matrices: Matrices


def open_for(parts: Room) -> None:
    """Have every change told to open pages, after whoever is told of it already.

    The topics: `incidents` and the number of each, `messages`, `probes`, `silences`, `rotas`, `overload`, `changes`,
    `problems` (with their actions), `matrices`.
    """
    news = parts.news
    parts.desk.written = _both(parts.desk.written, lambda happened, settled: news.say(*_topics(happened, settled)))
    parts.desk.silenced = _both(parts.desk.silenced, lambda _: news.say("silences"))
    parts.judge.changed = _both(parts.judge.changed, lambda _: news.say("probes"))
    parts.rotas.changed = _both(parts.rotas.changed, lambda _: news.say("rotas"))
    parts.overload.changed = _both(parts.overload.changed, lambda _: news.say("overload"))
    parts.changes.changed = _both(parts.changes.changed, lambda: news.say("changes"))
    parts.problems.changed = _both(parts.problems.changed, lambda: news.say("problems"))
    parts.matrices.changed = _both(parts.matrices.changed, lambda *_: news.say("matrices"))


def _topics(happened: Sequence[tuple[Incident, Event]], settled: Sequence[Settlement]) -> set[str]:
    numbers = {state.number for state, _ in happened}
    topics = numbers if len(numbers) <= NUMBERS_MAX else set()
    return topics | ({"incidents"} if happened else set()) | ({"messages"} if settled or happened else set())


def _both(first: Callable[P, None], second: Callable[P, None]) -> Callable[P, None]:
    def tell(*args: P.args, **kwargs: P.kwargs) -> None:
        first(*args, **kwargs)
        second(*args, **kwargs)

    return tell
