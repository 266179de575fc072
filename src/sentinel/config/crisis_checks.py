"""What must fit together in ``crises``: services, rules, and everybody who is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sentinel.config.contract_checks import Fault
from sentinel.config.crises import CrisisEntry
from sentinel.config.crisis_plans import seats_of
from sentinel.config.errors import Path
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted


def audiences_of(config: Config) -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield every list of audiences, and where it stands."""
    for name, entry in config.crises.items():
        path: Path = ("crises", name)
        yield entry.owner, (*path, "owner")
        yield from ((who, (*path, "cell", "permanent", seat)) for seat, who in seats_of(entry.cell.permanent).items())
        yield entry.cell.optional, (*path, "cell", "optional")
        yield entry.cell.security, (*path, "cell", "security")
        yield entry.updates.to, (*path, "updates", "to")
        for number, step in enumerate(entry.steps):
            yield step.notify, (*path, "steps", number, "notify")
            yield step.to, (*path, "steps", number, "to")


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield services and rules that a crisis names and nobody knows."""
    services = config.names["services"]
    rules = {rule.name for _, rule in config.rules if rule.name}
    for name, entry in config.crises.items():
        yield from _unknown("service", entry.when.service, services, ("crises", name, "when", "service"))
        for number, trigger in enumerate(entry.triggers):
            path: Path = ("crises", name, "triggers", number)
            yield from _unknown("service", trigger.service, services, (*path, "service"))
            yield from _unknown("rule", trigger.rule, rules, (*path, "rule"))
        yield from _closing(entry, ("crises", name, "steps"))


def _unknown(what: str, words: Iterable[str], known: Iterable[str], path: Path) -> Iterator[Fault]:
    names = sorted(known)
    for number, word in enumerate(words):
        if word not in names:
            yield Fault((*path, number), f"unknown {what} {quoted(word)}", did_you_mean(word, names))


def _closing(entry: CrisisEntry, path: Path) -> Iterator[Fault]:
    ending = [number for number, step in enumerate(entry.steps) if step.announce == "crisis-closed"]
    if entry.steps and not ending:
        yield Fault(path, "no step ends the crisis", "write one with `announce: crisis-closed`")
    for number in ending[1:]:
        yield Fault((*path, number), "two steps end the crisis", "one with `announce: crisis-closed` is enough")
