"""What is wrong with the practice site at a moment: what someone broke, else what the schedule says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

Fault = Literal["home-500", "login-503", "course-missing", "slow"]
FAULTS: tuple[Fault, ...] = get_args(Fault)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the site breaks by itself: after ``first_after_s`` and then ``every_s``, each time for ``lasts_s``.

    The kinds take turns; without any it never breaks.
    """

    first_after_s: float = 40.0
    lasts_s: float = 60.0
    every_s: float = 600.0
    kinds: tuple[Fault, ...] = ("login-503", "home-500", "course-missing")

    def __post_init__(self) -> None:
        """Refuse a schedule that never mends."""
        if not 0 < self.lasts_s < self.every_s or self.first_after_s < 0:
            raise ValueError("a scheduled fault ends before the next one begins")

    def at(self, age_s: float) -> tuple[int, Fault] | None:
        """Return which break of the schedule is on at an age of the platform, and its kind."""
        since_first = age_s - self.first_after_s
        if not self.kinds or since_first < 0:
            return None
        number, within_s = divmod(since_first, self.every_s)
        return (int(number), self.kinds[int(number) % len(self.kinds)]) if within_s < self.lasts_s else None

    def next_in_s(self, age_s: float) -> float | None:
        """Return how long it is until the next break begins."""
        if not self.kinds:
            return None
        since_first = age_s - self.first_after_s
        return -since_first if since_first < 0 else self.every_s - since_first % self.every_s


class Faults:
    """The state of the site. What a person does goes before the schedule: mending ends the scheduled break too."""

    def __init__(self, schedule: Schedule, clock: Callable[[], float] = time.monotonic) -> None:
        self._schedule = schedule
        self._clock = clock
        self._started_s = clock()
        self._broken: Fault | None = None
        self._mended: int | None = None

    @property
    def now(self) -> Fault | None:
        """Return what is wrong now."""
        if self._broken is not None:
            return self._broken
        scheduled = self._schedule.at(self._age_s)
        return scheduled[1] if scheduled and scheduled[0] != self._mended else None

    @property
    def next_in_s(self) -> float | None:
        """Return how long it is until the schedule breaks the site again."""
        return self._schedule.next_in_s(self._age_s)

    def break_with(self, fault: Fault) -> None:
        """Break the site until somebody mends it."""
        self._broken = fault

    def mend(self) -> None:
        """End whatever is wrong."""
        self._broken = None
        scheduled = self._schedule.at(self._age_s)
        self._mended = scheduled[0] if scheduled else None

    @property
    def _age_s(self) -> float:
        return self._clock() - self._started_s
