"""What people did, newest first: events of incidents and lines of the ledger that name who, and silences."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Connection, select
from sqlalchemy.sql.elements import ColumnElement

from sentinel.store.plain_rows import Deed
from sentinel.store.tables import ledger, log, silence

SILENCES_MAX: Final = 500


def newest(connection: Connection, before: datetime, limit: int, by: str) -> list[Deed]:
    """Return what somebody did before a moment. There is no index for it: few ask, and it reads the logs whole."""
    events = select(log.c.incident, log.c.at, log.c.body).where(log.c.at < before, _names(log.c.body, by))
    lines = select(ledger.c.stream, ledger.c.at, ledger.c.body).where(ledger.c.at < before, _names(ledger.c.body, by))
    silences = select(silence.c.id, silence.c.ends_at, silence.c.body).where(_names(silence.c.body, by))
    found = [Deed("event", *_plain(row)) for row in connection.execute(events.order_by(log.c.at.desc()).limit(limit))]
    written = connection.execute(lines.order_by(ledger.c.at.desc()).limit(limit))
    found += [Deed("line", *_plain(row)) for row in written]
    kept = connection.execute(silences.order_by(silence.c.ends_at.desc()).limit(SILENCES_MAX))
    return found + [Deed("silence", *_plain(row)) for row in kept]


def _plain(row: tuple[str, datetime, str]) -> tuple[str, datetime, bytes]:
    where, at, body = row
    return where, at, body.encode()


def _names(body: Column[str], by: str) -> ColumnElement[bool]:
    """Return what holds of a body that says who did it, as facts are written: without blanks."""
    return body.contains(f'by":{json.dumps(by, ensure_ascii=False)}' if by else 'by":"', autoescape=True)
