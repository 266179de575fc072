"""An incident becomes the ticket that shows it: what is needed to work on it, the timeline as notes (DSP-2)."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel.core import events as e
from sentinel.core.model import Page
from sentinel.core.state import Incident
from sentinel.tickets.base import Ticket

NOTES_MAX = 500


def draft(state: Incident, timeline: Iterable[tuple[int, e.Event]], url: str, backend: str = "") -> Ticket:
    """Return the ticket of an incident as it is now; what was said in that back-end is not said there again."""
    signal = next(iter(state.signals.values())).signal
    lines = [signal.detail or state.title, f"Opened by rule “{state.rule}”; T0 {state.t0:%Y-%m-%d %H:%M:%S} UTC."]
    if state.plan.runbook:
        lines.append(f"Runbook: {state.plan.runbook}")
    notes = [
        (sequence, told)
        for sequence, event in timeline
        if not (isinstance(event, e.Noted) and event.source.startswith(f"{backend}:")) and (told := line(event))
    ]
    return Ticket(
        key=state.number,
        title=state.title,
        state=state.phase,
        priority=state.priority,
        level=state.level,
        severity=state.severity,
        service=state.service,
        description="\n".join(lines),
        opened_at=state.opened_at.isoformat(),
        notes=tuple(notes[-NOTES_MAX:]),
        resolution=state.resolution,
        links=(f"{url.rstrip('/')}/incidents/{state.number}",) if url else (),
    )


def line(event: e.Event) -> str:
    """Return an event as a line for people; empty for what they need not read in a ticket."""
    when = f"{event.at:%Y-%m-%d %H:%M:%S} UTC"
    match event:
        case e.Opened(signal=signal):
            return f"{when}  opened: {signal.title} ({signal.detail or signal.reason or signal.source})"
        case e.SignalJoined(signal=signal):
            return f"{when}  also failing: {signal.title} ({signal.detail or signal.reason})"
        case e.SignalCleared(text=text):
            return f"{when}  recovered: {text}"
        case e.Raised(level=level, priority=priority, rule=rule):
            return f"{when}  raised to level {level}, {priority}, by rule “{rule}”"
        case e.Escalated(by=by, why=why, tell=tell):
            asked = f", asked for by {by}: {why}" if by else ""
            return f"{when}  step {event.place + 1} of the escalation: {_people(tell)}{asked}"
        case e.Acknowledged(by=by, via=via):
            return f"{when}  acknowledged by {by} ({via})"
        case e.HandedBack(by=by, whose=whose, why=why):
            return f"{when}  handed back by {by}; {whose} had it{f': {why}' if why else ''}"
        case e.Assigned(by=by, to=to, why=why):
            return f"{when}  given to {to} by {by}{f': {why}' if why else ''}"
        case e.Noted(by=by, text=text):
            return f"{when}  {by}: {text}"
        case e.Resolved(by=by, text=text):
            return f"{when}  resolved{f' by {by}' if by else ''}: {text}"
        case e.Reopened(by=by, why=why):
            return f"{when}  reopened by {by}: {why}"
        case e.Closed(by=by, why=why):
            return f"{when}  closed{f' by {by}' if by else ''}: {why}"
        case e.Merged(by=by, into=into):
            return f"{when}  merged into {into} by {by}"
        case e.Absorbed(by=by, number=number):
            return f"{when}  {number} was merged into this by {by}"
        case e.Pended(by=by, whom=whom, ask=ask):
            return f"{when}  {by} waits for {whom}: {ask}"
        case e.Resumed(by=by, text=text):
            return f"{when}  resumed by {by}{f': {text}' if text else ''}"
        case e.WorkaroundProposed(by=by, text=text):
            return f"{when}  workaround proposed by {by}: {text}"
        case e.Published(by=by, fr=fr, en=en):
            return f"{when}  told customers, by {by}: {fr or en}"
        case e.Recategorised(by=by, why=why, level=level, priority=priority):
            return f"{when}  recategorised by {by} to level {level}, {priority}: {why}"
        case e.Cascaded(by=by, why=why, level=level):
            return f"{when}  taken to level {level}{f' by {by}' if by else ''}: {why}"
        case e.TargetMissed(clock=clock, due_at=due_at):
            return f"{when}  target missed: {clock} was due {due_at:%Y-%m-%d %H:%M:%S} UTC"
        case e.OutageExceeded(began_at=began_at):
            return f"{when}  the outage since {began_at:%Y-%m-%d %H:%M:%S} UTC lasts longer than is tolerated"
        case e.ChangeLinked(by=by, change=change, title=title):
            said = f"put down to change {change} {title}" if change else "not due to a change"
            return f"{when}  {said}{f', says {by}' if by else ''}"
        case e.IntegrityLost(began_at=began_at, detail=detail):
            return f"{when}  data is damaged since {began_at:%Y-%m-%d %H:%M:%S} UTC: {detail}"
        case e.Exhausted(why=why):
            return f"{when}  nobody could be reached: {why}"
    return ""


def _people(tell: Iterable[Page]) -> str:
    names = dict.fromkeys(page.person or page.channel for page in tell)
    return ", ".join(names) or "nobody"
