"""``quorum``: how many targets of a probe must fail for all of it to count as down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.model import ProbeEntry
from sentinel.config.sections import Config


def quorum_of(entry: ProbeEntry, targets: int) -> int:
    """Return the number of failing targets that count as all of them; 0 when nothing but all of them does."""
    return entry.quorum.of(targets) if entry.quorum is not None else 0


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield quorums that no failure could reach."""
    for name, entry in config.probes.items():
        shared = cast(ProbeEntry, entry.shared)
        targets = len(entry.targets)
        if shared.quorum is not None and shared.quorum.of(targets) > targets:
            there = "there is 1 target" if targets == 1 else f"there are {targets} targets"
            yield Fault(("probes", name, "quorum"), f"`quorum` is {shared.quorum}, and {there}")
