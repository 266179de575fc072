"""How databases say no, turned into sentences that people can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import exc

from sentinel.store.base import StoreUnavailable


class AlreadyRunning(StoreUnavailable):
    """Another Sentinel works on this database; two of them would page everybody twice."""


class StoreUnfit(StoreUnavailable):
    """The database must not be used as it is: corrupted, open to others, or of another version of Sentinel."""


class Contended(StoreUnavailable):
    """The server refused because of what others were doing at the same time; run again, it may well succeed."""


# By the name that SQLite gives its primary result code.
SQLITE_REASONS: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it is read-only",
    "SQLITE_BUSY": "another program keeps it locked",
    "SQLITE_LOCKED": "another program keeps it locked",
    "SQLITE_IOERR": "the disk reports an input/output error",
    "SQLITE_CANTOPEN": "it cannot be opened; does its folder exist, and may Sentinel read and write there?",
    "SQLITE_PERM": "Sentinel may not use it",
    "SQLITE_NOMEM": "there is no memory left",
}
# A serialization failure, a deadlock.
POSTGRESQL_CONTENDED: Final = frozenset({"40001", "40P01"})
SQLITE_CORRUPTED: Final = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
# By SQLSTATE, or its class of two letters.
POSTGRESQL_REASONS: Final = {
    "08": "the connection to the server failed",
    "25006": "it is read-only",
    "53100": "the server's disk is full",
    "53": "the server is out of resources",
    "55P03": "another program keeps it locked",
    "57014": "the server took too long",
    "57": "the server is shutting down or starting up",
    "58": "the server's disk reports an error",
}
POSTGRESQL_CORRUPTED: Final = frozenset({"XX001", "XX002"})
# What an error says of our statements or values: a bug, which no retry and no operator mends.
OURS: Final = (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError)


@contextmanager
def told_plainly(name: str) -> Iterator[None]:
    """Turn what the database cannot do into one sentence that begins with its name.

    Raises:
        StoreUnavailable: it could not take or give it.
        StoreUnfit: it is corrupted.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailable(f"{name}: it is busy with other work of Sentinel for too long.") from error
    except OURS:
        raise
    except exc.DBAPIError as error:
        raise translated(name, error) from error


def translated(name: str, error: exc.DBAPIError) -> StoreUnavailable:
    """Return the failure that a driver's error stands for."""
    original = error.orig
    code = primary(str(getattr(original, "sqlite_errorname", "")))
    state = sqlstate(error)
    said = one_line(str(original))
    if code in SQLITE_CORRUPTED or state in POSTGRESQL_CORRUPTED:
        return corrupted(name, said)
    if state in POSTGRESQL_CONTENDED:
        return Contended(f"{name}: others were writing the same ({said}).")
    reason = SQLITE_REASONS.get(code) or POSTGRESQL_REASONS.get(state) or POSTGRESQL_REASONS.get(state[:2])
    return StoreUnavailable(f"{name}: {reason} ({said})." if reason else f"{name}: {said}.")


def corrupted(name: str, said: str) -> StoreUnfit:
    """Return the failure of a database that is damaged."""
    said = one_line(said)
    return StoreUnfit(f"{name}: it is corrupted ({said}). Restore a backup; keep the damaged file for analysis.")


def one_line(said: str) -> str:
    """Return what a driver said on one line."""
    return " ".join(said.split())


def primary(code: str) -> str:
    """Cut an extended SQLite code to its primary one: ``SQLITE_IOERR_FSYNC`` to ``SQLITE_IOERR``."""
    return "_".join(code.split("_")[:2])


def sqlstate(error: exc.DBAPIError) -> str:
    """Return the SQLSTATE of a PostgreSQL error; empty when there is none."""
    return str(getattr(error.orig, "sqlstate", None) or "")
