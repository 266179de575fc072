"""What must fit together in ``changes``: its services are there, and what is planned keeps to their levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sentinel.config.changing import ChangesSection, PlannedEntry
from sentinel.config.contract_checks import Fault
from sentinel.config.errors import Path
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted
from sentinel.core.quality import Agreed, judge

# What is settled when the change is announced and started, and so cannot be missing in the file.
SETTLED = {"notice", "long_notice", "window", "inside", "calendar", "backup", "maintenance"}


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield the services that are not there."""
    section = _section(config)
    for number, entry in enumerate(section.planned):
        for place, service in enumerate(entry.services):
            yield from _service(config, service, ("changes", "planned", number, "services", place))
    for number, fix in enumerate(section.fixes):
        yield from _service(config, fix.service, ("changes", "fixes", number, "service"))


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield what breaks a level, what a level asks for and the file does not say, and what may be meant otherwise."""
    section = _section(config)
    for number, entry in enumerate(section.planned):
        path: Path = ("changes", "planned", number)
        yield from _ambiguous(entry, (*path, "cron"))
        for service in entry.services:
            found = config.services.get(service)
            if found is None:
                continue
            agreed = Agreed(service=service, stability=found.stability, improvement=found.improvement)
            yield from _levels(service, agreed, entry, path)
            if found.stability == 3 and section.backup is None:
                what = f"{service}: stability 3 asks for a full backup first, and `changes.backup` names no program"
                yield Fault(path, what, "it will not start by itself; somebody must vouch for the backup")


def _levels(service: str, agreed: Agreed, entry: PlannedEntry, path: Path) -> Iterator[Fault]:
    unsaid = []
    for reason in judge(agreed, entry.facts).reasons:
        if reason.code in SETTLED and not reason.said:
            continue
        if reason.broken and reason.said:
            label = reason.text.rpartition("; ")[2].partition("=")[0]
            yield Fault((*path, label), f"{service}: {reason.text}", "it will not take place as it is")
        elif reason.broken:
            unsaid.append(reason.text.rpartition("; ")[2].removesuffix(" is not said"))
    if unsaid:
        what = f"{service}: its levels ask for {', '.join(dict.fromkeys(unsaid))}, of which nothing is said"
        yield Fault(path, what, "it is taken as promised")


def _ambiguous(entry: PlannedEntry, path: Path) -> Iterator[Fault]:
    if entry.cron is None:
        return
    _, _, day, _, weekday = entry.cron.split()
    if not day.startswith("*") and not weekday.startswith("*") and "#" not in weekday:
        what = f"{quoted(entry.cron)} means: on these days of the month, and on this weekday too, as cron has it"
        yield Fault(path, what, "for the second Tuesday write `* * tue#2`")


def _service(config: Config, word: str, path: Path) -> Iterator[Fault]:
    known = config.names["services"]
    if word not in known:
        yield Fault(path, f"unknown service {quoted(word)}", did_you_mean(word, sorted(known)))


def _section(config: Config) -> ChangesSection:
    return cast(ChangesSection, config.single["changes"])
