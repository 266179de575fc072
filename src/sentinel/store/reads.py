"""Reading incidents, and forgetting old ones."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select

from sentinel.core import events as e
from sentinel.core.folding import fold
from sentinel.core.state import Incident
from sentinel.store import plain, rows
from sentinel.store.base import Recorded, Services
from sentinel.store.tables import counter, incident, log, outbox, ticket

COUNTER = "incident"
# Incidents that one transaction forgets: others wait for less than a second.
PRUNE_MAX = 500

KEPT = select(incident.c.number, incident.c.sequence, incident.c.snapshot)
UNFINISHED = KEPT.where(incident.c.closed_at.is_(None)).order_by(incident.c.ordinal)
SINCE = (
    select(log.c.sequence, log.c.body)
    .where(log.c.incident == bindparam("number"), log.c.sequence > bindparam("after"))
    .order_by(log.c.sequence)
)


def states(connection: Connection, found: Iterable[Any]) -> list[Incident]:
    """Return the incidents of rows of ``KEPT``: the snapshot of each, and what has happened since it was written."""
    return [_caught_up(connection, row) for row in found]


def _caught_up(connection: Connection, row: Any) -> Incident:
    state = rows.to_incident(row.snapshot)
    if state.sequence >= row.sequence:
        return state
    since = connection.execute(SINCE, {"number": row.number, "after": state.sequence})
    return fold(state, (e.decode(one.body.encode()) for one in since))


def unfinished(connection: Connection) -> list[Incident]:
    """Return the incidents that are neither closed nor merged, oldest first."""
    return states(connection, connection.execute(UNFINISHED).all())


def one(connection: Connection, number: str) -> Incident | None:
    """Return one incident, whatever its phase."""
    row = connection.execute(KEPT.where(incident.c.number == number)).one_or_none()
    return _caught_up(connection, row) if row is not None else None


def newest(
    connection: Connection, limit: int, before: str, asked: tuple[Iterable[str], Services, str]
) -> list[Incident]:
    """Return incidents, newest first, of these phases, this service and faults that begin so, where they are named."""
    phases, service, fault = asked
    statement = KEPT.order_by(incident.c.ordinal.desc()).limit(limit)
    if before:
        statement = statement.where(incident.c.ordinal < rows.ordinal(before))
    if wanted := tuple(phases):
        statement = statement.where(incident.c.phase.in_(wanted))
    if service:
        statement = statement.where(incident.c.service.in_((service,) if isinstance(service, str) else service))
    if fault:
        statement = statement.where(incident.c.dedup.startswith(fault, autoescape=True))
    return states(connection, connection.execute(statement).all())


def openings(connection: Connection, since: datetime) -> list[tuple[str, datetime]]:
    """Return the fault of each incident opened since a moment, and when; those merged into another are that one."""
    statement = select(incident.c.dedup, incident.c.opened_at).where(incident.c.opened_at >= since)
    found = connection.execute(statement.where(incident.c.phase != "merged").order_by(incident.c.ordinal))
    return [(row.dedup, row.opened_at) for row in found]


def last_number(connection: Connection) -> int:
    """Return the highest number that an incident ever had."""
    newest_kept = connection.execute(select(func.max(incident.c.ordinal))).scalar_one() or 0
    pruned = connection.execute(select(counter.c.highest).where(counter.c.name == COUNTER)).scalar_one_or_none() or 0
    return max(newest_kept, pruned)


def timeline(connection: Connection, number: str) -> list[Recorded]:
    """Return all events of an incident in order."""
    statement = select(log).where(log.c.incident == number).order_by(log.c.sequence)
    return [rows.to_recorded(row) for row in connection.execute(statement)]


def prune(connection: Connection, before: datetime, dialect: str) -> int:
    """Forget up to ``PRUNE_MAX`` incidents that were over before that, but never their numbers; return how many."""
    old = select(incident.c.number).where(incident.c.closed_at < before).order_by(incident.c.ordinal).limit(PRUNE_MAX)
    numbers = connection.execute(old).scalars().all()
    if not numbers:
        return 0
    for name, highest in ((COUNTER, last_number(connection)), (plain.COUNTER, plain.last_number(connection))):
        connection.execute(rows.upsert(dialect, counter, ("name",)), {"name": name, "highest": highest})
    connection.execute(delete(log).where(log.c.incident.in_(numbers)))
    connection.execute(delete(outbox).where(outbox.c.incident.in_(numbers)))
    connection.execute(delete(ticket).where(ticket.c.key.in_(numbers)))
    connection.execute(delete(incident).where(incident.c.number.in_(numbers)))
    return len(numbers)
