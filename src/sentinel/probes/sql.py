"""The sql probe: what one query finds in a database. Nothing can be written: the transaction is read-only."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sentinel.config.fields import Comparison, Duration, HostPort, Secret, quoted, wrong
from sentinel.probes.base import Failed, ProbeKind, Sight
from sentinel.probes.duration import check_duration
from sentinel.probes.expect import Wanted
from sentinel.probes.extras import require
from sentinel.probes.net import open_socket
from sentinel.probes.reading import holds, number_in
from sentinel.probes.relay import Relay, outlive
from sentinel.probes.said import clean
from sentinel.probes.sql_table import Question, Table
from sentinel.probes.targets import PortOptions
from sentinel.probes.tlscontext import YesOrTls

# The name people write: the module that must be there, the extra that brings it, and ours that speaks to it.
ENGINES: Final = {
    "postgresql": ("psycopg", "postgresql", "sentinel.probes.sql_postgresql"),
    "mysql": ("aiomysql", "mysql", "sentinel.probes.sql_mysql"),
}
QUERY_MAX_CHARS: Final = 8_000
RECEIVED_MAX_BYTES: Final = 1 << 20
NAMED_MAX_CHARS: Final = 100
# The share of the time that is left which the server may take; the rest is for saying that it took it.
STATEMENT_SHARE: Final = 0.9
GRACE_S: Final = 0.1


class Expect(BaseModel):
    """What must be so: how many rows there are, and the first column of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Comparison | None = None
    value: Wanted | None = None
    max_duration: Duration | None = None


class SqlOptions(PortOptions):
    """The options of the sql probe: which database, who asks, and the query."""

    engine: Literal["postgresql", "mysql"]
    database: Annotated[str, Field(max_length=128)] = ""
    username: Annotated[str, Field(min_length=1, max_length=128)]
    password: Secret = Secret("")
    query: Annotated[str, Field(min_length=1, max_length=QUERY_MAX_CHARS)]
    tls: YesOrTls = None
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        module, extra, _ = ENGINES[self.engine]
        require(module, extra, f"`engine: {self.engine}`")
        for name, text in (("query", self.query), ("username", self.username), ("database", self.database)):
            if "\0" in text:
                raise wrong(f"`{name}` holds a zero byte: {quoted(text)}")
        return self


async def run(options: SqlOptions, sight: Sight) -> None:
    """Send the query and judge what it finds. The caller sets the time limit.

    Raises:
        Failed: one of ``REASONS``; ``rows`` not as many as expected, ``value`` one is not as expected, ``empty`` there
            is none to compare, ``query`` the server refuses it, ``auth`` the server does not let us in.
    """
    begun = time.perf_counter()
    target = HostPort.read(sight.target)
    address = await options.find(sight, target.host)
    connection = await open_socket(sight, address, target.port)
    async with Relay(connection, RECEIVED_MAX_BYTES) as relay:
        question = Question(
            host=target.host,
            port=relay.port,
            username=options.username,
            password=options.password,
            database=options.database,
            query=options.query,
            limit_s=sight.left_s() * STATEMENT_SHARE,
            tls=options.tls,
        )
        with sight.phase("query"):
            table = await _asked(ENGINES[options.engine][2], question, relay)
    sight.fact(f"{len(table.rows)} rows")
    _judge(options.expect, table, sight)
    check_duration(sight.target, time.perf_counter() - begun, options.expect.max_duration)


async def _asked(module: str, question: Question, relay: Relay) -> Table:
    # In a thread: the first import in a process takes a quarter of a second.
    library = await asyncio.to_thread(importlib.import_module, module)
    task: asyncio.Task[Table] = asyncio.create_task(library.ask(question))
    await outlive(task, relay, GRACE_S)
    try:
        return task.result()
    except Failed as failure:
        if relay.overflowed:
            raise Failed("size", f"the answer is larger than {RECEIVED_MAX_BYTES >> 10} KiB; ask for less") from failure
        raise


def _judge(expect: Expect, table: Table, sight: Sight) -> None:
    first = [row[0] for row in table.rows if row]
    sight.value = number_in(first[0]) if first else None
    if expect.rows is not None and not expect.rows.holds(len(table.rows)):
        raise Failed("rows", f"the query finds {len(table.rows)} rows; {expect.rows} is expected")
    if expect.value is None:
        return
    if not first:
        raise Failed("empty", "the query finds nothing to compare")
    for place, value in enumerate(first):
        if value is None or not holds(expect.value, value):
            sight.value = number_in(value)
            raise Failed("value", f"{_named(table, place)}; {expect.value} is expected")


def _named(table: Table, place: int) -> str:
    """Say what a row holds: `free = 3, host = db1`."""
    found = zip(table.columns, table.rows[place], strict=False)
    pairs = (f"{name} = {'NULL' if value is None else value}" for name, value in found)
    return f"the query finds {clean(', '.join(pairs), NAMED_MAX_CHARS)}"


REASONS = frozenset(
    {
        "auth", "connect", "denied", "dns", "empty", "max_duration", "protocol", "query", "rows", "size", "timeout",
        "tls", "value",
    }
)  # fmt: skip

KIND = ProbeKind("sql", SqlOptions, run, REASONS)
