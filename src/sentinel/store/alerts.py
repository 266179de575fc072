"""Alerts of other tools that fire: plain rows, gone when the alert is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, select

from sentinel.core.alerts import Alert
from sentinel.store import rows
from sentinel.store.tables import alert

_decoder = msgspec.json.Decoder(Alert)
_encoder = msgspec.json.Encoder()

PUT = rows.ForDialect(lambda dialect: rows.upsert(dialect, alert, ("fingerprint",)))
DROP = delete(alert).where(alert.c.fingerprint == bindparam("b_fingerprint"))


def firing(connection: Connection) -> list[Alert]:
    """Return every alert, in the order of their fingerprints."""
    found = connection.execute(select(alert.c.body).order_by(alert.c.fingerprint)).scalars()
    return [_decoder.decode(body) for body in found]


def put(connection: Connection, alerts: Sequence[Alert], gone: Iterable[str], dialect: str) -> None:
    """Keep alerts as they are now, and let go of those that are over."""
    if dropped := [{"b_fingerprint": fingerprint} for fingerprint in gone]:
        connection.execute(DROP, dropped)
    if alerts:
        written = [{"fingerprint": one.fingerprint, "body": _encoder.encode(one).decode()} for one in alerts]
        connection.execute(PUT[dialect], written)
