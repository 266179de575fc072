"""Opening a database: SQLite by default, PostgreSQL when asked; one connection writes, a few read."""

from __future__ import annotations

import importlib.util
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import URL, Connection, Engine, NullPool, QueuePool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from sentinel.store import files
from sentinel.store.failures import StoreUnfit, corrupted, told_plainly

Synchronous = Literal["full", "normal"]

READERS = 4
BUSY_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 30
# A server that is not heard any more, and closes nothing, is given up in 25 s; without this, in a quarter of an hour.
REACHING: Final[dict[str, int]] = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": 10_000,  # ms, for what was sent and not even received,
    "keepalives_idle": 10,  # s, for what was received and not answered.
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
# So soon the server in turn misses us, and lets go of what we hold.
MISSED: Final = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
# A whole check of pages takes about 0.2 s for each 100 MiB; a larger database is checked by ``sentinel verify`` only.
CHECK_MAX_BYTES = 256 * 1024 * 1024
# The write-ahead log may grow while hours are packed; it is cut back to this.
LOG_MAX_BYTES = 64 * 1024 * 1024


class Place(msgspec.Struct, frozen=True):
    """Where a database is: a file for SQLite, or a server. ``name`` is fit for logs: it holds no password."""

    url: URL
    path: Path | None

    @property
    def name(self) -> str:
        """Return what to call the database in a message."""
        return (
            str(self.path) if self.path else self.url.set(drivername="postgresql").render_as_string(hide_password=True)
        )


class Mode(msgspec.Struct, frozen=True):
    """How a database is opened: ``full`` keeps every commit over a power cut, ``normal`` may lose the last second."""

    synchronous: Synchronous = "full"
    busy_timeout_s: float = BUSY_TIMEOUT_S
    read_only: bool = False


def place(url: str) -> Place:
    """Read ``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://user@host/name``.

    Raises:
        StoreUnfit: it is neither, or the driver for PostgreSQL is not installed.
    """
    try:
        read = make_url(url)
    except ArgumentError:
        raise StoreUnfit("storage.url: it must look like sqlite:////var/lib/sentinel/sentinel.db.") from None
    match read.get_backend_name():
        case "sqlite":
            if not read.database or read.database == ":memory:":
                raise StoreUnfit(f"{url}: it names no file, and what is in memory is lost.")
            return Place(read, Path(read.database).absolute())
        case "postgresql" | "postgres":
            if importlib.util.find_spec("psycopg") is None:
                raise StoreUnfit("PostgreSQL needs a driver. Run: pip install 'sentinel-ops[postgresql]'")
            return Place(read.set(drivername="postgresql+psycopg"), None)
        case other:
            raise StoreUnfit(f"storage.url: {other} is not supported; use sqlite or postgresql.")


