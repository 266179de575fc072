"""One query to PostgreSQL, in a transaction that can write nothing."""

from __future__ import annotations

import re
import ssl
from typing import Final

import psycopg
from psycopg import generators, pq
from psycopg.conninfo import make_conninfo

from sentinel.probes.base import Failed
from sentinel.probes.relay import LOOPBACK
from sentinel.probes.said import clean
from sentinel.probes.sql_table import Question, Table

# What libpq says before what matters: where it believes to be connected to, which is a port of our own.
PREAMBLE: Final = re.compile(
    r'^(?:connection failed: )?(?:connection to server at "[^"]*"(?: \([^)]*\))?, port \d+ failed: )?'
)
SAID_MAX_CHARS: Final = 300
CANCELLED: Final = "57014"
NEGATIVE_LISTS_SINCE: Final = 160_000  # libpq 16 knows what to refuse, and not to look for a certificate of ours.
TRUSTED: Final = "/etc/ssl/certs/ca-certificates.crt"


async def ask(question: Question) -> Table:
    """Send the query, and return what it finds.

    Raises:
        Failed: ``auth`` the server does not let us in, ``tls``, ``protocol`` it speaks no PostgreSQL, ``query`` it
            refuses the query, ``timeout`` it stopped the query.
    """
    try:
        connection = await psycopg.AsyncConnection.connect(make_conninfo("", **_parameters(question)))
    except psycopg.Error as error:
        raise _not_let_in(str(error)) from error
    try:
        # A query of our own comes first: once there is a snapshot, no statement can make the transaction write.
        await connection.set_read_only(True)
        limit_ms = str(max(1, round(question.limit_s * 1000)))
        await connection.execute("SELECT set_config('statement_timeout', %s, true)", (limit_ms,))
        # The extended protocol takes one statement, so that nothing can follow a COMMIT in it.
        connection.pgconn.send_query_params(question.query.encode(), None)
        results = await connection.wait(generators.execute(connection.pgconn))
    except psycopg.Error as error:
        raise _broken(error) from error
    finally:
        connection.pgconn.finish()
    return _table(results[-1], question)


def _parameters(question: Question) -> dict[str, str | int]:
    """Return what libpq is told: everything that it would otherwise take from files of whoever runs the daemon."""
    tls, version = question.tls, pq.version()
    said: dict[str, str | int] = {
        "host": tls.server_name if tls and tls.server_name else question.host,
        "hostaddr": LOOPBACK,
        "port": question.port,
        "user": question.username,
        "password": question.password.reveal(),
        "passfile": "/dev/null",
        "dbname": question.database or question.username,
        "gssencmode": "disable",
        "client_encoding": "UTF8",
        "application_name": "sentinel",
        "sslmode": "disable" if tls is None else "verify-full" if tls.verify else "require",
    }
    if tls is None:
        # Whoever answers in the clear may ask for anything: the password itself it does not get.
        return said | ({"require_auth": "!password"} if version >= NEGATIVE_LISTS_SINCE else {})
    said["sslrootcert"] = (str(tls.ca_file) if tls.ca_file else _authorities()) if tls.verify else "/dev/null"
    if tls.cert_file is not None:
        said |= {"sslcert": str(tls.cert_file), "sslkey": str(tls.key_file or tls.cert_file)}
    elif version >= NEGATIVE_LISTS_SINCE:
        said["sslcertmode"] = "disable"
    for name, wanted in (("ssl_min_protocol_version", tls.min_version), ("ssl_max_protocol_version", tls.max_version)):
        if wanted is not None:
            said[name] = wanted.replace("TLSv1.0", "TLSv1")
    return said


def _authorities() -> str:
    return ssl.get_default_verify_paths().cafile or TRUSTED


def _not_let_in(said: str) -> Failed:
    text = PREAMBLE.sub("", clean(said, SAID_MAX_CHARS))
    if re.search(r"SSL|certificate|TLS|root cert", text):
        return Failed("tls", f"the server cannot be trusted: {text}")
    if re.search(r"FATAL|authentication|password", text):
        return Failed("auth", f"the server does not let us in: {text}")
    return Failed("protocol", f"the server does not answer as PostgreSQL does: {text}")


def _broken(error: psycopg.Error) -> Failed:
    return Failed("protocol", f"the server breaks off: {clean(str(error), SAID_MAX_CHARS)}")


def _table(result: pq.abc.PGresult, question: Question) -> Table:
    if result.status == pq.ExecStatus.TUPLES_OK:
        names = tuple((result.fname(column) or b"").decode("utf-8", "replace") for column in range(result.nfields))
        cells = (range(result.ntuples), range(result.nfields))
        return Table(
            names, tuple(tuple(_text(result.get_value(row, column)) for column in cells[1]) for row in cells[0])
        )
    if result.status == pq.ExecStatus.COMMAND_OK:
        return Table((), ())
    said = clean(result.error_message.decode("utf-8", "replace") if result.error_message else "", SAID_MAX_CHARS)
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode("ascii", "replace")
    if state == CANCELLED:
        raise Failed("timeout", f"the server stopped the query after {question.limit_s:.1f} s: {said}")
    raise Failed("query", f"the server refuses the query: {said or result.status}")


def _text(value: bytes | memoryview | None) -> str | None:
    return None if value is None else bytes(value).decode("utf-8", "replace")
