"""What the section ``isolation`` refers to must be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.isolation import IsolationRules
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted
from sentinel.probes.base import ProbeKind


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield canaries that cannot be asked: they must be probes, and not such that wait to be called."""
    rules = cast(IsolationRules, config.single["isolation"])
    for number, name in enumerate(rules.canaries):
        path = ("isolation", "canaries", number)
        if name not in config.names["probes"]:
            yield Fault(path, f"unknown probe {quoted(name)}", did_you_mean(name, sorted(config.names["probes"])))
        elif (entry := config.probes.get(name)) is not None and cast(ProbeKind, entry.kind).passive:
            yield Fault(path, f"{quoted(name)} waits to be called", "take a probe that asks: `tcp`, `icmp` or `dns`")
