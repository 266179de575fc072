"""From the structs that Sentinel speaks of to the rows of the tables, and back."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Row, Table
from sqlalchemy.sql.dml import Insert

from sentinel.core import events as e
from sentinel.core.state import Incident
from sentinel.store.base import OutboxRow, Recorded

PREFIX = "INC-"

_incident = msgspec.json.Decoder(Incident)
_encoder = msgspec.json.Encoder()


def ordinal(number: str) -> int:
    """Return 42 for ``INC-42``, and 0 for what is no number of an incident."""
    digits = number.removeprefix(PREFIX)
    return int(digits) if number.startswith(PREFIX) and digits.isdecimal() and digits.isascii() else 0


def chained(before: str, number: str, sequence: int, body: str) -> str:
    """Return the hash of an event, which covers the hash of the one before and so the whole past (rule LIF-9)."""
    return hashlib.sha256(f"{before}\n{number}\n{sequence}\n{body}".encode(errors="surrogateescape")).hexdigest()


def from_event(recorded: Recorded, before: str) -> dict[str, Any]:
    """Return the row of an event that follows one with the hash ``before``."""
    body = e.encode(recorded.event).decode()
    return {
        "incident": recorded.number,
        "sequence": recorded.sequence,
        "at": recorded.event.at,
        "type": event_type(recorded.event),
        "body": body,
        "hash": chained(before, recorded.number, recorded.sequence, body),
    }


def event_type(event: e.Event) -> str:
    """Return the name that an event's kind has in the log."""
    return str(event.__struct_config__.tag)


def to_recorded(row: Row[Any]) -> Recorded:
    """Read a row of the log."""
    return Recorded(row.incident, row.sequence, e.decode(row.body.encode()), row.hash)


def from_incident(state: Incident, head: str, wake_at: datetime | None, *, whole: bool = True) -> dict[str, Any]:
    """Return the projection of an incident: what lists and timers look for, and a snapshot if it is ``whole``."""
    row = {
        "number": state.number,
        "ordinal": ordinal(state.number),
        "dedup": state.dedup,
        "service": state.service,
        "phase": state.phase,
        "level": state.level,
        "priority": state.priority,
        "title": state.title,
        "opened_at": state.opened_at,
        "updated_at": state.updated_at,
        "closed_at": state.closed_at
        if state.finished
        else None,  # What follows from it is waited for, also by a start.
        "wake_at": wake_at,
        "sequence": state.sequence,
        "hash": head,
    }
    if whole:
        row["snapshot"] = snapshot(state)
    return row


def snapshot(state: Incident) -> str:
    """Write an incident as JSON."""
    return _encoder.encode(state).decode()


def to_incident(text: str) -> Incident:
    """Read an incident from its snapshot."""
    return _incident.decode(text)


def from_outbox(row: OutboxRow) -> dict[str, Any]:
    """Return the row of something owed."""
    return msgspec.structs.asdict(row)


def to_outbox(row: Row[Any]) -> OutboxRow:
    """Read a row of the outbox."""
    return OutboxRow(**row._mapping)


class ForDialect(dict[str, Any]):
    """A statement in each dialect, made when it is first used: who runs on SQLite never imports PostgreSQL."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, dialect: str) -> Any:
        """Make the statement of a dialect."""
        self[dialect] = self._make(dialect)
        return self[dialect]


def inserting(dialect: str, table: Table) -> Any:
    """Return the dialect's own INSERT, which knows what to do about conflicts; the other dialect is not imported."""
    return importlib.import_module(f"sqlalchemy.dialects.{dialect}").insert(table)


def upsert(dialect: str, table: Table, keys: Sequence[str], change: Mapping[str, Any] | None = None) -> Insert:
    """Return an INSERT that changes the row of the same keys: all other columns, or those in ``change``."""
    insert = inserting(dialect, table)
    wanted = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
    statement: Insert = insert.on_conflict_do_update(index_elements=list(keys), set_={**wanted, **(change or {})})
    return statement
