"""What is asked of the incidents that are not over yet: looked up in memory, at once, and changing nothing."""

from __future__ import annotations

from datetime import datetime

from sentinel.core.correlate import NOTHING, Index
from sentinel.core.state import Incident


class Lookup:
    """The unfinished incidents, for whoever only looks."""

    def __init__(self) -> None:
        self._index = Index()

    def open(self) -> list[Incident]:
        """Return the incidents that are neither closed nor merged, oldest first."""
        return self._index.all()

    def followed(self) -> list[Incident]:
        """Return those, and what is over but whose review or actions are not (rules REX-2 and REX-3)."""
        return self._index.followed()

    def holds(self, key: str, level: int) -> bool:
        """Tell whether an active incident of that level at least has this signal standing: nothing new to report."""
        state = self._index.holding(key, NOTHING)
        if state is None or not state.active or not state.signals[key].failing:
            return False
        return max(state.level, state.overruled_level) >= level

    def number_of(self, key: str) -> str | None:
        """Return the number of the active incident that has this signal; nothing when there is none."""
        state = self._index.holding(key, NOTHING)
        return state.number if state is not None and state.active else None

    def holding(self, key: str) -> Incident | None:
        """Return the unfinished incident that has this signal, resolved ones included."""
        return self._index.holding(key, NOTHING)

    def standing(self, prefix: str) -> list[str]:
        """Return the keys that begin so of all signals that active incidents believe to fail."""
        found = ((key, self._index.holding(key, NOTHING)) for key in self._index.signals() if key.startswith(prefix))
        return [key for key, state in found if state is not None and state.active and state.signals[key].failing]

    def stands(self, key: str) -> bool:
        """Tell whether an unfinished incident, resolved ones included, believes that this signal still fails."""
        state = self._index.holding(key, NOTHING)
        return state is not None and state.signals[key].failing

    def waking(self) -> tuple[datetime, str] | None:
        """Return the next moment at which time alone brings something, and to which incident."""
        return self._index.waking()

    def due(self, now: datetime, most: int) -> list[str]:
        """Return the incidents to which time alone brings something by now, the longest overdue first."""
        return self._index.due(now, most)
