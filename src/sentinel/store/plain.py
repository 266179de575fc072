"""The built-in tickets, silences and heartbeats: plain rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from sentinel.core.matching import Silence
from sentinel.core.pings import Heard
from sentinel.store import rows
from sentinel.store.tables import counter, heartbeat, silence, ticket
from sentinel.tickets.base import Ticket, TicketReference

PREFIX = "T-"
COUNTER = "ticket"
TOUCHED = "touched"  # No counter: the unix time of the last write that only proved that writing works.

_ticket = msgspec.json.Decoder(Ticket)
_silence = msgspec.json.Decoder(Silence)
_heard = msgspec.json.Decoder(Heard)

# Asked every few seconds: writing the statement anew each time costs more than the answer.
SILENCES = select(silence.c.body).where(silence.c.ends_at > bindparam("now")).order_by(silence.c.ends_at, silence.c.id)
PUT_SILENCE = rows.ForDialect(lambda dialect: rows.upsert(dialect, silence, ("id",)))
PUT_HEARTBEAT = rows.ForDialect(lambda dialect: rows.upsert(dialect, heartbeat, ("name",)))


def put_ticket(connection: Connection, wanted: Ticket, at: datetime) -> TicketReference:
    """Open a ticket under the next number, or bring the one of the same key in line (rule DSP-2)."""
    body = msgspec.json.encode(wanted).decode()
    number = connection.execute(select(ticket.c.ordinal).where(ticket.c.key == wanted.key)).scalar_one_or_none()
    if number is None:
        number = last_number(connection) + 1
        connection.execute(
            insert(ticket), {"ordinal": number, "key": wanted.key, "body": body, "opened_at": at, "updated_at": at}
        )
    else:
        change = update(ticket).where(ticket.c.ordinal == bindparam("b_ordinal"))
        connection.execute(change, {"b_ordinal": number, "body": body, "updated_at": at})
    return TicketReference(f"{PREFIX}{number}")


def last_number(connection: Connection) -> int:
    """Return the highest number that a ticket ever had."""
    newest = connection.execute(select(func.max(ticket.c.ordinal))).scalar_one() or 0
    pruned = connection.execute(select(counter.c.highest).where(counter.c.name == COUNTER)).scalar_one_or_none() or 0
    return max(newest, pruned)


def of_incident(connection: Connection, key: str) -> tuple[TicketReference, Ticket] | None:
    """Return the ticket of an incident."""
    row = connection.execute(select(ticket).where(ticket.c.key == key)).one_or_none()
    return _read(row) if row else None


def newest(connection: Connection, limit: int) -> list[tuple[TicketReference, Ticket]]:
    """Return tickets, newest first."""
    return [_read(row) for row in connection.execute(select(ticket).order_by(ticket.c.ordinal.desc()).limit(limit))]


def _read(row: Row[Any]) -> tuple[TicketReference, Ticket]:
    return TicketReference(f"{PREFIX}{row.ordinal}"), _ticket.decode(row.body)


def silences(connection: Connection, now: datetime) -> list[Silence]:
    """Return silences that have not ended, the one that ends first first."""
    return [_silence.decode(body) for body in connection.execute(SILENCES, {"now": now}).scalars()]


def silences_known(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of some ids that a silence has or had."""
    return set(connection.execute(select(silence.c.id).where(silence.c.id.in_(ids))).scalars())


def forget_silences(connection: Connection, before: datetime) -> None:
    """Forget silences that had ended before a moment."""
    connection.execute(delete(silence).where(silence.c.ends_at < before))


def put_silence(connection: Connection, wanted: Silence, dialect: str) -> None:
    """Add a silence, or change the one of its id."""
    body = msgspec.json.encode(wanted).decode()
    connection.execute(PUT_SILENCE[dialect], {"id": wanted.id, "ends_at": wanted.ends_at, "body": body})


def heartbeats(connection: Connection) -> dict[str, Heard]:
    """Return what is known of each heartbeat."""
    return {
        row.name: _heard.decode(row.body) if row.body else Heard(at=row.at, failure=row.failure)
        for row in connection.execute(select(heartbeat))
    }


def put_heartbeat(connection: Connection, name: str, at: datetime, heard: Heard, dialect: str) -> None:
    """Remember what is known of a heartbeat after a call."""
    body = msgspec.json.encode(heard).decode()
    # `body` says all of it; the column `failure` is read in rows of the first version only.
    connection.execute(PUT_HEARTBEAT[dialect], {"name": name, "at": at, "failure": "", "body": body})


def touch(connection: Connection, at: datetime, dialect: str) -> None:
    """Write the moment into the row that is kept for that."""
    values = {"name": TOUCHED, "highest": int(at.timestamp())}
    connection.execute(rows.upsert(dialect, counter, ("name",)), values)


def touched(connection: Connection) -> int | None:
    """Return the unix time in the row that is kept for that."""
    found: int | None = connection.execute(select(counter.c.highest).where(counter.c.name == TOUCHED)).scalar()
    return found
