"""All probes, the worst first: put together once a second at most, however many pages ask."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from aiohttp import web

from sentinel.engine.live import Live, Row, State
from sentinel.web.context import CONTEXT
from sentinel.web.overview import WORST_FIRST

FRESH_FOR: Final = timedelta(seconds=1)
RANK: Final = {state: rank for rank, state in enumerate(WORST_FIRST)}


class Line(NamedTuple):
    """A probe: its targets, that of them which stands worst, and how many are well."""

    name: str
    rows: list[Row]
    worst: Row
    state: State
    ok: int


class Standing(NamedTuple):
    """A probe as far as ten thousand of them are looked at: how the worst of its targets stands, and the targets."""

    state: State
    rows: list[Row]

    def says(self, sought: str) -> bool:
        """Tell whether a word stands in its name, its title, its service or a target; the word is casefolded."""
        plan = self.rows[0].plan
        if sought in f"{plan.name}\n{plan.title}\n{plan.service}".casefold():
            return True
        return any(sought in row.target.casefold() for row in self.rows)


class Board:
    """The probes as they were a moment ago, the worst first; ``counts`` says how many stand how."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.probes: list[Standing] = []
        self.counts: Counter[State] = Counter()
        self.types: list[str] = []

    def take(self, live: Live, now: datetime) -> None:
        """Look at all targets."""
        by_state: dict[State, list[Standing]] = {state: [] for state in WORST_FIRST}
        types = set()
        for rows in live.probes():
            # Most probes have one target.
            state = rows[0].state if len(rows) == 1 else min((row.state for row in rows), key=RANK.__getitem__)
            by_state[state].append(Standing(state, rows))
            types.add(rows[0].plan.type)
        self.at, self.types = now, sorted(types)
        self.probes = [one for found in by_state.values() for one in found]
        self.counts = Counter({state: len(found) for state, found in by_state.items() if found})


def line_of(rows: list[Row]) -> Line:
    """Return the line of a probe, of which there is at least one target."""
    states = [row.state for row in rows]
    place = min(range(len(rows)), key=lambda at: RANK[states[at]])
    return Line(rows[0].plan.name, rows, rows[place], states[place], states.count("ok"))


BOARD: Final = web.AppKey("BOARD", Board)


def board(request: web.Request) -> Board:
    """Return the probes of now, or of a moment ago."""
    context, kept = request.app[CONTEXT], request.app[BOARD]
    now = context.now()
    if kept.at is None or not timedelta(0) <= now - kept.at < FRESH_FOR:
        kept.take(context.live, now)
    return kept
