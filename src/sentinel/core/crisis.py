"""Major incidents and crises: proposed, declared, steered and ended (rules MAJ-1 to MAJ-10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sentinel.core import cell, chronogram, crisis_acts, raci, status_messages
from sentinel.core import commands as c
from sentinel.core import crisis_commands as cc
from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core.crisis_acts import drp_due, drp_late_at, needs, of, opened, plan_of
from sentinel.core.crisis_plan import CrisisPlan, Trigger
from sentinel.core.crisis_state import Side
from sentinel.core.escalation import told
from sentinel.core.folding import evolve, fold
from sentinel.core.model import Directory, Refused
from sentinel.core.state import Incident

# What may do a step of the time line, or match a trigger.
FOLLOWED = (
    e.Opened,
    e.Acknowledged,
    e.TicketLinked,
    e.Told,
    e.TargetMissed,
    e.WorkaroundProposed,
    e.Resolved,
    e.Raised,
    e.Recategorised,
    ce.CrisisOpened,
    ce.DrpDecided,
    ce.DrpStarted,
)
# What a ticket need not be told of.
UNMIRRORED = (ce.StepDone, ce.StepLate, ce.StepChecked, ce.UpdateReminded, ce.UpdateLate)


def follow(
    state: Incident, command: c.Command, decided: Sequence[e.Event], now: datetime, directory: Directory
) -> list[e.Event]:
    """Return what follows for the crisis from what was decided: steps that are done, a trigger that matches."""
    if state.plan.crisis is None and not any(isinstance(event, e.Raised) for event in decided):
        return []
    if not isinstance(command, c.Report) and not any(isinstance(event, FOLLOWED) for event in decided):
        return []
    major = isinstance(command, c.Report) and command.verdict.major
    if not major and all(isinstance(event, e.SignalJoined) for event in decided):
        return []  # Another signal of the same does no step, and matches no trigger that did not match before.
    state = fold(state, decided)
    more = _triggered(state, command, decided, now, directory)
    more += chronogram.tick_facts(fold(state, more), now, directory)
    if more and isinstance(command, c.Tick):  # What starts late has steps that are due already.
        more += tell_due(fold(state, more), now, directory)
    return more


def tell_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Return what time alone brings: the start of what nobody answered, steps, messages, the end."""
    decided: list[e.Event] = []
    for bring in (_start_due, chronogram.fall_due, drp_due, status_messages.fall_due, _end_due):
        decided += bring(fold(state, decided), now, directory)
    return decided


def next_at(state: Incident) -> datetime | None:
    """Return when time alone brings something."""
    if state.plan.crisis is None:
        return None
    moments = (starts_at(state), chronogram.next_at(state), drp_late_at(state), status_messages.next_at(state))
    return min((at for at in moments if at is not None), default=None)


def closes_at(state: Incident) -> datetime | None:
    """Return when a resolved incident closes; not before its crisis is over (rule LIF-7)."""
    return None if of(state).open else state.close_by


def refuse_while_open(state: Incident, what: str) -> None:
    """Keep an incident from ending before its crisis has.

    Raises:
        Refused: its crisis is open.
    """
    if of(state).open:
        raise Refused(f"{state.number} cannot be {what}: its crisis is open; close the crisis first.")


def refuse_while_proposed(state: Incident, what: str) -> None:
    """Keep a proposal from being lost: unanswered it would have started by itself (rule MAJ-2).

    Raises:
        Refused: a crisis is proposed for it, and nobody has answered.
    """
    if starts_at(state) is not None:
        raise Refused(f"{state.number} cannot be {what}: a crisis is proposed for it; declare or decline it first.")


# --- from a trigger to the opening ------------------------------------------------------------------------------------


def starts_at(state: Incident) -> datetime | None:
    """Return when a proposal that nobody answers starts the crisis by itself (rule MAJ-2).

    One made when that moment has passed waits for an answer a little while all the same.
    """
    plan, crisis = state.plan.crisis, of(state)
    if plan is None or crisis.phase != "proposed" or crisis.proposed_at is None or not chronogram.critical(state):
        return None
    usual = state.t0 + plan.start_at
    return usual if crisis.proposed_at < usual else crisis.proposed_at + plan.answer_within


def _triggered(
    state: Incident, command: c.Command, decided: Sequence[e.Event], now: datetime, directory: Directory
) -> list[e.Event]:
    plan = state.plan.crisis
    if plan is None or of(state).phase != "none" or not chronogram.critical(state):
        return []
    major = command.verdict.major if isinstance(command, c.Report) else ""
    missed = any(isinstance(event, e.TargetMissed) for event in decided)
    found = next((one for one in plan.triggers if _matches(one, state, major=bool(major), missed=missed)), None)
    if found is None:
        return []
    if plan.start == "auto" or major == "auto":
        opening = ce.CrisisOpened(at=now, by="", why=found.title, trigger=found.id, link=_link(state, plan))
        return [_opened(state, opening, directory)]
    proposed = ce.CrisisProposed(at=now, trigger=found.id, why=found.title, answer_by=now)
    answer_by = starts_at(evolve(state, proposed)) or now
    proposed = ce.CrisisProposed(at=now, trigger=found.id, why=found.title, answer_by=answer_by)
    return [told(proposed, cell.alert(plan.owner or cell.leaders(state), directory))]


