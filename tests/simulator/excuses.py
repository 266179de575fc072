"""When nothing could be done: the daemon was down, the disk took nothing, the clock was set back."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

FOR_EVER = float("inf")


class Excuses:
    """Stretches of the loop's time; asked for how much of a wait they explain."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._under_way: dict[str, float] = {}
        self._over: list[tuple[float, float]] = []  # (end, begin), in the order of ends

    def begin(self, why: str) -> None:
        self._under_way.setdefault(why, self._now_s())

    def end(self, why: str) -> None:
        began_s = self._under_way.pop(why, None)
        if began_s is not None:
            insort(self._over, (self._now_s(), began_s))

    def add(self, lasts_s: float) -> None:
        """Excuse what is late by that much from now on: the clock was set back."""
        insort(self._over, (self._now_s() + lasts_s, self._now_s()))

    def within(self, begin_s: float, end_s: float) -> float:
        """Return how many seconds between two moments are excused."""
        found = [(began_s, FOR_EVER) for began_s in self._under_way.values()]
        for ended_s, began_s in reversed(self._over):
            if ended_s <= begin_s:
                break
            found.append((began_s, ended_s))
        total, at_s = 0.0, begin_s
        for began_s, ended_s in sorted(found):
            from_s, to_s = max(began_s, at_s), min(ended_s, end_s)
            if to_s > from_s:
                total += to_s - from_s
                at_s = to_s
        return total

    def any_since(self, begin_s: float) -> bool:
        """Tell whether there was any excuse since a moment."""
        return self.within(begin_s, self._now_s()) > 0
