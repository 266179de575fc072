"""The ledger: what happens beside incidents, to changes, matrices, problems; append-only streams, each a chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from sentinel.store import rows
from sentinel.store.base import Conflict, Fault, Line
from sentinel.store.tables import ledger

APPEND = insert(ledger)
HEAD = (
    select(ledger.c.sequence, ledger.c.hash)
    .where(ledger.c.stream == bindparam("stream"))
    .order_by(ledger.c.sequence.desc())
    .limit(1)
)
OF_SUBJECT = select(ledger).where(ledger.c.subject == bindparam("subject")).order_by(ledger.c.stream, ledger.c.sequence)
ALL = select(ledger).order_by(ledger.c.stream, ledger.c.sequence)


def append(connection: Connection, lines: Sequence[Line]) -> None:
    """Write lines, each the next one of its stream.

    Raises:
        Conflict: somebody else wrote that line first.
    """
    heads: dict[str, str] = {}
    for line in lines:
        if line.stream not in heads:
            heads[line.stream] = _head(connection, line)
        body = line.body.decode()
        heads[line.stream] = rows.chained(heads[line.stream], line.stream, line.sequence, body)
        row = {
            "stream": line.stream,
            "sequence": line.sequence,
            "subject": line.subject,
            "at": line.at,
            "body": body,
            "hash": heads[line.stream],
        }
        try:
            connection.execute(APPEND, row)
        except IntegrityError as error:
            raise Conflict(f"{line.stream}: somebody else wrote line {line.sequence} first.") from error


def _head(connection: Connection, line: Line) -> str:
    head = connection.execute(HEAD, {"stream": line.stream}).one_or_none()
    last = head.sequence if head else 0
    if line.sequence != last + 1:
        raise Conflict(f"{line.stream}: line {line.sequence} does not come next; the stream ends at {last}.")
    return str(head.hash) if head else ""


def lines(connection: Connection, subject: str) -> list[Line]:
    """Return all lines of a subject, stream by stream, in order."""
    found = connection.execute(OF_SUBJECT, {"subject": subject})
    return [Line(row.stream, row.sequence, row.at, row.body.encode()) for row in found]


def faults(connection: Connection) -> Iterator[Fault]:
    """Check that every stream is whole: no line is missing, each hash covers its content and all before it."""
    stream, sequence, head = "", 0, ""
    for row in connection.execute(ALL):
        if row.stream != stream:
            stream, sequence, head = row.stream, 0, ""
        where = f"ledger {row.stream}/{row.sequence}"
        if row.sequence != sequence + 1:
            yield Fault(where, f"line {sequence + 1} is missing before it")
        if row.subject != Line(row.stream, row.sequence, row.at, b"").subject:
            yield Fault(where, f"its subject is {row.subject!r}")
        if row.hash != (wanted := rows.chained(head, row.stream, row.sequence, row.body)):
            yield Fault(where, f"its hash does not cover its content and the past (kept {row.hash}, computed {wanted})")
        sequence, head = row.sequence, row.hash
