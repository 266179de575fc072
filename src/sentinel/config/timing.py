"""When a probe runs and how it makes sure, its own words before the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final, TypeVar

from sentinel.config.model import Defaults, ProbeEntry
from sentinel.probes.plan import Confirm

T = TypeVar("T")

ATTEMPTS: Final = 2
EVERY: Final = timedelta(seconds=2)
WITHIN: Final = timedelta(seconds=30)
RECOVER_NEED: Final = 2
CONFIRMS_KEPT_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Timing:
    """``attempts`` more attempts follow a failed one, ``every`` so often, ``within`` all; ``need`` must fail too."""

    interval: timedelta
    timeout: timedelta
    attempts: int
    every: timedelta
    need: int
    within: timedelta
    recover_need: int

    @property
    def confirmation(self) -> timedelta:
        """Return how long the confirmation of a failure may take."""
        return min(self.within, self.attempts * (self.every + self.timeout))

    @property
    def worst_case(self) -> timedelta:
        """Return how long an outage may go unseen that begins just after a good run (rule SRC-1)."""
        return self.interval + self.timeout + self.confirmation


def timing_of(probe: ProbeEntry, defaults: Defaults) -> Timing:
    """Put together what a probe says, what the defaults say, and what holds when neither does.

    Without a word about ``need`` every attempt must fail, whoever set ``attempts``.
    """
    own, common = probe.confirm, defaults.confirm
    attempts = _first(own.attempts, common.attempts, ATTEMPTS)
    inherited = common.need if own.attempts is None else None
    return Timing(
        interval=_first(probe.interval, defaults.interval, defaults.interval),
        timeout=_first(probe.timeout, defaults.timeout, defaults.timeout),
        attempts=attempts,
        every=_first(own.every, common.every, EVERY),
        need=_first(own.need, inherited, attempts),
        within=_first(own.within, common.within, WITHIN),
        recover_need=_first(probe.recover.need, defaults.recover.need, RECOVER_NEED),
    )


@lru_cache(maxsize=CONFIRMS_KEPT_MAX)
def confirm_of(timing: Timing) -> Confirm:
    """Return how a failed run confirms itself: one and the same for all probes that do so alike, as most do."""
    return Confirm(
        attempts=timing.attempts,
        every_s=timing.every.total_seconds(),
        need=timing.need,
        within_s=timing.within.total_seconds(),
    )


def _first(own: T | None, common: T | None, otherwise: T) -> T:
    return own if own is not None else common if common is not None else otherwise
