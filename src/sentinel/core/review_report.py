"""The report on an incident, drafted from its log: what happened, how long, what was decided (rules REX-1, REX-2).

What people wrote stands beside what the log says. Lengths are in seconds. The final version shows the incident as it
was then; only the actions are followed further.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, TypeGuard, get_args

import msgspec

from sentinel.core import crisis_events as ce
from sentinel.core import events as e
from sentinel.core import review_events as re
from sentinel.core.actions import ActionState
from sentinel.core.crisis_state import NONE as NO_CRISIS
from sentinel.core.deadlines import ClockState
from sentinel.core.folding import evolve
from sentinel.core.model import Page
from sentinel.core.review_state import NONE
from sentinel.core.sending import message_id
from sentinel.core.state import Incident

LINES_MAX: Final = 2000
MESSAGES_MAX: Final = 500
OF_THE_LAST: Final = timedelta(days=30)
WORST_DETECTION: Final = timedelta(minutes=5, seconds=30)  # Rule SRC-1
EARLY: Final = 0.5  # so much of a target's time used at most

Recorded = tuple[int, e.Event]
Fate = Literal["accepted", "failed", "withdrawn", "waiting"]
Took = Literal["detection", "ack", "workaround", "resolve", "restore", "outage", "crisis"]
Code = Literal[
    "target_missed",
    "target_met_early",
    "steps_late",
    "steps_in_time",
    "updates_late",
    "drp_late",
    "unreachable",
    "exhausted",
    "escalated",
    "taken_at_once",
    "reopened",
    "outage_exceeded",
    "flapping",
    "detected_late",
    "detected_in_time",
    "workaround",
]

# What nobody needs to read again: receipts of carriers stand beside the messages.
PASSED_OVER = (e.Told, e.NotTold, e.Bounced, e.HoursChanged, e.TicketLinked)
AFTER: Final[tuple[type, ...]] = get_args(re.ReviewEvent)
DECISIONS = (
    ce.CrisisOpened,
    ce.CrisisDeclined,
    ce.DrpDecided,
    ce.DrpStarted,
    ce.LevelActivated,
    ce.T0Corrected,
    ce.ChangeAttached,
    ce.ChangeApproved,
    ce.CrisisClosed,
    e.Recategorised,
    e.Cascaded,
    e.ProblemJudged,
)
DEEDS = (
    *(e.Acknowledged, e.HandedBack, e.Assigned, e.Noted, e.Pended, e.Resumed, e.WorkaroundProposed),
    e.Published,
    *(e.Resolved, e.Reopened, ce.StepDone),
)


class Line(msgspec.Struct, frozen=True):
    """One event in its place."""

    sequence: int
    event: e.Event

    @property
    def at(self) -> datetime:
        """Return when it happened."""
        return self.event.at


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took, against what was promised; ``met`` is null without a promise, or while it runs."""

    what: Took
    begins_at: datetime
    ends_at: datetime | None
    took_s: float | None
    due_at: datetime | None = None
    met: bool | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message: who was told of what by which channel, and what came of it."""

    at: datetime
    person: str
    channel: str
    about: str
    fate: Fate
    settled_at: datetime | None = None
    why: str = ""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Something that went well or did not: ``what`` says of which clock, step or person."""

    code: Code
    what: str = ""
    count: int = 0
    seconds: float = 0.0


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What it meant: ``users`` as reports said, ``available_percent`` of the 30 days up to the end, by this alone."""

    began_at: datetime
    ended_at: datetime | None
    outage_s: float | None
    users: str
    available_percent: float | None
    tolerated_s: float | None
    exceeded: bool


class IncidentReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. ``written`` holds what people wrote, by parts; ``lines_left_out`` counts what is not shown."""

    state: Incident
    until: datetime
    version: int
    final_at: datetime | None
    final_by: str
    impact: Impact
    figures: tuple[Figure, ...]
    lines: tuple[Line, ...]
    lines_left_out: int
    deeds: tuple[Line, ...]
    decisions: tuple[Line, ...]
    messages: tuple[Message, ...]
    strong: tuple[Point, ...]
    weak: tuple[Point, ...]
    written: dict[str, str]
    authors: tuple[str, ...]
    actions: tuple[ActionState, ...]


