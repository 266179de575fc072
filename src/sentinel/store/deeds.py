"""What people did, newest first: events of incidents and lines of the ledger that name who, and silences."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.sql.elements import ColumnElement

from sentinel.store.plain_rows import Deed
from sentinel.store.tables import ledger, log, silence

SILENCES_MAX: Final = 500
LOGS: Final[tuple[tuple[Literal["event", "line"], Table, Column[str]], ...]] = (
    ("event", log, log.c.incident),
    ("line", ledger, ledger.c.stream),
)


def newest(connection: Connection, before: datetime, limit: int, by: str) -> tuple[list[Deed], datetime | None]:
    """Return what somebody did before a moment, as far as ``limit`` rows of each log go, and until when that is.

    What was done at that moment may be missing; nothing is said when both logs were read to their beginnings.
    """
    found: list[Deed] = []
    ends: list[datetime] = []
    for kind, table, where in LOGS:
        # The index gives the newest; who did them is looked for among these alone, however long the log is.
        looked = (
            select(where.label("where"), table.c.at, table.c.body)
            .where(table.c.at < before)
            .order_by(table.c.at.desc())
            .limit(limit)
        ).subquery()
        count, last = connection.execute(select(func.count(), func.min(looked.c.at))).one()
        if count == limit:
            ends.append(last)
        named = select(looked).where(_names(looked.c.body, by)).order_by(looked.c.at.desc())
        found += [Deed(kind, *_plain(row)) for row in connection.execute(named)]
    silences = select(silence.c.id, silence.c.ends_at, silence.c.body).where(_names(silence.c.body, by))
    kept = connection.execute(silences.order_by(silence.c.ends_at.desc()).limit(SILENCES_MAX))
    return found + [Deed("silence", *_plain(row)) for row in kept], max(ends, default=None)


def _plain(row: tuple[str, datetime, str]) -> tuple[str, datetime, bytes]:
    where, at, body = row
    return where, at, body.encode()


def _names(body: ColumnElement[str], by: str) -> ColumnElement[bool]:
    """Return what holds of a body that says who did it, as facts are written: without blanks."""
    return body.contains(f'by":{json.dumps(by, ensure_ascii=False)}' if by else 'by":"', autoescape=True)
