"""The tables: what must not be lost in one group, what probes saw in the other.

Moments are whole microseconds since 1970 in UTC: the same number, order and index in both databases.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TypeDecorator,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware ``datetime`` as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Write a moment of any time zone."""
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read a moment, in UTC; one that was damaged reads as the end of time, so that ``verify`` can name its row."""
        try:
            return None if value is None else EPOCH + timedelta(microseconds=value)
        except (OverflowError, TypeError):
            return END


class Line(TypeDecorator[str]):
    """Text in which PostgreSQL's one forbidden character cannot stop an incident from being written."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write text without NUL."""
        return None if value is None else plain(value)


def plain(value: str) -> str:
    """Return the text as a column keeps it."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value


# SQLite numbers rows by itself only in a column that says INTEGER.
Serial = BigInteger().with_variant(Integer, "sqlite")

# The revision of the migrations that makes each group: MAJOR.MINOR.
STATE = MetaData(info={"revision": "1.7"})
RESULTS = MetaData(info={"revision": "1.2"})

incident = Table(
    "incident",
    STATE,
    Column("number", Line, primary_key=True),
    Column("ordinal", BigInteger, nullable=False, unique=True),
    Column("dedup", Line, nullable=False),
    Column("service", Line, nullable=False),
    Column("phase", Line, nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("priority", Line, nullable=False),
    Column("title", Line, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("closed_at", Moment),
    Column("wake_at", Moment),
    Column("sequence", Integer, nullable=False),
    Column("hash", Line, nullable=False),
    Column("snapshot", Text, nullable=False),
)
Index(
    "incident_unfinished",
    incident.c.ordinal,
    sqlite_where=incident.c.closed_at.is_(None),
    postgresql_where=incident.c.closed_at.is_(None),
)
Index(
    "incident_wake",
    incident.c.wake_at,
    sqlite_where=incident.c.wake_at.is_not(None),
    postgresql_where=incident.c.wake_at.is_not(None),
)
Index("incident_service", incident.c.service, incident.c.ordinal)

# Append-only (rule LIF-9): nothing here updates a row, and only ``prune`` deletes whole incidents.
log = Table(
    "event",
    STATE,
    Column("incident", Line, ForeignKey("incident.number", name="event_incident"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("type", Line, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Line, nullable=False),
)

Index("event_newest", log.c.at)

outbox = Table(
    "outbox",
    STATE,
    Column("id", Line, primary_key=True),
    Column("kind", Line, nullable=False),
    Column("incident", Line, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("person", Line, nullable=False),
    Column("channel", Line, nullable=False),
    Column("urgency", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("due_at", Moment, nullable=False),
    Column("give_up_at", Moment, nullable=False),
    Column("state", Line, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("reference", Line, nullable=False),
    Column("error", Line, nullable=False),
    Column("settled_at", Moment),
)
# Rows still owed are few among all that were ever sent: these two hold only them, and answer without reading a body.
Index(
    "outbox_due",
    outbox.c.state,
    outbox.c.urgency.desc(),
    outbox.c.created_at,
    outbox.c.due_at,
    outbox.c.channel,
    sqlite_where=outbox.c.settled_at.is_(None),
    postgresql_where=outbox.c.settled_at.is_(None),
)
Index(
    "outbox_next",
    outbox.c.state,
    outbox.c.due_at,
    sqlite_where=outbox.c.settled_at.is_(None),
    postgresql_where=outbox.c.settled_at.is_(None),
)
Index("outbox_incident", outbox.c.incident, outbox.c.created_at)
Index("outbox_newest", outbox.c.kind, outbox.c.created_at)

ticket = Table(
    "ticket",
    STATE,
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("key", Line, nullable=False, unique=True),
    Column("body", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

silence = Table(
    "silence",
    STATE,
    Column("id", Line, primary_key=True),
    Column("ends_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
)

heartbeat = Table(
    "heartbeat",
    STATE,
    Column("name", Line, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("failure", Line, nullable=False),  # Of the rows that the first version wrote; `body` says all.
    Column("body", Text, nullable=False, server_default=""),
)

# Alerts of other tools that fire.
alert = Table(
    "alert",
    STATE,
    Column("fingerprint", Line, primary_key=True),
    Column("body", Text, nullable=False),
)

# Answers to requests that named a key; without a body it is not known what came of it.
answer = Table(
    "answer",
    STATE,
    Column("key", Line, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("fingerprint", Line, nullable=False),
    Column("body", LargeBinary, nullable=True),
)
Index("answer_oldest", answer.c.at)

# What doors keep of their own.
record = Table(
    "record",
    STATE,
    Column("subject", Line, primary_key=True),
    Column("name", Line, primary_key=True),
    Column("body", Text, nullable=False),
)

rota_entry = Table(
    "rota_entry",
    STATE,
    Column("id", Line, primary_key=True),
    Column("rota", Line, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
)

# Append-only too: what happens beside incidents, a stream for each change, matrix, problem.
ledger = Table(
    "ledger",
    STATE,
    Column("stream", Line, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("subject", Line, nullable=False),
    Column("at", Moment, nullable=False),
    Column("body", Text, nullable=False),
    Column("hash", Line, nullable=False),
)
Index("ledger_newest", ledger.c.at)
Index("ledger_subject", ledger.c.subject, ledger.c.stream, ledger.c.sequence)

# The highest numbers that pruning took away, so that none is ever given twice.
counter = Table(
    "counter",
    STATE,
    Column("name", Line, primary_key=True),
    Column("highest", BigInteger, nullable=False),
)

probe_state = Table(
    "probe_state",
    RESULTS,
    Column("probe", Line, primary_key=True),
    Column("target", Line, primary_key=True),
    Column("track", LargeBinary, nullable=False),
    Column("last", Text, nullable=False),
)

probe_event = Table(
    "probe_event",
    RESULTS,
    Column("id", Serial, primary_key=True),
    Column("probe", Line, nullable=False),
    Column("target", Line, nullable=False),
    Column("at", Moment, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("reason", Line, nullable=False),
    Column("detail", Line, nullable=False),
    Column("duration_s", Double, nullable=False),
)
Index("probe_event_newest", probe_event.c.probe, probe_event.c.at)

# A short number for a long pair of names: a sample is then a few bytes.
series = Table(
    "series",
    RESULTS,
    Column("id", Serial, primary_key=True),
    Column("probe", Line, nullable=False),
    Column("target", Line, nullable=False),
)
Index("series_names", series.c.probe, series.c.target, unique=True)

# No index and no key: a row more is a row appended, which is what keeps the log of 10,000 targets small.
sample_tail = Table(
    "sample_tail",
    RESULTS,
    Column("series", BigInteger, nullable=False),
    Column("at", Moment, nullable=False),
    Column("ok", Boolean, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
)

sample_chunk = Table(
    "sample_chunk",
    RESULTS,
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("packed", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
Index("sample_chunk_hour", sample_chunk.c.hour)

# How a day went, counted when its hours are packed; ``day`` is the number of a local day, as ``date.toordinal`` has it.
sample_day = Table(
    "sample_day",
    RESULTS,
    Column("series", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("runs", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# One row: the newest sample of every series at a moment, from which a start goes on through the tail.
sample_newest = Table(
    "sample_newest",
    RESULTS,
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("packed", LargeBinary, nullable=False),
)