def drafted(state: Incident, timeline: Sequence[Recorded], now: datetime) -> IncidentReport:
    """Return the report on an incident, as far as it has come; a final one as it was when it was made final."""
    final = next((s for s, one in reversed(timeline) if isinstance(one, re.ReportWritten) and one.final), 0)
    frozen = final if (state.review or NONE).final_at is not None else 0
    then = _as_of(timeline, frozen) if frozen else state
    told = [(sequence, one) for sequence, one in timeline if not frozen or sequence <= frozen]
    lines = [Line(s, one) for s, one in told if not isinstance(one, PASSED_OVER + AFTER)]
    review = then.review or NONE
    figures, messages = tuple(_figures(then)), _messages(then.number, told)
    return IncidentReport(
        state=then,
        until=review.final_at or now,
        version=review.version,
        final_at=review.final_at,
        final_by=review.final_by,
        impact=_impact(then),
        figures=figures,
        lines=tuple(lines[:LINES_MAX]),
        lines_left_out=max(0, len(lines) - LINES_MAX),
        deeds=tuple(line for line in lines if isinstance(line.event, DEEDS) and _by(line.event)),
        decisions=tuple(line for line in lines if isinstance(line.event, DECISIONS)),
        messages=tuple(messages[:MESSAGES_MAX]),
        strong=tuple(_strong(then, told)),
        weak=tuple(_weak(then, told, messages)),
        written=_written(told),
        authors=_authors(told),
        actions=tuple((state.review or NONE).actions.values()),
    )


def _as_of(timeline: Iterable[Recorded], last: int) -> Incident:
    state: Incident | None = None
    for sequence, event in timeline:
        if sequence <= last:
            state = evolve(state, event)
    assert state is not None, "a log begins with its opening"
    return state


def _written(told: Iterable[Recorded]) -> dict[str, str]:
    """Return the last that was written of each part, in the order of the report."""
    found: dict[str, str] = {}
    for _, event in told:
        if isinstance(event, re.ReportWritten):
            found.update(event.parts)
    return {part: found[part] for part in re.PARTS if part in found}


def _authors(told: Iterable[Recorded]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event.by for _, event in told if isinstance(event, re.ReportWritten)))


# Figures -------------------------------------------------------------------------------------------------------------


def _impact(state: Incident) -> Impact:
    ended_at = state.resolved_at
    outage_s = _between(state.t0, ended_at)
    tolerated = state.plan.outage_tolerated
    percent = None
    if outage_s is not None and state.severity == "blocking":
        percent = max(0.0, 100 * (1 - outage_s / OF_THE_LAST.total_seconds()))
    labels = (standing.signal.labels for standing in state.signals.values())
    return Impact(
        began_at=state.t0,
        ended_at=ended_at,
        outage_s=outage_s,
        users=next((found for one in labels if (found := one.get("users", "") or one.get("scope", ""))), ""),
        available_percent=percent,
        tolerated_s=tolerated.total_seconds() if tolerated else None,
        exceeded=state.outage_exceeded,
    )


def _figures(state: Incident) -> Iterable[Figure]:
    yield Figure(
        what="detection",
        begins_at=state.t0,
        ends_at=state.opened_at,
        took_s=_between(state.t0, state.opened_at),
        due_at=state.t0 + WORST_DETECTION,
        met=state.opened_at <= state.t0 + WORST_DETECTION,
    )
    yield _taken(state, "ack", state.acknowledged_at)
    if "workaround" in state.clocks:
        yield _taken(state, "workaround", state.clocks["workaround"].ended_at)
    yield _taken(state, "resolve", state.resolved_at)
    if "restore" in state.clocks:
        yield _taken(state, "restore", state.clocks["restore"].ended_at)
    crisis = state.crisis or NO_CRISIS
    if crisis.opened_at is not None:
        took_s = _between(crisis.opened_at, crisis.closed_at)
        yield Figure(what="crisis", begins_at=crisis.opened_at, ends_at=crisis.closed_at, took_s=took_s)


def _taken(state: Incident, clock: Literal["ack", "workaround", "resolve", "restore"], at: datetime | None) -> Figure:
    found = state.clocks.get(clock)
    return Figure(
        what=clock,
        begins_at=state.opened_at,
        ends_at=at,
        took_s=_between(state.opened_at, at),
        due_at=found.deadline.due_at if found else None,
        met=_met(found),
    )


def _met(clock: ClockState | None) -> bool | None:
    standing = clock.standing if clock is not None else "running"
    return standing == "met" if standing in {"met", "missed"} else None


def _by(event: e.Event) -> str:
    by: str = getattr(event, "by", "")
    return by


def _between(begin: datetime, end: datetime | None) -> float | None:
    return max(0.0, (end - begin).total_seconds()) if end is not None else None


# Messages ------------------------------------------------------------------------------------------------------------


