"""What people put over the turns of rotas at run time: plain rows, none of which is ever deleted."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, select

from sentinel.core.rota import Entry
from sentinel.store import rows
from sentinel.store.tables import rota_entry

# The newest ones: more than two centuries of weeks.
ENTRIES_MAX = 10_000

PUT = rows.ForDialect(lambda dialect: rows.upsert(dialect, rota_entry, ("id",)))
NEWEST = select(rota_entry.c.body).order_by(rota_entry.c.made_at.desc(), rota_entry.c.id.desc()).limit(ENTRIES_MAX)

_entry = msgspec.json.Decoder(Entry)


def put(connection: Connection, entry: Entry, dialect: str) -> None:
    """Keep an entry, or change the one of its id."""
    assert entry.id, "an entry that is kept has an id"
    body = msgspec.json.encode(entry).decode()
    values = {"id": entry.id, "rota": entry.rota, "made_at": entry.made_at, "body": body}
    connection.execute(PUT[dialect], values)


def entries(connection: Connection) -> list[Entry]:
    """Return the entries in the order in which they were made, those undone among them."""
    return [_entry.decode(body) for body in connection.execute(NEWEST).scalars()][::-1]
