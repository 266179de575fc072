"""What must fit together in the reviews: the calendar is known, and everybody who is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config import calendars
from sentinel.config.contract_checks import Fault
from sentinel.config.errors import Path
from sentinel.config.handling import IncidentRules
from sentinel.config.reviews import ReviewEntry
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def _entries(config: Config) -> Iterator[tuple[ReviewEntry, Path]]:
    yield cast(IncidentRules, config.single["incidents"]).review, ("incidents", "review")
    for name, crisis in config.crises.items():
        if crisis.review is not None:
            yield crisis.review, ("crises", name, "review")


def audiences_of(config: Config) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield every list of audiences, and where it stands."""
    for entry, path in _entries(config):
        yield entry.owner, (*path, "owner")
        yield entry.readers, (*path, "readers")


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield calendars that nobody knows."""
    known = config.names["calendars"] | calendars.NAMES
    for entry, path in _entries(config):
        if entry.calendar not in known:
            near = did_you_mean(entry.calendar, sorted(known))
            yield Fault((*path, "calendar"), f"unknown calendar {quoted(entry.calendar)}", near)
