"""What programs see of incidents and the rest: the shapes of the API, each named once."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec

from sentinel.core import requests
from sentinel.core.deadlines import ClockState
from sentinel.core.known_error import KnownError
from sentinel.core.matching import Silence
from sentinel.core.model import CauseClass, Kind, Level, Priority, Result, Severity, WaitsOn
from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow, Recorded
from sentinel.tickets.base import Ticket, TicketReference


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """An incident in a list. ``targets`` holds the clocks of its service level, when it has one."""

    number: str
    title: str
    service: str
    kind: Kind
    level: Level
    severity: Severity
    priority: Priority
    state: str
    opened_at: datetime
    t0: datetime
    acknowledged_by: str | None
    assigned_to: str | None = None
    resolved_at: datetime | None
    dedup: str
    targets: tuple[dict[str, Any], ...] = ()


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a timeline; ``event`` is the fact as it was recorded."""

    sequence: int
    at: datetime
    type: str
    hash: str
    event: msgspec.Raw


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one person by one channel; times are null until they happen."""

    id: str
    incident: str
    person: str
    channel: str
    state: str
    tries: int
    created_at: datetime
    due_at: datetime
    settled_at: datetime | None
    reference: str
    error: str


class TicketView(msgspec.Struct, frozen=True, kw_only=True):
    """The ticket of an incident; the fields after ``url`` are known of built-in tickets only."""

    reference: str
    url: str
    state: str | None = None
    priority: str | None = None
    notes: tuple[tuple[int, str], ...] = ()
    links: tuple[str, ...] = ()


class ReviewView(msgspec.Struct, frozen=True, kw_only=True):
    """The review of an incident: when its report is due, whether it was held, and how far the report is."""

    due_at: datetime | None
    owner: tuple[str, ...]
    overdue: bool
    held_on: date | None
    people: tuple[str, ...]
    version: int
    final_at: datetime | None
    open_actions: int


class PictureView(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that a browser probe kept of a failure, and where it is shown."""

    name: str
    probe: str
    taken_at: datetime
    url: str


class IncidentPage(IncidentView, frozen=True, kw_only=True):
    """One incident with all that is known of it."""

    rule: str
    cause_class: CauseClass | None
    group: str
    requester: str
    category: str
    agreed_on: date | None
    refused: str
    acknowledged_at: datetime | None
    resolved_by: str
    resolution: str
    close_by: datetime | None
    closed_at: datetime | None
    merged_into: str
    held_by: str
    waits_on: WaitsOn | None
    waits_for: str
    asked: str
    pending_since: datetime | None
    workaround: str
    instructions: str
    problem: str
    problem_number: str
    known: KnownError | None
    review: ReviewView | None
    flapping: bool
    signals: tuple[dict[str, Any], ...]
    timeline: tuple[EventView, ...]
    messages: tuple[MessageView, ...]
    ticket: TicketView | None
    pictures: tuple[PictureView, ...] = ()


class ProbeView(msgspec.Struct, frozen=True, kw_only=True):
    """A target of a probe and its last result; ``since`` is when the present state began."""

    probe: str
    target: str
    type: str
    service: str
    state: str
    since: datetime | None
    last: Result | None


class SilenceView(msgspec.Struct, frozen=True, kw_only=True):
    """A silence; matchers as people write them, such as ``service=campus`` and ``target!=web1*``."""

    id: str
    matchers: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime
    by: str
    comment: str


def incident_view(state: Incident) -> IncidentView:
    """Show an incident as lists do."""
    return IncidentView(**_common(state))


def incident_page(
    state: Incident,
    timeline: list[Recorded],
    messages: list[OutboxRow],
    ticket: tuple[TicketReference, Ticket] | None,
) -> IncidentPage:
    """Show an incident with its timeline, messages and ticket."""
    return IncidentPage(
        **_common(state),
        rule=state.rule,
        cause_class=state.cause_class,
        group=state.group,
        requester=state.requester,
        category=state.category,
        agreed_on=state.agreed_on,
        refused=state.refused,
        acknowledged_at=state.acknowledged_at,
        resolved_by=state.resolved_by,
        resolution=state.resolution,
        close_by=state.close_by,
        closed_at=state.closed_at,
        merged_into=state.merged_into,
        held_by=state.held_by,
        waits_on=state.waits_on,
        waits_for=state.waits_for,
        asked=state.asked,
        pending_since=state.pending_since,
        workaround=state.workaround,
        instructions=state.instructions,
        problem=state.problem,
        problem_number=state.problem_number,
        known=state.known,
        review=_review_view(state),
        flapping=state.flapping,
        signals=tuple(
            {"failing": standing.failing, **msgspec.to_builtins(standing.signal, builtin_types=(datetime,))}
            for standing in state.signals.values()
        ),
        timeline=tuple(map(event_view, timeline)),
        messages=tuple(map(message_view, messages)),
        ticket=_ticket_view(state, ticket),
    )


def event_view(recorded: Recorded) -> EventView:
    """Show a line of the timeline."""
    event = recorded.event
    return EventView(
        sequence=recorded.sequence,
        at=event.at,
        type=str(type(event).__struct_config__.tag),
        hash=recorded.hash,
        event=msgspec.Raw(msgspec.json.encode(event)),
    )


def message_view(row: OutboxRow) -> MessageView:
    """Show a message of the outbox, without its text and its address."""
    return MessageView(**{name: getattr(row, name) for name in MessageView.__struct_fields__})


# How a matcher is written: as an expression or not, asking for it or against it.


def silence_view(silence: Silence) -> SilenceView:
    """Show a silence."""
    return SilenceView(
        id=silence.id,
        matchers=tuple(one.text for one in silence.matchers),
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        by=silence.by,
        comment=silence.comment,
    )


def _common(state: Incident) -> dict[str, Any]:
    return {
        "number": state.number,
        "title": state.title,
        "service": state.service,
        "kind": state.kind,
        "level": state.level,
        "severity": state.severity,
        "priority": state.priority,
        "state": requests.shown(state),
        "opened_at": state.opened_at,
        "t0": state.t0,
        "acknowledged_by": state.acknowledged_by or None,
        "assigned_to": state.assigned_to or None,
        "resolved_at": state.resolved_at,
        "dedup": state.dedup,
        "targets": tuple(target_view(one) for one in state.clocks.values()),
    }


def target_view(one: ClockState) -> dict[str, Any]:
    """Show a clock: when it falls due, how it stands (running, stopped, met, missed), which warnings were given."""
    return {
        "clock": one.deadline.clock,
        "priority": one.deadline.priority,
        "due": one.deadline.due_at,
        "state": one.standing,
        "warned": one.given,
        "ended_at": one.ended_at,
    }


def _review_view(state: Incident) -> ReviewView | None:
    review = state.review
    if review is None:
        return None
    return ReviewView(
        due_at=review.due_at,
        owner=review.owner,
        overdue=review.owed and review.overdue,
        held_on=review.held_on,
        people=review.people,
        version=review.version,
        final_at=review.final_at,
        open_actions=sum(one.open for one in review.actions.values()),
    )


def _ticket_view(state: Incident, found: tuple[TicketReference, Ticket] | None) -> TicketView | None:
    if found is None:
        return TicketView(reference=state.ticket, url=state.ticket_url) if state.ticket else None
    reference, ticket = found
    return TicketView(
        reference=reference.reference,
        url=reference.url,
        state=ticket.state,
        priority=ticket.priority,
        notes=ticket.notes,
        links=ticket.links,
    )
