"""Answers that are given again when a request is repeated: the key is taken before anything is done."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from sentinel.store import rows
from sentinel.store.tables import answer

TAKE = rows.ForDialect(lambda dialect: rows.inserting(dialect, answer).on_conflict_do_nothing().returning(answer.c.key))


def take(
    connection: Connection, key: str, fingerprint: str, at: datetime, dialect: str
) -> tuple[bool, str, bytes | None]:
    """Take a key; return whether it was free, the fingerprint of who has it, and the answer if there is one."""
    # Not the count of rows: with PostgreSQL it is not told for such a statement.
    taken = connection.execute(TAKE[dialect], {"key": key, "fingerprint": fingerprint, "at": at, "body": None}).first()
    row = connection.execute(select(answer.c.fingerprint, answer.c.body).where(answer.c.key == key)).one()
    return taken is not None, row.fingerprint, row.body


def keep(connection: Connection, key: str, body: bytes) -> None:
    """Keep the answer of a key."""
    connection.execute(update(answer).where(answer.c.key == key).values(body=body))


def drop(connection: Connection, key: str) -> None:
    """Let a key go: nothing was done."""
    connection.execute(delete(answer).where(answer.c.key == key))


def forget(connection: Connection, before: datetime) -> None:
    """Forget keys that were taken before a moment."""
    connection.execute(delete(answer).where(answer.c.at < before))


def count(connection: Connection) -> int:
    """Return how many keys are taken."""
    return int(connection.execute(select(func.count()).select_from(answer)).scalar_one())
