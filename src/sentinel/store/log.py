"""Writing the log of incidents: events in their place, and beside them the projection that lists and timers read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from sentinel.core.events import PASSING
from sentinel.core.incident import wake_at
from sentinel.core.state import Incident
from sentinel.store import rows
from sentinel.store.base import Conflict, Recorded, Write
from sentinel.store.tables import incident, log

# On PostgreSQL the rows are locked until the commit, so that of two writers one waits and then sees the other's event;
# in one order everywhere, so that two cannot wait for each other.
HEADS = (
    select(incident.c.number, incident.c.sequence, incident.c.hash)
    .where(incident.c.number.in_(bindparam("numbers", expanding=True)))
    .order_by(incident.c.number)
    .with_for_update()
)
OPEN = insert(incident)
ADVANCE = update(incident).where(
    incident.c.number == bindparam("b_number"), incident.c.sequence == bindparam("b_sequence")
)
APPEND = insert(log)

TOGETHER_MAX = 500  # Numbers asked for at once: databases limit the parameters of a statement.
SIGNALS_MANY = 32


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
    heads = _heads(connection, sorted(states))
    opened: list[dict[str, Any]] = []
    advanced: list[dict[str, Any]] = []
    projected: list[dict[str, Any]] = []
    logged: list[dict[str, Any]] = []
    for number in sorted(states):
        state, before = states[number], states[number].sequence - len(events[number])
        head = _after(number, before, heads)
        due = write.wake_at[number] if number in write.wake_at else wake_at(state)
        fresh = _chained(state, events[number], before, head)
        logged += fresh
        row = rows.from_incident(state, fresh[-1]["hash"] if fresh else head, due, whole=whole(state, events[number]))
        if before == 0:
            opened.append(row)
        else:
            del row["number"]
            (advanced if "snapshot" in row else projected).append({**row, "b_number": number, "b_sequence": before})
    try:
        for statement, wanted in ((OPEN, opened), (ADVANCE, advanced), (ADVANCE, projected), (APPEND, logged)):
            if wanted:
                connection.execute(statement, wanted)
    except IntegrityError as error:
        raise Conflict(f"{', '.join(sorted(states))}: somebody else wrote the next event first.") from error


def whole(state: Incident, events: Sequence[Recorded]) -> bool:
    """Tell whether a state is written whole, rather than left to the last one written and the events since.

    An incident of many signals is long, and each signal that comes changes a line of it. While nothing else happens it
    is written each time that a share of its signals has come or gone: what is written for each stays the same however
    many there are.
    """
    if len(state.signals) < SIGNALS_MANY or not all(isinstance(one.event, PASSING) for one in events):
        return True
    every: int = 1 << (len(state.signals).bit_length() - 2)  # A quarter to a half of them.
    return (state.sequence - len(events)) // every != state.sequence // every


def _chained(state: Incident, events: Sequence[Recorded], before: int, head: str) -> list[dict[str, Any]]:
    """Return the rows of the new events of an incident."""
    expected = list(range(before + 1, state.sequence + 1))
    assert [recorded.sequence for recorded in events] == expected, "events follow each other up to their incident"
    fresh: list[dict[str, Any]] = []
    for recorded in events:
        fresh.append(rows.from_event(recorded, head))
        head = fresh[-1]["hash"]
    return fresh


def _heads(connection: Connection, numbers: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return for each incident that is there the number and the hash of its last event."""
    found: dict[str, tuple[int, str]] = {}
    for first in range(0, len(numbers), TOGETHER_MAX):
        asked = {"numbers": numbers[first : first + TOGETHER_MAX]}
        found.update({row.number: (row.sequence, row.hash) for row in connection.execute(HEADS, asked)})
    return found


def _after(number: str, before: int, heads: dict[str, tuple[int, str]]) -> str:
    """Return the hash to go on from.

    Raises:
        Conflict: the log does not end at ``before``.
    """
    sequence, head = heads.get(number, (0, ""))
    if sequence != before:
        raise Conflict(f"{number}: event {before + 1} does not come next; the log ends at {sequence}.")
    return head
