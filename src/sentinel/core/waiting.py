"""Pending and resuming: on whom the work waits, who is told and reminded of it (rule LIF-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import audience, clocks, escalation
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.folding import evolve, fold
from sentinel.core.hearing import asking, by_mail, listening, quietly
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident

THE_CUSTOMER = "the customer"


def acknowledge(state: Incident, command: c.Acknowledge, now: datetime, directory: Directory) -> list[e.Event]:
    """Put a name on the incident; the ladder stops."""
    if state.acknowledged_by == command.by:
        return []
    if state.acknowledged_by:
        raise Refused(f"{state.number} is already acknowledged by {state.acknowledged_by}.")
    taken = e.Acknowledged(at=now, by=command.by, via=command.via)
    taken = replace(taken, withdraw=escalation.unwanted(evolve(state, taken)))
    # Who was paged hears by mail that it has a name; nobody is woken a second time for that.
    return [told(taken, (*quietly(state, directory), *listening(state, "acknowledged", directory)), command.by)]


def pend(state: Incident, command: c.Pend, now: datetime, directory: Directory) -> list[e.Event]:
    """Wait for the customer or a third party. Whoever sets an unacknowledged incident to pending takes it."""
    if not command.ask.strip():
        raise Refused("Pending needs a text: what is asked of whom the work waits for.")
    if command.waits_on == "third_party" and not command.whom.strip():
        raise Refused("Pending on a third party needs its name.")
    taken: Sequence[e.Event] = ()
    if not state.acknowledged_by:
        taken = acknowledge(state, c.Acknowledge(by=command.by, via=command.via), now, directory)
        state = fold(state, taken)
    remind = _awaited(state, command, directory)
    pended = e.Pended(
        at=now,
        by=command.by,
        waits_on=command.waits_on,
        whom=command.whom.strip() or THE_CUSTOMER,
        ask=command.ask,
        remind=remind,
        remind_at=_next(now, now, directory),
    )
    whom = by_mail((*remind, *state.plan.manager), directory)
    return [*taken, told(pended, (*whom, *listening(state, "pending", directory)), command.by)]


def resume(state: Incident, command: c.Resume, now: datetime, directory: Directory) -> list[e.Event]:
    """Go on with the work; the clocks that stood still go on too."""
    targets = clocks.resumed(state, now, directory)
    resumed = e.Resumed(at=now, by=command.by, text=command.text, targets=targets)
    whom = by_mail((state.acknowledged_by, *state.plan.manager), directory)
    return [told(resumed, (*whom, *listening(state, "resumed", directory)), command.by)]


def note(state: Incident, command: c.Note, now: datetime, directory: Directory) -> list[e.Event]:
    """Add to the timeline. What somebody writes who is waited on is their reply, and the work goes on."""
    if not command.text.strip():
        raise Refused("A note needs a text.")
    asked = () if command.quiet else asking(state, directory)
    noted: e.Event = told(e.Noted(at=now, by=command.by, text=command.text, source=command.source), asked, command.by)
    replies = any(person.id == command.by for person in audience.people(state.remind, directory))
    if state.phase != "pending" or not replies:
        return [noted]
    return [noted, *resume(evolve(state, noted), c.Resume(by=command.by), now, directory)]


def propose(state: Incident, command: c.Propose, now: datetime, directory: Directory) -> list[e.Event]:
    """Propose a workaround to the customer: their operations hear of it (rule SLA-6)."""
    if not command.text.strip():
        raise Refused("A workaround needs a text: what users can do meanwhile.")
    proposed = e.WorkaroundProposed(at=now, by=command.by, text=command.text)
    whom = by_mail(state.plan.operations, directory)
    return [told(proposed, (*whom, *listening(state, "workaround", directory)), command.by)]


def remind(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Remind whom the work waits for, when that is due; a stop of several days is caught up with one reminder."""
    due_at = state.remind_at
    if state.phase != "pending" or due_at is None or now < due_at:
        return []
    reminded = e.Reminded(at=now, due_at=due_at, remind_at=_next(due_at, now, directory))
    return [told(reminded, by_mail(state.remind or _keepers(state), directory))]


def remind_at(state: Incident) -> datetime | None:
    """Return when whom the work waits for is next reminded."""
    return state.remind_at if state.phase == "pending" else None


def _awaited(state: Incident, command: c.Pend, directory: Directory) -> tuple[str, ...]:
    """Return whom Sentinel can remind: who is named, else the customer's operations, else who asked.

    A third party that Sentinel does not know is reminded by who has the incident.
    """
    named = command.whom.strip()
    if named and next(audience.people((named,), directory), None):
        return (named,)
    if command.waits_on == "third_party":
        return ()
    return state.plan.operations or ((state.requester,) if state.requester else ())


def _keepers(state: Incident) -> tuple[str, ...]:
    return (state.acknowledged_by, *state.plan.manager)


def _next(since: datetime, now: datetime, directory: Directory) -> datetime | None:
    if directory.terms is None:
        return None
    following = directory.terms.remind_at(since)
    return directory.terms.remind_at(now) if following is not None and following <= now else following


DECISIONS: dict[type[c.Command], Any] = {
    c.Acknowledge: acknowledge,
    c.Pend: pend,
    c.Resume: resume,
    c.Note: note,
    c.Propose: propose,
}
