"""Alerts, requests and heartbeats as Opsgenie's clients see them, put together from what is kept and its incident."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sentinel.core.model import Directory
from sentinel.core.state import Incident
from sentinel.intake.opsgenie.book import Book
from sentinel.intake.opsgenie.meaning import PRIORITY_OF
from sentinel.intake.opsgenie.records import Beat, Entry, Kept, Outcome, Responder

# What one in a list has not; see `alert`.
OF_ONE: Final = ("actions", "entity", "description", "details")
# What is there for queries only.
UNSEEN: Final = ("times", "named")
_NAMES: Final = uuid.UUID("6f1c2b1e-0000-5000-8000-736e746c6f67")


def identifier(kind: str, name: str) -> str:
    """Return the id of something that has only a name: the same each time."""
    return str(uuid.uuid5(_NAMES, f"{kind}/{name}"))


def alert(book: Book, kept: Kept, directory: Directory) -> dict[str, Any]:
    """Return all of an alert, and what queries look at besides."""
    state = book.incident(kept)
    is_open = book.is_open(kept)
    taken = state is not None and bool(state.acknowledged_by)
    snoozed = is_open and kept.snoozed_until is not None and kept.snoozed_until > book.clock.now()
    times = {"createdAt": kept.created_at, "updatedAt": _updated(kept, state), "lastOccurredAt": kept.last_at}
    shown: dict[str, Any] = {
        "id": kept.id,
        "tinyId": str(kept.tiny),
        "alias": kept.alias,
        "message": kept.message,
        "status": "open" if is_open else "closed",
        "acknowledged": taken,
        "isSeen": taken,
        "seen": taken,
        "tags": kept.tags,
        "snoozed": snoozed,
        "count": kept.count,
        **{name: written(at) for name, at in times.items()},
        "source": kept.source,
        "owner": _owner(kept, state, directory),
        "ownerTeamId": "",
        "priority": _priority(kept, state),
        "teams": [{"id": _id(one)} for one in kept.responders if one.type == "team"],
        "responders": [{"type": one.type, "id": _id(one)} for one in kept.responders],
        "integration": {
            "id": identifier("integration", kept.integration),
            "name": kept.integration,
            "type": "API",
        },
        "report": _report(kept, state, directory),
        "actions": kept.actions,
        "entity": kept.entity,
        "description": kept.description,
        "details": kept.details,
        "times": {name: _ms(at) for name, at in times.items()},
        "named": [{"type": one.type, "name": one.name, "username": one.username} for one in kept.responders],
    }
    if snoozed and kept.snoozed_until is not None:
        shown["snoozedUntil"] = written(kept.snoozed_until)
        shown["times"]["snoozedUntil"] = _ms(kept.snoozed_until)
    return shown


def one(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alert as it is shown alone."""
    return {name: value for name, value in shown.items() if name not in UNSEEN}


def brief(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alert as it is shown in a list."""
    return {name: value for name, value in one(shown).items() if name not in OF_ONE}


def _id(one: Responder) -> str:
    return one.id or identifier(one.type, one.called)


def _updated(kept: Kept, state: Incident | None) -> datetime:
    return max(kept.updated_at, state.updated_at) if state is not None else kept.updated_at


def _priority(kept: Kept, state: Incident | None) -> str:
    """Return its priority; where people or rules have given the incident another one, that."""
    if state is None or not state.active or PRIORITY_OF[kept.priority] == state.priority:
        return kept.priority
    return state.priority


def _owner(kept: Kept, state: Incident | None, directory: Directory) -> str:
    name = kept.owner or (state.acknowledged_by if state is not None else "")
    return username(name, directory)


def username(name: str, directory: Directory) -> str:
    """Return the mail address of a person, by which Opsgenie knows people; any other name as it is."""
    person = directory.people.get(name)
    return person.addresses.get("email", "") or person.name if person is not None else name


def _report(kept: Kept, state: Incident | None, directory: Directory) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if state is not None and state.acknowledged_at is not None and state.acknowledged_by:
        found["ackTime"] = _spent(kept, state.acknowledged_at)
        found["acknowledgedBy"] = username(state.acknowledged_by, directory)
    closed_at, by = kept.closed_at, kept.closed_by
    if closed_at is None and state is not None and not state.active:
        closed_at, by = state.resolved_at, state.resolved_by
    if closed_at is not None:
        found["closeTime"] = _spent(kept, closed_at)
        found["closedBy"] = username(by, directory) or "Sentinel"
    return found


def _spent(kept: Kept, at: datetime) -> int:
    return max(0, _ms(at) - _ms(kept.created_at))


def outcome(found: Outcome) -> dict[str, Any]:
    """Return what came of a request."""
    return {
        "success": found.success,
        "isSuccess": found.success,
        "action": found.action,
        "processedAt": written(found.at),
        "integrationId": identifier("integration", found.integration),
        "status": found.status,
        "alertId": found.alert,
        "alias": found.alias,
    }


def entry(found: Entry) -> dict[str, Any]:
    """Return a note or a line of the log."""
    said = {"note": found.text} if found.note else {"log": found.text, "type": "system"}
    return {**said, "owner": found.owner or "System", "createdAt": written(found.at), "offset": str(found.number)}


def beat(found: Beat) -> dict[str, Any]:
    """Return a heartbeat."""
    shown: dict[str, Any] = {
        "name": found.name,
        "description": found.description,
        "interval": found.interval,
        "intervalUnit": found.unit,
        "enabled": found.enabled,
        "expired": found.expired_at is not None,
        "alertTags": found.tags,
        "alertPriority": found.priority,
        "alertMessage": found.message or f"{found.name} is expired",
    }
    if found.pinged_at is not None:
        shown["lastPingTime"] = written(found.pinged_at)
    if found.team is not None:
        shown["ownerTeam"] = {"id": _id(found.team), "name": found.team.name}
    return shown


def written(moment: datetime) -> str:
    """Write a moment: UTC, with milliseconds."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
