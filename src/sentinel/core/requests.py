"""The light life of a request: open, planned for a day, done or refused (rules CLS-1, CLS-8, CLS-9 and SLA-10).

It is an incident's life without outage, ladder and level: nobody is paged for a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from msgspec.structs import replace

from sentinel.core import clocks, waiting
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.asked_for import BY_DATE
from sentinel.core.escalation import told
from sentinel.core.folding import fold
from sentinel.core.hearing import asking, by_mail
from sentinel.core.model import Directory, Kind, Page, Refused
from sentinel.core.state import Incident

# What can be done to an incident only: a request has no level to rise to, and no ladder.
OF_INCIDENTS: Final = (c.Cascade, c.Escalate, c.Propose, c.JudgeProblem, c.Hold)


class Schedule(c.Command, frozen=True, kw_only=True):
    """A request is to be done on a day; whoever plans it takes it."""

    by: str
    on: date
    text: str = ""
    via: str = "api"


class Decline(c.Command, frozen=True, kw_only=True):
    """A request will not be done, with the reason."""

    by: str
    why: str


def shown(state: Incident) -> str:
    """Return the state that people see: of a request open, planned, done or refused, where it is one of these."""
    if state.kind != "request":
        return state.phase
    if state.refused:
        return "refused"
    if state.phase in {"resolved", "closed"}:
        return "done"
    return "planned" if state.planned and state.phase != "pending" else state.phase


def fitting(state: Incident, command: c.Command) -> c.Command:
    """Return the command as it may be given to what it is given to.

    Raises:
        Refused: it is for requests only, or for incidents only, or leaves a request without what it needs.
    """
    if isinstance(command, Schedule | Decline) and state.kind != "request":
        raise Refused(f"{state.number} is an incident, not a request.")
    if state.kind != "request":
        return command
    if isinstance(command, OF_INCIDENTS) or (isinstance(command, c.Absorb) and _worse(command)):
        raise Refused(f"{state.number} is a request; raise an incident if something is broken.")
    if not isinstance(command, c.Recategorise):
        return command
    if command.priority == "P1":
        raise Refused("Requests have no P1.")  # Rule CLS-8
    if command.priority == BY_DATE and state.agreed_on is None:
        raise Refused(f"{state.number} has no agreed date, which a request of priority P4 needs; plan it first.")
    return replace(command, level=None)  # A request pages nobody, whatever its priority.


def quiet(kind: Kind, decided: list[e.Event], directory: Directory) -> list[e.Event]:
    """Return what was decided; of a request it tells people by mail only, so that it wakes nobody at any hour."""
    if kind != "request":
        return decided
    return [replace(one, tell=_mailed(one.tell, directory)) if one.tell else one for one in decided]


def _mailed(pages: Iterable[Page], directory: Directory) -> tuple[Page, ...]:
    """Return the pages by mail, and those to places."""
    ways = {name for name, channel in directory.channels.items() if channel.address in {"email", ""}}
    return tuple(page for page in pages if page.channel in ways)


def _worse(command: c.Absorb) -> bool:
    return command.verdict is not None and command.verdict.level > 1


def schedule(state: Incident, command: Schedule, now: datetime, directory: Directory) -> list[e.Event]:
    """Set the day on which it is to be done; of a P4 that day is its due time (rule SLA-10)."""
    if state.planned and state.agreed_on == command.on:
        raise Refused(f"{state.number} is already planned for {command.on}.")
    taken: Sequence[e.Event] = ()
    if not state.acknowledged_by:
        taken = waiting.acknowledge(state, c.Acknowledge(by=command.by, via=command.via), now, directory)
        taken = [replace(event, tell=()) for event in taken]  # The day says all that the requester need know.
        state = fold(state, taken)
    targets = None
    if state.priority == BY_DATE:
        targets = clocks.recomputed(replace(state, agreed_on=command.on), state.priority, directory)
    event = e.Scheduled(at=now, by=command.by, on=command.on, text=command.text, targets=targets)
    whom = (*asking(state, directory), *by_mail((state.acknowledged_by,), directory))
    return [*taken, told(event, whom, command.by)]


def decline(state: Incident, command: Decline, now: datetime, directory: Directory) -> list[e.Event]:
    """Refuse it, with the reason, which the requester gets."""
    if not command.why.strip():
        raise Refused("Refusing a request needs a reason.")
    event = e.Declined(at=now, by=command.by, why=command.why)
    whom = (*asking(state, directory), *by_mail((state.acknowledged_by,), directory))
    return [told(event, whom, command.by)]


DECISIONS: dict[type[c.Command], Any] = {Schedule: schedule, Decline: decline}
