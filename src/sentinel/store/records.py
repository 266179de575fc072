"""What doors keep of their own: plain rows, told apart by a subject and a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, delete, select

from sentinel.store import rows
from sentinel.store.plain_rows import Record
from sentinel.store.tables import record

PUT = rows.ForDialect(lambda dialect: rows.upsert(dialect, record, ("subject", "name")))
DROP = delete(record).where(record.c.subject == bindparam("b_subject"), record.c.name == bindparam("b_name"))


def of_subject(connection: Connection, subject: str) -> list[Record]:
    """Return every record of a subject, in the order of their names."""
    found = select(record).where(record.c.subject == subject).order_by(record.c.name)
    return [Record(row.subject, row.name, row.body.encode()) for row in connection.execute(found)]


def put(connection: Connection, kept: Sequence[Record], gone: Iterable[tuple[str, str]], dialect: str) -> None:
    """Keep records as they are now, and let go of others."""
    dropped = [{"b_subject": subject, "b_name": name} for subject, name in gone]
    if dropped:
        connection.execute(DROP, dropped)
    if kept:
        written = [{"subject": one.subject, "name": one.name, "body": one.body.decode()} for one in kept]
        connection.execute(PUT[dialect], written)
