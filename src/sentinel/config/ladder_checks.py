"""What must fit together in ``escalations``: calendars are known, no hour is left out, nights reach somebody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sentinel.config import calendars, contracts
from sentinel.config.calendars import ALWAYS_NAME
from sentinel.config.contract_checks import Fault
from sentinel.config.contracts import ContractEntry
from sentinel.config.errors import Path
from sentinel.config.explain import place_of
from sentinel.config.ladders import EscalationEntry, LadderEntry, is_ladders
from sentinel.config.nodes import Mapping, Sequence
from sentinel.config.sections import Config
from sentinel.config.telling import StepEntry
from sentinel.config.words import did_you_mean, quoted


def steps_of(config: Config) -> Iterator[tuple[Path, StepEntry]]:
    """Yield each step of each escalation, with the path of what is written."""
    for name, escalation in config.escalations.items():
        for number, ladder in enumerate(escalation.ladders):
            at = _ladder_path(config, name, number)
            below = ("steps",) if isinstance(place_of(config.root, at)[1], Mapping) else ()
            for index, step in enumerate(ladder.steps):
                yield (*at, *below, index), step


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield what does not fit in the hours of ladders: nobody to reach is a mistake, never silence (rule ESC-3)."""
    known = config.names["calendars"] | calendars.NAMES
    for name, escalation in config.escalations.items():
        for number, ladder in enumerate(escalation.ladders):
            at = _ladder_path(config, name, number)
            calendar = ladder.during.calendar
            if calendar and calendar not in known:
                near = did_you_mean(calendar, sorted(known))
                yield Fault((*at, "during"), f"unknown calendar {quoted(calendar)}", near)
            if any(ladder.called == other.called for other in escalation.ladders[:number]):
                yield Fault(at, f"two ladders are called {quoted(ladder.called)}", "give each a `name` of its own")
        yield from _order(config, name, escalation)


def _order(config: Config, name: str, escalation: EscalationEntry) -> Iterator[Fault]:
    for number, ladder in enumerate(escalation.ladders[:-1]):
        if ladder.during.during in {"always", "otherwise"}:
            what = f"no ladder after one for `{ladder.during}` is ever in force"
            yield Fault((*_ladder_path(config, name, number), "during"), what, "move it to the end")
            return
    if not _always_one(escalation):
        what = "there are hours in which no ladder is in force, and nobody would be told"
        yield Fault(("escalations", name), what, "end with a ladder `during: otherwise`")


def _always_one(escalation: EscalationEntry) -> bool:
    """Tell whether some ladder is in force at every hour."""
    spells = {(ladder.during.during, ladder.during.calendar) for ladder in escalation.ladders}
    return any(
        during in {"always", "otherwise"}
        or (during, calendar) == ("inside", ALWAYS_NAME)
        or (during == "inside" and ("outside", calendar) in spells)
        for during, calendar in spells
    )


def warnings_of(config: Config) -> Iterator[Fault]:
    """Yield the services with business hours whose escalation reaches nobody for a P1 out of them (rule ESC-2)."""
    for name, service in config.services.items():
        escalation = config.escalations.get(service.escalation or "default")
        if escalation is None or not _closes(service.sla, config):
            continue
        nights = [ladder for ladder in escalation.ladders if ladder.during.during != "inside"]
        if nights and not any(_reaches_somebody(ladder, config) for ladder in nights):
            what = "out of hours a P1 of it reaches nobody: who is on call there is so in business hours only"
            yield Fault(("services", name, "escalation"), what, "add a ladder for somebody who is there then")


def _closes(sla: str, config: Config) -> bool:
    """Tell whether a contract has hours that end."""
    entry = config.sla.get(sla) or (contracts.built_in(sla) if sla in contracts.BUILT_IN else None)
    return entry is not None and _hours_name(entry) not in {"", ALWAYS_NAME}


def _hours_name(entry: ContractEntry) -> str:
    named = (entry.calendar.get(clock, {}).get("P1", "") for clock in ("resolve", "ack", "workaround"))
    return entry.hours or next(filter(None, named), "")


def _reaches_somebody(ladder: LadderEntry, config: Config) -> bool:
    return any(_reached(word, config) for step in ladder.steps for word in step.to)


def _reached(word: str, config: Config) -> bool:
    """Tell whether an audience may hold somebody out of hours; what is unknown is told elsewhere."""
    kind, _, name = word.rpartition(":")
    if kind == "rota":
        rota = config.rotas.get(name)
        return rota is None or rota.covers.where != "inside"
    group = config.groups.get(name) if kind == "group" else None
    if group is None or group.email:
        return True
    members: Iterable[str] = group.members
    return any(_reached(member, config) for member in members)


def _ladder_path(config: Config, name: str, number: int) -> Path:
    """Return where a ladder is written: as a list of steps, under ``steps``, or as one of several."""
    at: Path = ("escalations", name)
    node = place_of(config.root, at)[1]
    if isinstance(node, Sequence) and is_ladders(node):
        return (*at, number)
    return at
