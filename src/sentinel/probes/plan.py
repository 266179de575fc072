"""A probe as configured: what to run, how often, and what makes a failure believed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from sentinel.probes.base import Options


def shown(target: str) -> str:
    """Return a target as it may stand in metrics, logs and messages: the query of a URL may hold a key.

    A short sum stands in for the query, so that two targets that differ only there stay two.
    """
    base, mark, query = target.partition("?")
    return f"{base}?{zlib.crc32(query.encode()):08x}" if mark and "://" in base else target


@dataclass(frozen=True, slots=True)
class Confirm:
    """How a failed run confirms itself, inside the same run (rule SRC-1).

    Up to ``attempts`` more tries ``every_s`` apart; the failure is believed when ``need`` of them fail too. All
    tries together stop after ``within_s``, with what they have found by then.
    """

    attempts: int = 2
    every_s: float = 2.0
    need: int = 2
    within_s: float = 30.0


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """One configured probe. ``fingerprint`` changes when, and only when, anything that a run depends on does.

    So many failing targets as ``quorum`` says count as all of them; 0 asks for all.
    """

    name: str
    type: str
    options: Options
    targets: tuple[str, ...]
    interval_s: float
    timeout_s: float
    fingerprint: str
    confirm: Confirm = Confirm()
    recover_need: int = 2
    quorum: int = 0
    service: str = ""
    title: str = ""
    site: str = "local"
    runbook: str = ""
    functional: bool = False
    critical: bool = False
    passive: bool = False
    paused: bool = False
    labels: dict[str, str] = field(default_factory=dict)

    def worst_case_s(self) -> float:
        """Return the longest time from the start of an outage to its being believed: just after a good run."""
        tries = self.confirm.attempts * (self.confirm.every_s + self.timeout_s)
        return self.interval_s + self.timeout_s + min(tries, self.confirm.within_s)
