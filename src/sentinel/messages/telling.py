"""An event becomes the notice to one person: what is stored in the outbox, in the same transaction as the event."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from sentinel.core import events as e
from sentinel.core.effects import Notify
from sentinel.core.escalation import UNANSWERED
from sentinel.core.model import Directory
from sentinel.core.sla import Clock
from sentinel.core.state import Incident
from sentinel.messages import crises, escalated, reviews
from sentinel.messages.notice import Notice, NoticeKind

# What kind of notice each event is to whom it tells. Some events have several kinds.
KINDS: dict[type[e.Happened], NoticeKind] = {
    e.Opened: "opened",
    e.Acknowledged: "acknowledged",
    e.Resolved: "recovered",
    e.Reopened: "reopened",
    e.Noted: "note",
    e.Closed: "closed",
    e.Exhausted: "exhausted",
    e.Raised: "raised",
    e.Merged: "merged",
    e.Absorbed: "absorbed",
    e.Pended: "pending",
    e.Reminded: "reminded",
    e.Resumed: "resumed",
    e.HandedBack: "handed_back",
    e.Assigned: "assigned",
    e.WorkaroundProposed: "workaround",
    e.Recategorised: "recategorised",
    e.Cascaded: "cascaded",
    e.TargetWarned: "target_warned",
    e.TargetMissed: "target_missed",
    e.OutageExceeded: "outage",
    e.IntegrityLost: "integrity",
    e.Flapped: "flapping",
    e.Scheduled: "planned",
    e.Declined: "refused",
    e.ChangeLinked: "change_linked",
}

_encoder = msgspec.json.Encoder()


def envelope(state: Incident, notify: Notify, *, directory: Directory, services: dict[str, str], url: str) -> bytes:
    """Write down all that is needed to tell someone of an event, as JSON of a ``Notice``."""
    return _encoder.encode(notice(state, notify, directory=directory, services=services, url=url))


def notice(state: Incident, notify: Notify, *, directory: Directory, services: dict[str, str], url: str) -> Notice:
    """Return what there is to tell; ``services`` maps a service to its name, ``url`` is where pages are found."""
    event = notify.event
    last_failing = (one.signal for one in reversed(state.signals.values()) if one.failing)
    signal = next(last_failing, None) or next(iter(state.signals.values())).signal
    text = state.asked if isinstance(event, e.Reminded) else _text(event)
    title, service = _about(state, event)
    found = Notice(
        id=notify.message,
        kind=_kind(state, event),
        at=event.at,
        incident=state.number,
        title=title,
        service=services.get(service, service),
        priority=state.priority,
        level=state.level,
        severity=state.severity,
        cause_class=state.cause_class,
        detail=signal.detail,
        reason=signal.reason,
        opened_at=state.opened_at,
        since=state.t0,
        by=_name(getattr(event, "by", ""), directory),
        text=text,
        assignee=_name(state.acknowledged_by, directory),
        step=event.place if isinstance(event, e.Escalated) else 0,
        whom=_name(event.to if isinstance(event, e.Assigned) else state.waits_for, directory),
        clock=event.clock if isinstance(event, e.TargetWarned | e.TargetMissed | e.Escalated) else None,
        percent=event.percent if isinstance(event, e.TargetWarned) else 0,
        due_at=_falls_due(state, event),
        count=_count(event),
        category=state.kind,
        acknowledge_by=_due(state, "ack"),
        workaround_by=_due(state, "workaround"),
        resolve_by=_due(state, "resolve"),
        incident_url=f"{url.rstrip('/')}/incidents/{state.number}" if url else "",
        runbook=state.plan.runbook,
        problem=state.known.number if state.known else "",
        known_workaround=state.known.workaround if state.known else "",
        ticket=state.ticket,
        agreed_on=state.agreed_on,
        sequence=notify.sequence,
    )
    shown = _retold(state, event) if isinstance(event, e.NotTold | e.Bounced) else event
    said = crises.fields_of(state, shown, directory) or reviews.fields_of(state, shown, directory, url)
    if crises.kind_of(shown) and found.incident_url:
        said["incident_url"] = f"{found.incident_url}/crisis"
    return replace(found, **said) if said else found


def _about(state: Incident, event: e.Event) -> tuple[str, str]:
    """Return the title and the service: who is told what a cause took in listens to that service (rule SRC-8)."""
    if isinstance(event, e.SignalJoined) and event.plan is not None:
        return event.signal.title, event.signal.service
    return state.title, state.service


def _kind(state: Incident, event: e.Event) -> NoticeKind:
    if isinstance(event, e.NotTold | e.Bounced):
        event = _retold(state, event)
    if isinstance(event, e.Escalated):
        return escalated.kind_of(state, event)
    if isinstance(event, e.Held):
        return "held" if event.on else "released"
    if isinstance(event, e.Exhausted) and event.why == UNANSWERED:
        return "unanswered"
    if isinstance(event, e.Routed):
        return "receipt" if event.path == "receipt" else "routed"
    if isinstance(event, e.ProblemProposed):
        return "recurring" if event.count else "unexplained"
    return crises.kind_of(event) or reviews.kind_of(event) or KINDS.get(type(event), "opened")


def _retold(state: Incident, missed: e.NotTold | e.Bounced) -> e.Event:
    """A message by another way says that the incident is as it is now."""
    crisis = crises.as_now(state, missed.at)
    if crisis is not None:
        return crisis
    if (owed := reviews.as_now(state, missed.at)) is not None:
        return owed
    if state.phase == "resolved":
        return e.Resolved(at=missed.at, by=state.resolved_by, text=state.resolution, close_by=missed.at)
    return e.Escalated(at=missed.at, step=0, repeat=0, due_at=missed.at, why="")


def _text(event: e.Event) -> str:
    match event:
        case e.Resolved(automatic=True):
            return ""  # That the probes are good again is what a recovery says anyway, in the reader's language.
        case e.Resolved(text=text, instructions=changed) if changed:
            return f"{text}\n\n{changed}"
        case e.Resolved(text=text) | e.Noted(text=text) | e.Resumed(text=text) | e.WorkaroundProposed(text=text):
            return text
        case e.Pended(ask=ask):
            return ask
        case e.Reopened(why=why) | e.Closed(why=why) | e.Recategorised(why=why):
            return why
        case e.HandedBack(why=why) | e.Assigned(why=why):
            return why
        case e.Cascaded(by=by, why=why) | e.Escalated(by=by, why=why) if by:
            return why
        case e.Scheduled(text=text) | e.Declined(why=text):
            return text
        case e.Merged(into=into):
            return into
        case e.Absorbed(number=number):
            return number
        case e.ChangeLinked(change=change, title=title):
            return f"{change} {title}".strip()
    return crises.text_of(event)


def _falls_due(state: Incident, event: e.Event) -> datetime | None:
    if isinstance(event, e.Escalated):
        return escalated.due_of(state, event)
    return event.due_at if isinstance(event, e.TargetWarned | e.TargetMissed) else None


def _due(state: Incident, clock: Clock) -> datetime | None:
    """Return when a target falls due, while its clock runs."""
    found = state.clocks.get(clock)
    return found.deadline.due_at if found is not None and found.running else None


def _count(event: e.Event) -> int:
    match event:
        case e.ProblemProposed(count=count) | e.Flapped(changes=count):
            return count
    return 0


def _name(who: str, directory: Directory) -> str:
    person = directory.people.get(who)
    return person.name if person else who