def _matches(trigger: Trigger, state: Incident, *, major: bool, missed: bool) -> bool:
    """Tell whether all conditions of a trigger hold; one without any is for people to name."""
    conditions = (
        (trigger.always, True),
        (trigger.major, major),
        (trigger.missed, missed),
        (bool(trigger.services), state.service in trigger.services),
        (bool(trigger.rules), state.rule in trigger.rules),
    )
    asked = [holds for wanted, holds in conditions if wanted]
    return bool(asked) and all(asked)


def _link(state: Incident, plan: CrisisPlan) -> str:
    return plan.call.replace("{incident}", state.number)


def _opened(state: Incident, opening: ce.CrisisOpened, directory: Directory) -> ce.CrisisOpened:
    """Return the opening with all whom it warns (rule MAJ-3)."""
    after = evolve(state, opening)
    whom = (*cell.actors(after), *(cell.security(after) if opening.security else ()))
    event: ce.CrisisOpened = told(opening, cell.alert(whom, directory))
    return event


def _start_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    at, plan = starts_at(state), state.plan.crisis
    if at is None or plan is None or now < at:
        return []
    crisis = of(state)
    opening = ce.CrisisOpened(at=now, by="", why=crisis.why, trigger=crisis.trigger, link=_link(state, plan))
    return [_opened(state, opening, directory)]


def declare(state: Incident, command: cc.DeclareCrisis, now: datetime, directory: Directory) -> list[e.Event]:
    """Start the crisis, on the side of whoever declares it (rule MAJ-10)."""
    plan, crisis = plan_of(state), of(state)
    if state.over:
        raise Refused(f"{state.number} is {state.phase}: no crisis can start any more.")
    if crisis.open:
        raise Refused(f"The crisis of {state.number} is open already.")
    known = [trigger.id for trigger in plan.triggers]
    if command.trigger and command.trigger not in known:
        raise Refused(f"There is no trigger `{command.trigger}`; known: {', '.join(known) or 'none'}.")
    raci.check(state, command.by, ("crisis_state",), directory)
    side: Side = "customer" if raci.column_of(state, command.by, directory) == "customer" else "provider"
    opening = ce.CrisisOpened(
        at=now,
        by=command.by,
        why=command.why,
        trigger=command.trigger or crisis.trigger,
        side=side,
        link=_link(state, plan),
        security=command.security or command.trigger == "security",
    )
    return [_opened(state, opening, directory)]


def decline(state: Incident, command: cc.DeclineCrisis, now: datetime, directory: Directory) -> list[e.Event]:
    """Say that it is no crisis; people can declare one all the same later on."""
    plan_of(state)
    if of(state).phase != "proposed":
        raise Refused(f"No crisis is proposed for {state.number}.")
    needs(command.why, "Declining a crisis needs a reason.")
    raci.check(state, command.by, ("crisis_state",), directory)
    declined = ce.CrisisDeclined(at=now, by=command.by, why=command.why)
    return [told(declined, cell.mail(cell.leaders(state), directory), command.by)]


# --- its end ----------------------------------------------------------------------------------------------------------


def close(state: Incident, command: cc.CloseCrisis, now: datetime, directory: Directory) -> list[e.Event]:
    """End the crisis with its closing message: the side that opened it does (rules MAJ-8, MAJ-10)."""
    opened(state)
    side = of(state).side
    raci.check(state, command.by, ("closing_customer",) if side == "customer" else ("closing_provider",), directory)
    return [_closed(state, ce.CrisisClosed(at=now, by=command.by, text=command.text), directory)]


def _end_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """End a crisis of the provider's when service is back, the closing message is due, and nobody has sent it."""
    closing = state.plan.crisis.closing if state.plan.crisis else None
    if closing is None or not chronogram.closes_by_itself(state) or now < chronogram.due_at(state, closing):
        return []
    return [_closed(state, ce.CrisisClosed(at=now, by=""), directory)]


def _closed(state: Incident, closed: ce.CrisisClosed, directory: Directory) -> ce.CrisisClosed:
    event: ce.CrisisClosed = told(closed, cell.mail(cell.closing(state), directory))
    return event


DECISIONS: dict[type[c.Command], Any] = {
    **crisis_acts.DECISIONS,
    cc.DeclareCrisis: declare,
    cc.DeclineCrisis: decline,
    cc.CloseCrisis: close,
}
