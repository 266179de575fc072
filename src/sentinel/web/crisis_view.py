"""What is seen of a crisis: its time line, its cell, the next message with its draft, decisions, who may."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from sentinel.core import audience, cell, chronogram, crisis, raci, status_messages
from sentinel.core.crisis_plan import Column, CrisisPlan, CrisisStep
from sentinel.core.crisis_state import NONE
from sentinel.core.model import Directory
from sentinel.core.state import Incident
from sentinel.messages import crises as telling
from sentinel.messages.catalogue import Voice
from sentinel.messages.status import draft, item_name, step_name

Standing = Literal["done", "late", "ahead", "not due"]


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """A step: when it is due, how it stands, who did it (empty: the system); lines of its checklist, done or not."""

    id: str
    title: str
    due: datetime
    state: Standing
    done_at: datetime | None
    by: str
    checklist: tuple[tuple[str, str, bool], ...]


class SeatView(msgspec.Struct, frozen=True, kw_only=True):
    """A seat of the cell, who sits there, and whether its level is activated."""

    seat: str
    people: tuple[str, ...]
    active: bool


class NextMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The status message that is due next, as the system would send it."""

    due: datetime
    every_s: float
    draft: str


class CrisisView(msgspec.Struct, frozen=True, kw_only=True):
    """The crisis of an incident; ``state`` is ``none`` for one that never had any. People are named by their ids."""

    number: str
    state: str
    t0: datetime
    trigger: str
    why: str
    side: str
    security: bool
    link: str
    starts_at: datetime | None
    opened_at: datetime | None
    opened_by: str
    closed_at: datetime | None
    closed_by: str
    leaders: tuple[str, ...]
    level: int
    cell: tuple[SeatView, ...]
    joined: tuple[str, ...]
    optional: tuple[str, ...]
    steps: tuple[StepView, ...]
    next_message: NextMessage | None
    messages_sent: int
    drp: str
    drp_by: str
    drp_at: datetime | None
    drp_due: datetime | None
    drp_started_at: datetime | None
    changes: dict[str, str]
    triggers: tuple[tuple[str, str], ...]
    raci: dict[str, dict[Column, str]]


def crisis_view(state: Incident, directory: Directory, voice: Voice, now: datetime) -> CrisisView:
    """Show the crisis of an incident, in somebody's language; one without a plan has nothing but its state."""
    one, plan = state.crisis or NONE, state.plan.crisis
    directory = audience.now_in(directory, now)
    return CrisisView(
        number=state.number,
        state=one.phase,
        t0=state.t0,
        trigger=one.trigger,
        why=one.why,
        side=one.side,
        security=one.security,
        link=one.link,
        starts_at=crisis.starts_at(state),
        opened_at=one.opened_at,
        opened_by=one.opened_by,
        closed_at=one.closed_at,
        closed_by=one.closed_by,
        leaders=_ids(cell.leaders(state), directory),
        level=one.level,
        cell=_seats(state, plan, directory) if plan else (),
        joined=one.joined,
        optional=_ids(plan.cell.optional, directory) if plan else (),
        steps=tuple(_step(state, step, voice) for step in plan.steps) if plan else (),
        next_message=_next(state, plan, (directory, voice, now)) if plan else None,
        messages_sent=one.messages,
        drp=one.drp,
        drp_by=one.drp_by,
        drp_at=one.drp_at,
        drp_due=state.t0 + plan.drp_by if plan and one.open else None,
        drp_started_at=one.drp_started_at,
        changes=one.changes,
        triggers=_triggers(plan, voice) if plan else (),
        raci={activity: dict(row) for activity, row in raci.matrix(state).items()},
    )


def _ids(whom: tuple[str, ...], directory: Directory) -> tuple[str, ...]:
    return tuple(person.id for person in audience.people(whom, directory))


def _seats(state: Incident, plan: CrisisPlan, directory: Directory) -> tuple[SeatView, ...]:
    active = {seat for seat, _ in cell.seats(plan.cell, (state.crisis or NONE).level)}
    return tuple(
        SeatView(seat=seat, people=_ids(taken, directory), active=seat in active)
        for seat, taken in cell.seats(plan.cell, len(cell.SEATS))
    )


def _step(state: Incident, step: CrisisStep, voice: Voice) -> StepView:
    one, ticked = state.crisis or NONE, chronogram.ticked(state, step)
    checked = one.checked.get(step.id, ())
    standing: Standing = "ahead" if chronogram.applies(state, step) else "not due"
    if ticked:
        standing = "done"
    elif step.id in one.late:
        standing = "late"
    return StepView(
        id=step.id,
        title=step_name(voice, step.id, step.title),
        due=chronogram.due_at(state, step),
        state=standing,
        done_at=ticked.at if ticked else None,
        by=ticked.by if ticked else "",
        checklist=tuple((item, item_name(voice, item), item in checked) for item in step.checklist),
    )


def _next(state: Incident, plan: CrisisPlan, reader: tuple[Directory, Voice, datetime]) -> NextMessage | None:
    directory, voice, now = reader
    due = status_messages.due_at(state)
    if due is None:
        return None
    done = (state.crisis or NONE).deeds
    status = telling.status_of(state, done, chronogram.remaining(state), directory)
    every = status_messages.every_of(state, plan)
    return NextMessage(due=due, every_s=every.total_seconds(), draft=draft(status, voice, now))


def _triggers(plan: CrisisPlan, voice: Voice) -> tuple[tuple[str, str], ...]:
    return tuple((one.id, one.title or voice.named("triggers", one.id) or one.id) for one in plan.triggers)
