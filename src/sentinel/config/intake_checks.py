"""What the sections ``intake`` and ``inhibit`` refer to must be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast

from sentinel.config.contract_checks import Fault
from sentinel.config.errors import Path
from sentinel.config.inhibition import Patterns
from sentinel.config.intake import IntakeSection
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted
from sentinel.core.matching import like

# What `when` and `mute` may ask for that has a list of its own.
LISTED = {"probe": "probes", "service": "services"}


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield names of services and probes that there are not."""
    intake = cast(IntakeSection, config.single["intake"])
    for number, entry in enumerate(intake.map or ()):
        if entry.service:
            path = ("intake", "map", number, "service")
            yield from _unknown(config, "service", (entry.service,), path, pattern=False)
    for name, service in intake.opsgenie.services.items():
        yield from _unknown(config, "service", (service,), ("intake", "opsgenie", "services", name), pattern=False)
    yield from _jobs(config, keyed=intake.pings.key is not None)
    for number, inhibit in config.inhibit:
        for side, patterns in (("when", inhibit.when), ("mute", inhibit.mute)):
            yield from _side(config, patterns, ("inhibit", number, side))


def _jobs(config: Config, *, keyed: bool) -> Iterator[Fault]:
    """Yield heartbeats that nobody could call, and those that a call could not tell apart."""
    slugs: dict[str, str] = {}
    for name, entry in config.probes.items():
        if entry.kind.name != "heartbeat":
            continue
        if entry.options.token is None and entry.options.alert is None and not keyed:
            yield Fault(("probes", name), "nobody could call it", "write a `token` here, or `intake.pings.key` for all")
        slug = entry.options.slug or name
        if (other := slugs.setdefault(slug, name)) != name:
            yield Fault(("probes", name, "slug"), f"{quoted(slug)} is the slug of {quoted(other)} too")


def _side(config: Config, patterns: Patterns, path: Path) -> Iterator[Fault]:
    for label in LISTED.keys() & patterns.keys():
        yield from _unknown(config, label, patterns[label], (*path, label), pattern=True)


def _unknown(config: Config, label: str, words: Iterable[str], path: Path, *, pattern: bool) -> Iterator[Fault]:
    known = sorted(config.names[LISTED[label]])
    for word in words:
        found = any(like(name, word) for name in known) if pattern else word in known
        if word and not found:
            yield Fault(path, f"unknown {label} {quoted(word)}", did_you_mean(word, known))
