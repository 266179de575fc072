"""How often each fault has come lately (rule LIF-8): kept in memory, so that nobody who is paged waits for a count."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta

KEPT_FOR = timedelta(days=366)
FAULTS_MAX = 100_000
TIMES_MAX = 1_000  # of one fault


class Recurrences:
    """When the incidents of each fault were opened; what has come least lately is forgotten first."""

    def __init__(self, openings: Iterable[tuple[str, datetime]] = ()) -> None:
        self._times: OrderedDict[str, list[datetime]] = OrderedDict()
        for dedup, at in openings:
            self.opened(dedup, at)

    def opened(self, dedup: str, at: datetime) -> None:
        """Remember an opening."""
        times = self._times.setdefault(dedup, [])
        times.append(at)
        del times[:-TIMES_MAX]
        self._times.move_to_end(dedup)
        while len(self._times) > FAULTS_MAX:
            self._times.popitem(last=False)

    def merged(self, dedup: str, at: datetime) -> None:
        """Forget an opening: the incident was another one's part."""
        times = self._times.get(dedup, [])
        if at in times:
            times.remove(at)

    def count(self, dedup: str, since: datetime) -> int:
        """Return how many incidents a fault had since a moment."""
        return sum(at >= since for at in self._times.get(dedup, ()))
