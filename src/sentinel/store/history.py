"""What happened in a time: the incidents that were there then, with what began and ended them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, or_, select

from sentinel.core import events as e
from sentinel.core.state import Incident
from sentinel.store import reads
from sentinel.store.tables import incident, log

# An incident is opened this much after its T0 at most, and what it was merged into lasts this much longer at most.
AROUND = timedelta(days=31)
TOGETHER_MAX = 500  # numbers asked for at once: databases limit the parameters of a statement

Told = tuple[Incident, list[e.Event]]

TURNS = (
    select(log)
    .where(log.c.incident.in_(bindparam("numbers", expanding=True)), log.c.type.in_(bindparam("kinds", expanding=True)))
    .order_by(log.c.incident, log.c.sequence)
)


def during(
    connection: Connection, begins_at: datetime, ends_at: datetime, kinds: Iterable[str], limit: int
) -> list[Told]:
    """Return incidents of all services that may have been there in a time, newest first, each with such events."""
    statement = (
        reads.KEPT.where(
            incident.c.opened_at < ends_at + AROUND,
            or_(incident.c.closed_at.is_(None), incident.c.closed_at >= begins_at - AROUND),
        )
        .order_by(incident.c.ordinal.desc())
        .limit(limit)
    )
    states = reads.states(connection, connection.execute(statement).all())
    happened: dict[str, list[e.Event]] = defaultdict(list)
    wanted = list(kinds)
    for first in range(0, len(states), TOGETHER_MAX):
        numbers = [state.number for state in states[first : first + TOGETHER_MAX]]
        for row in connection.execute(TURNS, {"numbers": numbers, "kinds": wanted}):
            happened[row.incident].append(e.decode(row.body.encode()))
    return [(state, happened[state.number]) for state in states]


def first_opened(connection: Connection) -> datetime | None:
    """Return when the oldest incident was opened that is still known."""
    oldest: datetime | None = connection.execute(
        select(func.min(incident.c.opened_at, type_=incident.c.opened_at.type))
    ).scalar_one()
    return oldest
