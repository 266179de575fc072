"""Opening the two stores, for the daemon and for those who only look."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from sentinel.store import migrate
from sentinel.store.base import ResultStore, Store
from sentinel.store.database import BUSY_TIMEOUT_S, Database, Mode, Place, Synchronous, place
from sentinel.store.main import SqlStore
from sentinel.store.results import SqlResultStore


def database_path(url: str) -> Path | None:
    """Return the file of an SQLite database; nothing for a server.

    Raises:
        StoreUnfit: it is no URL of a database.
    """
    return place(url).path


def open_store(
    url: str, *, results_url: str = "", synchronous: Synchronous = "full", busy_timeout_s: float = BUSY_TIMEOUT_S
) -> tuple[Store, ResultStore]:
    """Open both stores and bring their tables up to date; take the lock first.

    Without ``results_url``, what probes saw goes into ``samples.db`` beside an SQLite file, or into the same PostgreSQL
    database, and in both cases may lose its last second in a power cut.

    Raises:
        StoreUnfit: the database is corrupted, open to others, of a newer Sentinel, or its driver is missing.
        StoreUnavailable: it cannot be reached or written.
    """
    where = place(url)
    beside = place(results_url) if results_url else _beside(where)
    modes = Mode(synchronous, busy_timeout_s), Mode("normal", busy_timeout_s)
    with ExitStack() as opened:
        main = _opened(opened, where, modes[0], migrate.STATE)
        results = _opened(opened, beside, modes[1], migrate.RESULTS)
        opened.pop_all()
    return SqlStore(main), SqlResultStore(results)


def open_to_read(url: str) -> Store:
    """Open the main store for looking only: while the daemon runs, and whatever state it is in.

    Raises:
        StoreUnfit: there is no database, or it is of another version.
        StoreUnavailable: it cannot be read.
    """
    with ExitStack() as opened:
        database = Database(place(url), Mode(read_only=True))
        opened.callback(database.close)
        migrate.must_be_current(database, migrate.STATE)
        opened.pop_all()
    return SqlStore(database)


def open_results_to_read(url: str) -> ResultStore:
    """Open what probes saw for looking only; ``url`` is that of the main store.

    Raises:
        StoreUnfit: there is no database, or it is of another version.
        StoreUnavailable: it cannot be read.
    """
    with ExitStack() as opened:
        database = Database(_beside(place(url)), Mode("normal", read_only=True))
        opened.callback(database.close)
        migrate.must_be_current(database, migrate.RESULTS)
        opened.pop_all()
    return SqlResultStore(database)


def _opened(opened: ExitStack, where: Place, mode: Mode, scheme: migrate.Scheme) -> Database:
    database = Database(where, mode)
    opened.callback(database.close)
    database.check()
    migrate.migrate(database, scheme)
    return database


def _beside(where: Place) -> Place:
    """Return where samples go: ``sentinel.db`` has ``samples.db`` beside it, ``other.db`` has ``other-samples.db``."""
    if where.path is None:
        return where
    name = "samples.db" if where.path.stem == "sentinel" else f"{where.path.stem}-samples.db"
    path: Path = where.path.with_name(name)
    return Place(where.url.set(database=str(path)), path)
