"""What people and time change of an incident's category: recategorised (rule CLS-13), cascaded (rule SRC-4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from sentinel.core import audience, clocks, escalation, watching
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.escalation import told
from sentinel.core.folding import evolve, fold
from sentinel.core.hearing import by_mail, listening, quietly
from sentinel.core.model import LEVELS, PRIORITIES, SEVERITIES, Directory, Level, Page, Plan, Refused, Verdict
from sentinel.core.state import Incident

CASCADING: Level = 2
NOBODY = "nobody has taken it"


def raised(state: Incident, verdict: Verdict, plan: Plan, now: datetime, directory: Directory) -> list[e.Event]:
    """Return the rise that a verdict means, if it does: nothing is ever lowered by a signal.

    Where a person has said what it is, only more than the rules said then raises it again.
    """
    if _overruled(state, verdict):
        return []
    higher = verdict.level > state.level
    priority = min(verdict.priority, state.priority, key=PRIORITIES.index)
    if not higher and priority == state.priority:
        return []
    event = e.Raised(
        at=now,
        level=max(verdict.level, state.level),
        severity=max(verdict.severity, state.severity, key=SEVERITIES.index),
        priority=priority,
        rule=verdict.rule,
        plan=plan if higher else state.plan,
        targets=clocks.recomputed(state, priority, directory) if priority != state.priority else None,
        withdraw=escalation.unsettled(state) if higher else (),
        watch=watching.decided(state.service, priority, plan if higher else state.plan, now, directory),
    )
    after = evolve(state, event)
    return [told(event, _risen(state, after, directory) if higher else listening(after, "raised", directory))]


def _risen(state: Incident, after: Incident, directory: Directory) -> Iterable[Page]:
    """Return who hears of a higher level: those who hear of openings of this level only have not heard of this yet."""
    return (
        *listening(after, "raised", directory),
        *listening(after, "opened", directory, above=state.level),  # Rule DSP-1
        *(by_mail if after.gated else _by_choice)((state.acknowledged_by,), directory),
    )


def _by_choice(whom: Iterable[str], directory: Directory) -> tuple[Page, ...]:
    return audience.pages(whom, (), directory)


def _overruled(state: Incident, verdict: Verdict) -> bool:
    if state.overruled_priority is None:
        return False
    more_urgent = PRIORITIES.index(verdict.priority) < PRIORITIES.index(state.overruled_priority)
    return verdict.level <= state.overruled_level and not more_urgent


def climbed(state: Incident, decided: list[e.Event], now: datetime, directory: Directory) -> list[e.Event]:
    """Return the first steps of the ladder that a higher level starts, or more urgency out of hours (rule ESC-2)."""
    after = fold(state, decided)
    if after.level <= state.level and not (state.gated and not after.gated):
        return []
    pages = (page for event in decided for page in event.tell)
    return escalation.begin(after, pages, now, directory)


def recategorise(state: Incident, command: c.Recategorise, now: datetime, directory: Directory) -> list[e.Event]:
    """Change what it is, as a person says; the clocks run from the original opening to the new targets."""
    if not command.why.strip():
        raise Refused("Recategorising needs a reason.")
    event = e.Recategorised(
        at=now,
        by=command.by,
        why=command.why,
        level=command.level or state.level,
        severity=command.severity or state.severity,
        priority=command.priority or state.priority,
        was_level=state.level,
        was_severity=state.severity,
        was_priority=state.priority,
        cause_class=command.cause_class,
        attributed_to=command.attributed_to,
    )
    if _same(state, event):
        raise Refused(f"{state.number} is already level {state.level}, {state.severity}, {state.priority}.")
    if event.priority != state.priority:
        event = replace(
            event,
            targets=clocks.recomputed(state, event.priority, directory),
            watch=watching.decided(state.service, event.priority, state.plan, now, directory),
        )
    else:
        event = replace(event, watch=watching.renewed(state, now, directory))
    after = evolve(state, event)
    higher = event.level > state.level
    event = replace(event, withdraw=escalation.unsettled(state) if higher else escalation.unwanted(after))
    manager = by_mail((state.acknowledged_by, *state.plan.manager), directory)
    heard = _risen(state, after, directory) if higher else listening(after, "recategorised", directory)
    event = told(event, (*heard, *manager, *quietly(state, directory)), command.by)
    return [event, *climbed(state, [event], now, directory)]


def _same(state: Incident, event: e.Recategorised) -> bool:
    whose = state.attributed_to if event.attributed_to is None else event.attributed_to
    now = (event.level, event.severity, event.priority, event.cause_class or state.cause_class, whose)
    return now == (state.level, state.severity, state.priority, state.cause_class, state.attributed_to)


def cascade(state: Incident, command: c.Cascade, now: datetime, directory: Directory) -> list[e.Event]:
    """Take it to level 3, whose ladder starts at its first step. The priority, and so the targets, stay."""
    if state.level == max(LEVELS):
        raise Refused(f"{state.number} is level {state.level} already.")
    plan = replace(state.plan, ticket=state.plan.ticket or state.plan.cascade_ticket)
    event = e.Cascaded(
        at=now,
        by=command.by,
        why=command.why,
        level=max(LEVELS),
        plan=plan,
        withdraw=escalation.unsettled(state),
        watch=watching.renewed(state, now, directory),
    )
    heard = _risen(state, evolve(state, event), directory)
    event = told(event, (*heard, *by_mail(state.plan.manager, directory)), command.by)
    return [event, *climbed(state, [event], now, directory)]


def cascade_at(state: Incident) -> datetime | None:
    """Return when a level 2 that nobody takes cascades by itself; not when a person has said that it is level 2."""
    waits = state.plan.cascade_after
    if waits is None or state.kind != "incident" or state.phase != "open" or state.level != CASCADING:
        return None
    return (state.level_at or state.ladder_at) + waits if state.overruled_priority is None else None


def cascade_due(state: Incident, now: datetime, directory: Directory) -> list[e.Event]:
    """Cascade by itself, when that is due."""
    due_at = cascade_at(state)
    if not due_at or now < due_at:
        return []
    rule = state.plan.cascade_rule
    why = f"{NOBODY} (rule “{rule}”)" if rule else NOBODY
    return cascade(state, c.Cascade(by="", why=why), now, directory)


DECISIONS: dict[type[c.Command], Any] = {c.Recategorise: recategorise, c.Cascade: cascade}