class Database:
    """A database with one connection for writing and a few for reading, fit to be called from several threads."""

    def __init__(self, where: Place, mode: Mode) -> None:
        """Prepare the files and open nothing yet.

        Raises:
            StoreUnfit: the files are open to others.
        """
        self.place = where
        self.mode = mode
        self.dialect: str = where.url.get_backend_name()
        if where.path is not None and mode.read_only:
            _must_exist(where.path)
        elif where.path is not None:
            files.prepare(where.path)
        self._file = where.path.stat() if where.path else None
        connect = _sqlite if where.path else _postgresql
        self._writer = connect(where, mode, readers=0)
        self._reader = connect(where, mode, readers=READERS)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a transaction that stands or falls as a whole, one at a time.

        Raises:
            StoreUnavailable: the database could not take it; nothing was written.
        """
        self._must_be_the_same()
        with told_plainly(self.place.name), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self, *, damaged: bool = False) -> Iterator[Connection]:
        """Give a transaction that sees one moment and cannot write; ``damaged`` text can be read, byte for byte.

        Raises:
            StoreUnavailable: the database could not answer.
        """
        with told_plainly(self.place.name), self._reader.begin() as connection:
            if not damaged or self.place.path is None:
                yield connection
                return
            driver: Any = connection.connection.dbapi_connection
            driver.text_factory = lambda read: read.decode(errors="surrogateescape")
            try:
                yield connection
            finally:
                driver.text_factory = str

    def _must_be_the_same(self) -> None:
        """Refuse to write into a file that nobody will find again: it was deleted or replaced under us."""
        if self.place.path is None or self._file is None:
            return
        try:
            same = os.path.samestat(self._file, self.place.path.stat())
        except OSError:
            same = False
        if not same:
            raise StoreUnfit(f"{self.place.name}: the file was deleted or replaced while Sentinel ran; start it again.")

    def check(self) -> None:
        """Look for damage, as far as a start can wait for it.

        Raises:
            StoreUnfit: the database is corrupted.
        """
        if self.place.path is None or self.size_bytes() > CHECK_MAX_BYTES:
            return
        with self.read() as connection:
            found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
        if found != "ok":
            raise corrupted(self.place.name, found)

    def size_bytes(self) -> int:
        """Return the size of the database on disk."""
        if self.place.path is not None:
            return files.size_bytes(self.place.path)
        with self.read() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())

    def close(self) -> None:
        """Let go of all connections."""
        self._reader.dispose()
        self._writer.dispose()


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise StoreUnfit(f"{path}: there is no database.")


def _sqlite(where: Place, mode: Mode, *, readers: int) -> Engine:
    """Make an engine whose transactions are SQLite's own; Python's driver would begin them late and end them early."""
    path = where.path
    assert path is not None, "SQLite keeps a database in a file"
    engine = create_engine(
        "sqlite://",
        creator=_opener(path, mode, reading=bool(readers)),
        poolclass=QueuePool,
        pool_size=readers or 1,
        max_overflow=0,
        pool_timeout=max(mode.busy_timeout_s, 1.0) + BUSY_TIMEOUT_S,
    )
    begin = "BEGIN" if readers or mode.read_only else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _opener(path: Path, mode: Mode, *, reading: bool) -> Callable[[], sqlite3.Connection]:
    """Return what opens a connection; never creating a file, so that one deleted under us is noticed, not replaced."""
    access = "ro" if mode.read_only and not os.access(path, os.W_OK) else "rw"
    pragmas = [
        "PRAGMA foreign_keys=ON",
        f"PRAGMA synchronous={mode.synchronous.upper()}",
        f"PRAGMA journal_size_limit={LOG_MAX_BYTES}",
        "PRAGMA query_only=ON" if reading or mode.read_only else "PRAGMA journal_mode=WAL",
    ]

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={access}",
            uri=True,
            timeout=mode.busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for pragma in pragmas:
                connection.execute(pragma)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return connect


def lasting_connection(where: Place) -> Connection:
    """Open a connection to PostgreSQL that holds what belongs to a session; closing it ends the session."""
    engine = create_engine(
        where.url,
        connect_args={**REACHING, "options": _options(MISSED), "application_name": "sentinel-lock"},
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
    )
    return engine.connect()


def _options(settings: Mapping[str, Any]) -> str:
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _postgresql(where: Place, mode: Mode, *, readers: int) -> Engine:
    """Make an engine with limits on every wait. ``normal`` lets the server answer before its disk has it."""
    settings: dict[str, Any] = {
        "synchronous_commit": "on" if mode.synchronous == "full" else "off",
        "lock_timeout": f"{round(mode.busy_timeout_s * 1000)}ms",
        "statement_timeout": f"{STATEMENT_TIMEOUT_S * 1000}ms",
        "default_transaction_read_only": "on" if readers or mode.read_only else "off",
        "timezone": "UTC",
    }
    return create_engine(
        where.url,
        connect_args={
            **REACHING,
            "options": _options(settings | MISSED),
            "application_name": "sentinel",
        },
        isolation_level="REPEATABLE READ" if readers else "READ COMMITTED",
        pool_size=readers or 1,
        max_overflow=0,
        pool_timeout=mode.busy_timeout_s + BUSY_TIMEOUT_S,
        # A server that was restarted is noticed before a page is lost to it, for one round trip.
        pool_pre_ping=True,
    )
