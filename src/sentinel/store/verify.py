"""Proving the log: every incident is folded again from its events, and all that was derived is compared with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, exists, select, text

from sentinel.core import events as e
from sentinel.core.folding import evolve
from sentinel.core.incident import wake_at
from sentinel.core.sending import message_id
from sentinel.core.state import Incident
from sentinel.store import ledger, rows
from sentinel.store.base import Fault
from sentinel.store.database import Database
from sentinel.store.failures import StoreUnfit
from sentinel.store.tables import incident, log, outbox, plain

FAULTS_MAX = 1000
# Incidents looked at together: bounds memory, whatever the size of the log.
PAGE_MAX = 200
PAGE = select(incident).where(incident.c.ordinal > bindparam("after")).order_by(incident.c.ordinal).limit(PAGE_MAX)
EVENTS = select(log).where(log.c.incident.in_(bindparam("numbers", expanding=True))).order_by(log.c.sequence)
OWED = select(outbox.c.id, outbox.c.incident, outbox.c.sequence).where(
    outbox.c.incident.in_(bindparam("numbers", expanding=True))
)
# What folding a damaged log can end in; anything else is a bug of ours.
UNFOLDABLE = (AssertionError, LookupError, ArithmeticError, ValueError, TypeError, msgspec.MsgspecError)


def verify(database: Database) -> list[Fault]:
    """Return what is wrong, up to ``FAULTS_MAX`` faults, seen at one moment; the daemon may go on writing.

    Raises:
        StoreUnavailable: the database cannot be read at all.
    """
    faults: list[Fault] = []
    try:
        with database.read(damaged=True) as connection:
            faults.extend(islice(_faults(connection, sqlite=database.dialect == "sqlite"), FAULTS_MAX))
    except StoreUnfit as error:
        faults.append(Fault("database", str(error)))
    return faults


def _faults(connection: Connection, *, sqlite: bool) -> Iterator[Fault]:
    if sqlite:
        damage = connection.execute(text("PRAGMA integrity_check(100)")).scalars().all()
        yield from (Fault("database", said) for said in damage if said != "ok")
    yield from _orphans(connection)
    yield from ledger.faults(connection)
    after = -1
    while page := connection.execute(PAGE, {"after": after}).all():
        after = page[-1].ordinal
        numbers = [row.number for row in page if _sound(row.number)]
        events = _grouped(connection.execute(EVENTS, {"numbers": numbers}))
        owed = _grouped(connection.execute(OWED, {"numbers": numbers}))
        for row in page:
            yield from _guarded(row, events[row.number], owed[row.number])


def _sound(number: str) -> bool:
    """Tell whether a number is text at all, so that the database can be asked for it."""
    return number.isascii() and number.isprintable()


def _guarded(row: Row[Any], events: Sequence[Row[Any]], owed: Sequence[Row[Any]]) -> list[Fault]:
    """Check one incident; rows so damaged that they hold the wrong types are a fault too, not the end of the check."""
    faults: list[Fault] = []
    try:
        faults.extend(_incident(row, events, owed))
    except (*UNFOLDABLE, AttributeError) as error:
        faults.append(Fault(f"incident {row.number!a}", f"its rows are damaged: {error}"))
    return faults


def _grouped(found: Any) -> dict[str, list[Row[Any]]]:
    """Gather rows by their incident."""
    groups: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in found:
        groups[row.incident].append(row)
    return groups


def _orphans(connection: Connection) -> Iterator[Fault]:
    """Find rows that belong to no incident. A test message has none, and says so."""
    here = exists().where(incident.c.number == log.c.incident)
    for number, sequence in connection.execute(select(log.c.incident, log.c.sequence).where(~here)):
        yield Fault(f"event {number}/{sequence}", "there is no such incident")
    here = exists().where(incident.c.number == outbox.c.incident)
    for (name,) in connection.execute(select(outbox.c.id).where(outbox.c.incident != "", ~here)):
        yield Fault(f"outbox {name}", "there is no such incident")


def _incident(row: Row[Any], events: Sequence[Row[Any]], owed: Sequence[Row[Any]]) -> Iterator[Fault]:
    """Check one incident: its log, its projection, and what it owes."""
    folding = Folding(row.number, _sequence_of(row.snapshot))
    for event in events:
        yield from folding.take(event)
    if folding.state is None:
        yield Fault(f"incident {row.number}", "its log cannot be folded; the projection is not compared")
        return
    yield from _projection(row, folding)
    yield from _outbox(row.number, folding, owed)


class Folding:
    """An incident being folded again from its events, with the hash they lead to and the messages they owe.

    ``then`` is what it was when its snapshot was written, after the event ``written``.
    """

    def __init__(self, number: str, written: int) -> None:
        self.number = number
        self.written = written
        self.then: Incident | None = None
        self.state: Incident | None = None
        self.broken = False
        self.sequence = 0
        self.head = ""
        self.at: datetime | None = None
        self.owed: set[str] = set()

    def take(self, row: Row[Any]) -> Iterator[Fault]:
        """Check the next event against all before it, and fold it in."""
        where = f"event {self.number}/{row.sequence}"
        if row.sequence != self.sequence + 1:
            yield Fault(where, f"event {self.sequence + 1} is missing before it")
        self.sequence = row.sequence
        if row.hash != (wanted := rows.chained(self.head, self.number, row.sequence, row.body)):
            yield Fault(where, f"its hash does not cover its content and the past (kept {row.hash}, computed {wanted})")
        self.head = row.hash
        try:
            event = e.decode(row.body.encode(errors="surrogateescape"))
        except (ValueError, msgspec.MsgspecError) as error:
            self.state, self.broken = None, True
            yield Fault(where, f"it cannot be read: {error}")
            return
        if (row.type, row.at) != (rows.event_type(event), event.at):
            yield Fault(where, "its type or its time differ from its content")
        if self.at is not None and event.at < self.at:
            yield Fault(where, f"it is older than the event before it ({event.at} < {self.at})")
        self.at = event.at
        yield from self._fold(event, where)

    def _fold(self, event: e.Event, where: str) -> Iterator[Fault]:
        if self.broken:
            return
        try:
            self.state = evolve(self.state, event)
        except UNFOLDABLE as error:
            self.state, self.broken = None, True
            yield Fault(where, f"it does not follow from the events before it: {error}")
            return
        if self.sequence == self.written:
            self.then = self.state
        self.owed.update(message_id(self.number, self.sequence, page) for page in e.pages_of(event))


def _projection(row: Row[Any], folding: Folding) -> Iterator[Fault]:
    """Compare the row of an incident with what its events lead to."""
    assert folding.state is not None, "the caller checked"
    where = f"incident {row.number}"
    wanted = rows.from_incident(folding.state, folding.head, wake_at(folding.state), whole=False)
    for column, value in wanted.items():
        if getattr(row, column) != (plain(value) if isinstance(value, str) else value):
            yield Fault(where, f"{column} is {getattr(row, column)!r}, its events say {value!r}")
    snapshot = rows.snapshot(folding.then) if folding.then is not None else ""
    if row.snapshot != snapshot and not _same(row.snapshot, snapshot):
        yield Fault(where, "its snapshot differs from what its events lead to")


class _Written(msgspec.Struct):
    """What a snapshot says of when it was written."""

    sequence: int


def _sequence_of(snapshot: str) -> int:
    """Return after which event a snapshot was written; 0 when it does not say."""
    try:
        return msgspec.json.decode(snapshot.encode(errors="surrogateescape"), type=_Written).sequence
    except (msgspec.MsgspecError, ValueError):
        return 0


def _same(kept: str, wanted: str) -> bool:
    """Tell whether a snapshot says the same in fewer fields: an older Sentinel wrote it before some were added."""
    try:
        rows.to_incident(kept)
        return within(msgspec.json.decode(kept), msgspec.json.decode(wanted))
    except (ValueError, msgspec.MsgspecError):
        return False


def within(kept: Any, wanted: Any) -> bool:
    """Tell whether JSON says nothing but what another one says, which may say more."""
    match kept, wanted:
        case dict(), dict():
            return all(key in wanted and within(value, wanted[key]) for key, value in kept.items())
        case list(), list():
            return len(kept) == len(wanted) and all(map(within, kept, wanted))
        case _:
            return bool(kept == wanted)


def _outbox(number: str, folding: Folding, rows_owed: Sequence[Row[Any]]) -> Iterator[Fault]:
    """Check that every message that an event owes is there, and that no row is owed by an event that is not."""
    kept = {row.id for row in rows_owed}
    for message in sorted(folding.owed - kept):
        yield Fault(f"outbox {message}", "an event owes this message, and it is not there")
    for row in rows_owed:
        if not 1 <= row.sequence <= folding.sequence:
            yield Fault(f"outbox {row.id}", f"there is no event {number}/{row.sequence}")
