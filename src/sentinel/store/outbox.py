"""The outbox: what is owed to the world, kept with what caused it until somebody has it (rule DSP-3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from sentinel.store import rows
from sentinel.store.base import TAKEN, OutboxRow, Passed, Settlement, Sought, Write
from sentinel.store.tables import outbox

FORGET_MAX = 500
SETTLED = frozenset({"done", "delivered", "dead", "withdrawn"})

INSERT = insert(outbox)
ONCE = rows.ForDialect(lambda dialect: rows.inserting(dialect, outbox).on_conflict_do_nothing().returning(outbox.c.id))
# A ticket that is still owed counts from the first change that the back-end has not seen.
FIRST_OWED = case((outbox.c.settled_at.is_(None), outbox.c.created_at), else_=literal_column("excluded.created_at"))
# What already waits does not wait longer because of what comes later.
SOONEST_DUE = case(
    (and_(outbox.c.state == "pending", outbox.c.due_at < literal_column("excluded.due_at")), outbox.c.due_at),
    else_=literal_column("excluded.due_at"),
)
TICKETS = rows.ForDialect(
    lambda dialect: rows.upsert(dialect, outbox, ("id",), {"created_at": FIRST_OWED, "due_at": SOONEST_DUE})
)
WITHDRAW = (
    update(outbox)
    .where(outbox.c.id == bindparam("b_id"), or_(outbox.c.state == "pending", outbox.c.state == "sending"))
    .values(state="withdrawn", settled_at=func.coalesce(bindparam("b_at", type_=outbox.c.due_at.type), outbox.c.due_at))
)
# A ticket that changed again while it was being written stays owed. What was withdrawn while it was being sent stays
# withdrawn, unless it arrived all the same.
SETTLE = update(outbox).where(
    outbox.c.id == bindparam("b_id"),
    or_(outbox.c.kind == "message", outbox.c.sequence == bindparam("b_sequence")),
    or_(outbox.c.state != "withdrawn", bindparam("b_state") == "done"),
)
# The plus keeps SQLite from finding what is due by ``due_at`` and then sorting all of it: ``outbox_due`` has the order.
DUE_AT = UnaryExpression(outbox.c.due_at, operator=custom_op("+"), type_=outbox.c.due_at.type)
LANE = outbox.c.channel + literal("/") + outbox.c.person  # No channel has a stroke in its name.
# ``settled_at IS NULL`` lets the databases use the indexes that hold only what is still owed.
DUE = (
    select(outbox)
    .where(
        outbox.c.settled_at.is_(None),
        outbox.c.state == "pending",
        bindparam("now", type_=outbox.c.due_at.type) >= DUE_AT,
        outbox.c.channel.not_in(bindparam("full", expanding=True)),
        or_(outbox.c.kind == "ticket", LANE.not_in(bindparam("held", expanding=True))),
    )
    .order_by(outbox.c.urgency.desc(), outbox.c.created_at, outbox.c.due_at)
    .limit(bindparam("most", type_=Integer))
)
NEXT_DUE = select(func.min(outbox.c.due_at)).where(outbox.c.settled_at.is_(None), outbox.c.state == "pending")
RECOVER = update(outbox).where(outbox.c.settled_at.is_(None), outbox.c.state == "sending").values(state="pending")
WAITING = (
    select(outbox.c.channel, func.count(), func.min(outbox.c.created_at, type_=outbox.c.created_at.type))
    .where(outbox.c.settled_at.is_(None), outbox.c.state.in_(("pending", "sending")), outbox.c.kind == "message")
    .group_by(outbox.c.channel)
)
OWED_TICKETS = (
    select(outbox.c.channel, func.min(outbox.c.created_at, type_=outbox.c.created_at.type))
    .where(outbox.c.settled_at.is_(None), outbox.c.state == "pending", outbox.c.kind == "ticket")
    .group_by(outbox.c.channel)
)
GATHERED = (
    select(outbox)
    .where(
        outbox.c.settled_at.is_(None),
        outbox.c.state == "pending",
        outbox.c.kind == "message",
        outbox.c.incident != "",
        outbox.c.person == bindparam("person"),
        outbox.c.channel == bindparam("channel"),
        outbox.c.due_at <= bindparam("now", type_=outbox.c.due_at.type),
        outbox.c.id > bindparam("after"),
    )
    .order_by(outbox.c.id)
    .limit(bindparam("most", type_=Integer))
)
# What was gathered and never tried is due later than it was owed.
SLOTS = (
    select(outbox.c.person, outbox.c.channel, func.min(outbox.c.due_at, type_=outbox.c.due_at.type))
    .where(
        outbox.c.settled_at.is_(None),
        outbox.c.state == "pending",
        outbox.c.kind == "message",
        outbox.c.incident != "",
        outbox.c.tries == 0,
        outbox.c.due_at > outbox.c.created_at,
    )
    .group_by(outbox.c.person, outbox.c.channel)
)
# ``created_at`` has an index: nothing waits longer than a day beyond what is looked back at.
WAITS_MAX = timedelta(days=1)
SENT_SINCE = (
    select(
        outbox.c.person,
        outbox.c.channel,
        func.min(outbox.c.incident),
        outbox.c.settled_at,
        func.count(),
    )
    .where(
        outbox.c.kind == "message",
        outbox.c.created_at > bindparam("created", type_=outbox.c.created_at.type),
        outbox.c.state.in_(TAKEN),
        outbox.c.settled_at > bindparam("since", type_=outbox.c.settled_at.type),
    )
    .group_by(outbox.c.person, outbox.c.channel, outbox.c.reference, outbox.c.settled_at)
    .order_by(outbox.c.settled_at)
)
MESSAGES = select(outbox).where(outbox.c.kind == "message").order_by(outbox.c.created_at.desc(), outbox.c.id.desc())
BARE = MESSAGES.with_only_columns(
    *(literal(b"").label("body") if column is outbox.c.body else column for column in outbox.c)
)


def put(connection: Connection, write: Write, dialect: str) -> None:
    """Write what one transaction owes, withdraws and settles, in that order."""
    messages = [rows.from_outbox(row) for row in write.outbox if row.kind == "message"]
    tickets = [rows.from_outbox(row) for row in write.outbox if row.kind == "ticket"]
    if messages:
        connection.execute(INSERT, messages)
    if tickets:
        connection.execute(TICKETS[dialect], tickets)
    if write.withdrawn:
        at = max((recorded.event.at for recorded in write.events), default=None)
        connection.execute(WITHDRAW, [{"b_id": message, "b_at": at} for message in write.withdrawn])
    if write.settlements:
        connection.execute(SETTLE, [_settlement(settlement) for settlement in write.settlements])


def owe_once(connection: Connection, owed: Sequence[OutboxRow], dialect: str) -> int:
    """Write messages of no incident that were never owed before; return how many."""
    statement = ONCE[dialect]
    return sum(len(connection.execute(statement, rows.from_outbox(row)).all()) for row in owed)


def _settlement(settlement: Settlement) -> dict[str, Any]:
    return {
        "b_id": settlement.id,
        "b_sequence": settlement.sequence,
        "b_state": settlement.state,
        "state": settlement.state,
        "tries": settlement.tries,
        "due_at": settlement.due_at,
        "reference": settlement.reference,
        "error": settlement.error,
        "settled_at": settlement.at if settlement.state in SETTLED else None,
    }


class Left(NamedTuple):
    """What is left out of what is due: ids, channels, and people by a channel."""

    busy: Iterable[str]
    full: Iterable[str]
    held: Iterable[tuple[str, str]]


def due(connection: Connection, now: datetime, limit: int, left: Left) -> list[OutboxRow]:
    """Return pending rows that are due, the most urgent first, then the oldest, without what is left out."""
    skipped = frozenset(left.busy)
    held = [f"{channel}/{person}" for person, channel in left.held]
    asked = {"now": now, "most": limit + len(skipped), "full": list(left.full), "held": held}
    found = connection.execute(DUE, asked)
    return [rows.to_outbox(row) for row in found if row.id not in skipped][:limit]


def next_due(connection: Connection) -> datetime | None:
    """Return when the next pending row is due."""
    moment: datetime | None = connection.execute(NEXT_DUE).scalar_one()
    return moment


def gathered(connection: Connection, lane: tuple[str, str], now: datetime, limit: int, after: str) -> list[OutboxRow]:
    """Return pending messages about incidents to a person by a channel that are due, by id, from one on."""
    person, channel = lane
    asked = {"person": person, "channel": channel, "now": now, "after": after, "most": limit}
    return [rows.to_outbox(row) for row in connection.execute(GATHERED, asked)]


def sent_since(connection: Connection, since: datetime) -> list[Passed]:
    """Return what carriers took since a moment, oldest first: the messages of a digest as one."""
    found = connection.execute(SENT_SINCE, {"since": since, "created": since - WAITS_MAX})
    return [
        Passed(person=person, channel=channel, incident=incident, at=at, messages=messages)
        for person, channel, incident, at, messages in found
    ]


def slots(connection: Connection) -> list[tuple[str, str, datetime]]:
    """Return person, channel and moment of each digest that messages about incidents are gathered for."""
    return [(person, channel, at) for person, channel, at in connection.execute(SLOTS)]


def recover(connection: Connection) -> int:
    """Make rows that were being sent pending again; return how many."""
    return connection.execute(RECOVER).rowcount


def messages(connection: Connection, limit: int, incident: str, ids: Sequence[str] = ()) -> list[OutboxRow]:
    """Return messages, newest first: of one incident, those of ``ids``, or all."""
    statement = MESSAGES.where(outbox.c.incident == incident) if incident else MESSAGES
    if ids:
        statement = statement.where(outbox.c.id.in_(ids))
    return [rows.to_outbox(row) for row in connection.execute(statement.limit(limit))]


def taken(connection: Connection, sought: Sought, since: datetime, limit: int) -> list[OutboxRow]:
    """Return messages that a carrier took, newest first."""
    statement = (BARE if sought.bare else MESSAGES).where(outbox.c.created_at >= since)
    once = and_(outbox.c.reference != "", outbox.c.settled_at.is_not(None))
    statement = statement.where(once if sought.lost else outbox.c.state.in_(TAKEN))
    if sought.apart:
        statement = statement.where(outbox.c.incident == "")
    if sought.but:
        statement = statement.where(~outbox.c.id.startswith(sought.but, autoescape=True))
    if sought.people:
        statement = statement.where(outbox.c.person.in_(sought.people))
    if sought.channel:
        statement = statement.where(outbox.c.channel == sought.channel)
    if sought.reference:
        statement = statement.where(outbox.c.reference == sought.reference)
    return [rows.to_outbox(row) for row in connection.execute(statement.limit(limit))]


def old(connection: Connection, before: datetime, prefix: str) -> Sequence[str]:
    """Return up to ``FORGET_MAX`` messages of no incident that were settled, and owed before that."""
    statement = select(outbox.c.id).where(
        outbox.c.incident == "",
        outbox.c.kind == "message",
        outbox.c.created_at < before,
        outbox.c.settled_at.is_not(None),
        outbox.c.id.startswith(prefix, autoescape=True),
    )
    return connection.execute(statement.limit(FORGET_MAX)).scalars().all()


def forget(connection: Connection, ids: Sequence[str]) -> None:
    """Forget messages."""
    connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))


def queue(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """Return for each channel how many messages wait or are on their way, and when the oldest was created."""
    return {channel: (count, oldest) for channel, count, oldest in connection.execute(WAITING)}


def owed_tickets(connection: Connection) -> dict[str, datetime]:
    """Return for each ticket back-end since when it has not been in line."""
    return {row.channel: row[1] for row in connection.execute(OWED_TICKETS)}