def _messages(number: str, told: Iterable[Recorded]) -> list[Message]:
    """Return who was told of what, and what became of each message, from the log alone."""
    found: dict[str, Message] = {}
    for sequence, event in told:
        if isinstance(event, AFTER):
            continue
        if isinstance(event, e.Told) and event.message in found:
            found[event.message] = _settled(found[event.message], "accepted", event.at)
        elif _lost(event) and event.message in found:
            found[event.message] = _settled(found[event.message], "failed", event.at, event.why)
        for gone in event.withdraw:
            if gone in found and found[gone].fate == "waiting":
                found[gone] = _settled(found[gone], "withdrawn", event.at)
        for page in e.pages_of(event):
            found[message_id(number, sequence, page)] = _sent(page, event)
    return list(found.values())


def _lost(event: e.Event) -> TypeGuard[e.NotTold | e.Bounced]:
    """Tell whether a message will not arrive."""
    return isinstance(event, e.Bounced) or (isinstance(event, e.NotTold) and event.final)


def _sent(page: Page, event: e.Event) -> Message:
    about = str(type(event).__struct_config__.tag)
    return Message(at=event.at, person=page.person, channel=page.channel, about=about, fate="waiting")


def _settled(message: Message, fate: Fate, at: datetime, why: str = "") -> Message:
    return msgspec.structs.replace(message, fate=fate, settled_at=at, why=why)


# Points --------------------------------------------------------------------------------------------------------------


def _strong(state: Incident, told: Sequence[Recorded]) -> Iterable[Point]:
    """Name what went well: nothing that only did not go wrong because there was nothing to do."""
    detected = state.opened_at - state.t0
    if detected <= WORST_DETECTION and any(one.signal.source == "probe" for one in state.signals.values()):
        yield Point(code="detected_in_time", seconds=detected.total_seconds())
    if state.acknowledged_at is not None and not _escalations(told):
        yield Point(code="taken_at_once", seconds=(state.acknowledged_at - state.opened_at).total_seconds())
    for name, clock in state.clocks.items():
        allowed = (clock.deadline.due_at - state.opened_at).total_seconds()
        used = _between(state.opened_at, clock.ended_at)
        if clock.standing == "met" and used is not None and used <= allowed * EARLY:
            yield Point(code="target_met_early", what=name, seconds=allowed - used)
    crisis = state.crisis or NO_CRISIS
    if crisis.opened_at is not None and crisis.done and not crisis.late:
        yield Point(code="steps_in_time", count=len(crisis.done))
    if state.workaround:
        yield Point(code="workaround")


def _weak(state: Incident, told: Sequence[Recorded], messages: Sequence[Message]) -> Iterable[Point]:
    """Name what did not go well."""
    detected = state.opened_at - state.t0
    if detected > WORST_DETECTION:
        yield Point(code="detected_late", seconds=detected.total_seconds())
    for name, clock in state.clocks.items():
        if clock.standing == "missed":
            late_s = _between(clock.deadline.due_at, clock.ended_at) or 0.0
            yield Point(code="target_missed", what=name, seconds=late_s)
    if state.outage_exceeded:
        yield Point(code="outage_exceeded")
    if escalations := _escalations(told):
        yield Point(code="escalated", count=escalations)
    if any(isinstance(event, e.Exhausted) for _, event in told):
        yield Point(code="exhausted")
    for name in dict.fromkeys(one.person or one.channel for one in messages if one.fate == "failed"):
        failed = [one for one in messages if one.fate == "failed" and name in {one.person, one.channel}]
        if not any(one.fate == "accepted" and name in {one.person, one.channel} for one in messages):
            yield Point(code="unreachable", what=name, count=len(failed))
    if late := (state.crisis or NO_CRISIS).late:
        yield Point(code="steps_late", what=", ".join(late), count=len(late))
    if missed := sum(isinstance(event, ce.UpdateLate) for _, event in told):
        yield Point(code="updates_late", count=missed)
    if any(isinstance(event, ce.DrpLate) for _, event in told):
        yield Point(code="drp_late")
    if again := sum(isinstance(event, e.Reopened) for _, event in told):
        yield Point(code="reopened", count=again)
    if any(isinstance(event, e.Flapped) and event.on for _, event in told):
        yield Point(code="flapping")


def _escalations(told: Iterable[Recorded]) -> int:
    """Return how many steps beyond the first were taken: nobody had taken the incident by then."""
    return sum(isinstance(event, e.Escalated) and (event.place > 0 or event.repeat > 0) for _, event in told)
