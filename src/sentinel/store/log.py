"""Writing the log of incidents: events in their place, and beside them the projection that lists and timers read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from sentinel.core.incident import wake_at
from sentinel.core.state import Incident
from sentinel.store import rows
from sentinel.store.base import Conflict, Recorded, Write
from sentinel.store.tables import incident, log

# On PostgreSQL the row is locked until the commit, so that of two writers one waits and then sees the other's event.
HEAD = select(incident.c.sequence, incident.c.hash).where(incident.c.number == bindparam("b_number")).with_for_update()
OPEN = insert(incident)
ADVANCE = update(incident).where(
    incident.c.number == bindparam("b_number"), incident.c.sequence == bindparam("b_sequence")
)
APPEND = insert(log)


def append(connection: Connection, write: Write) -> None:
    """Write the events of one transaction and the incidents that they lead to.

    Raises:
        Conflict: an incident is not where the events say that it is.
    """
    events: dict[str, list[Recorded]] = defaultdict(list)
    for recorded in write.events:
        events[recorded.number].append(recorded)
    states = {state.number: state for state in write.incidents}
    assert events.keys() <= states.keys(), "events come with the incident that they lead to"
    # In one order everywhere: two writers on PostgreSQL cannot wait for each other.
    for number in sorted(states):
        _advance(connection, states[number], events[number], write)


def _advance(connection: Connection, state: Incident, events: Sequence[Recorded], write: Write) -> None:
    """Write one incident and its new events."""
    before = state.sequence - len(events)
    expected = list(range(before + 1, state.sequence + 1))
    assert [recorded.sequence for recorded in events] == expected, "events follow each other up to their incident"
    head = _head(connection, state.number, before)
    fresh: list[dict[str, Any]] = []
    for recorded in events:
        fresh.append(rows.from_event(recorded, head))
        head = fresh[-1]["hash"]
    due = write.wake_at[state.number] if state.number in write.wake_at else wake_at(state)
    row = rows.from_incident(state, head, due)
    try:
        if before == 0:
            connection.execute(OPEN, row)
        else:
            del row["number"]
            connection.execute(ADVANCE, {**row, "b_number": state.number, "b_sequence": before})
        if fresh:
            connection.execute(APPEND, fresh)
    except IntegrityError as error:
        raise Conflict(f"{state.number}: somebody else wrote event {before + 1} first.") from error


def _head(connection: Connection, number: str, before: int) -> str:
    """Return the hash to go on from.

    Raises:
        Conflict: the log does not end at ``before``.
    """
    head = connection.execute(HEAD, {"b_number": number}).one_or_none()
    if (head.sequence if head else 0) != before:
        raise Conflict(
            f"{number}: event {before + 1} does not come next; the log ends at {head.sequence if head else 0}."
        )
    return str(head.hash) if head else ""
