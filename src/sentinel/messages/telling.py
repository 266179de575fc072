"""An event becomes the notice to one person: what is stored in the outbox, in the same transaction as the event."""

from __future__ import annotations

import msgspec

from sentinel.core import events as e
from sentinel.core.effects import Notify
from sentinel.core.escalation import UNANSWERED
from sentinel.core.model import Directory
from sentinel.core.state import Incident
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
}

_encoder = msgspec.json.Encoder()


def envelope(state: Incident, notify: Notify, *, directory: Directory, services: dict[str, str], url: str) -> bytes:
    """Write down all that is needed to tell someone of an event, as JSON of a ``Notice``."""
    return _encoder.encode(notice(state, notify, directory=directory, services=services, url=url))


def notice(state: Incident, notify: Notify, *, directory: Directory, services: dict[str, str], url: str) -> Notice:
    """Return what there is to tell; ``services`` maps a service to its name, ``url`` is where pages are found."""
    event = notify.event
    failing = state.failing()
    signal = failing[-1] if failing else next(iter(state.signals.values())).signal
    return Notice(
        id=notify.message,
        kind=_kind(state, event),
        at=event.at,
        incident=state.number,
        title=state.title,
        service=services.get(state.service, state.service),
        priority=state.priority,
        level=state.level,
        severity=state.severity,
        cause_class=state.cause_class,
        detail=signal.detail,
        reason=signal.reason,
        opened_at=state.opened_at,
        since=state.t0,
        by=_name(getattr(event, "by", ""), directory),
        text=_text(event),
        assignee=_name(state.acknowledged_by, directory),
        step=event.step if isinstance(event, e.Escalated) else 0,
        incident_url=f"{url.rstrip('/')}/incidents/{state.number}" if url else "",
        runbook=state.plan.runbook,
        ticket=state.ticket,
        sequence=notify.sequence,
    )


def _kind(state: Incident, event: e.Event) -> NoticeKind:
    if isinstance(event, e.NotTold):
        event = _retold(state, event)
    if isinstance(event, e.Escalated):
        if event.repeat:
            return "repeated"
        return "opened" if event.step == 0 else "escalated"
    if isinstance(event, e.Held):
        return "held" if event.on else "released"
    if isinstance(event, e.Exhausted) and event.why == UNANSWERED:
        return "unanswered"
    return KINDS.get(type(event), "opened")


def _retold(state: Incident, missed: e.NotTold) -> e.Event:
    """A message by another way says that the incident is as it is now."""
    if state.phase == "resolved":
        return e.Resolved(at=missed.at, by=state.resolved_by, text=state.resolution, close_by=missed.at)
    return e.Escalated(at=missed.at, step=0, repeat=0, due_at=missed.at, why="")


def _text(event: e.Event) -> str:
    match event:
        case e.Resolved(automatic=True):
            return ""  # That the probes are good again is what a recovery says anyway, in the reader's language.
        case e.Resolved(text=text) | e.Noted(text=text):
            return text
        case e.Reopened(why=why) | e.Closed(why=why):
            return why
        case e.Merged(into=into):
            return into
        case e.Absorbed(number=number):
            return number
    return ""


def _name(who: str, directory: Directory) -> str:
    person = directory.people.get(who)
    return person.name if person else who
