"""Bringing a database to the tables of this version: in one transaction, so that a crash leaves the old or the new.

A revision is named ``MAJOR.MINOR``. Within a major version migrations only add: an older Sentinel works on a newer
database of the same major version, and ignores what it does not know.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import Column as SqlColumn
from sqlalchemy import Connection, MetaData, Table, inspect, select
from sqlalchemy import Text as SqlText

from sentinel.store import tables
from sentinel.store.database import Database
from sentinel.store.failures import StoreUnfit

FOLDER = Path(__file__).parent / "migrations"


class Scheme(msgspec.Struct, frozen=True):
    """A group of tables, the folder of the migrations that make it, and the revision these end at."""

    name: str
    revisions: Path
    head: str

    @property
    def version_table(self) -> str:
        """Return the name of the table that remembers the revision."""
        return f"{self.name}_version"


STATE = Scheme("state", FOLDER / "state", tables.STATE.info["revision"])
RESULTS = Scheme("results", FOLDER / "results", tables.RESULTS.info["revision"])


def migrate(database: Database, scheme: Scheme) -> None:
    """Run the migrations that the database has not seen.

    Raises:
        StoreUnfit: it belongs to another major version.
        StoreUnavailable: the database could not take it; it is as it was.
    """
    with database.read() as connection:
        if not behind(connection, scheme, database.place.name):
            return
    with database.write() as connection:
        upgrade(connection, scheme)


def upgrade(connection: Connection, scheme: Scheme) -> None:
    """Run the migrations in the transaction of the connection."""
    # Imported when needed: it would cost every start 0.15 s.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    settings = Config()
    settings.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    settings.set_main_option("path_separator", "newline")
    settings.set_main_option("version_locations", str(scheme.revisions).replace("%", "%%"))
    # For migrations/env.py.
    settings.attributes.update(connection=connection, version_table=scheme.version_table)
    command.upgrade(settings, "head")


def must_be_current(database: Database, scheme: Scheme) -> None:
    """Refuse a database that only a migration would make readable.

    Raises:
        StoreUnfit: it is of an older version, or no database of Sentinel.
    """
    with database.read() as connection:
        if behind(connection, scheme, database.place.name):
            raise StoreUnfit(f"{database.place.name}: it is empty or of an older Sentinel; start the daemon once.")


def behind(connection: Connection, scheme: Scheme, name: str) -> bool:
    """Tell whether migrations are to be run.

    Raises:
        StoreUnfit: the database belongs to another major version.
    """
    now = revision(connection, scheme)
    if now is None:
        return True
    (major, minor), (our_major, our_minor) = (tuple(map(int, each.split("."))) for each in (now, scheme.head))
    if major > our_major:
        raise StoreUnfit(f"{name}: it was written by a newer Sentinel (tables {now}, ours {scheme.head}).")
    return (major, minor) < (our_major, our_minor)


def revision(connection: Connection, scheme: Scheme) -> str | None:
    """Return the revision that the database is at; None when it is new."""
    if not inspect(connection).has_table(scheme.version_table):
        return None
    versions = Table(scheme.version_table, MetaData(), SqlColumn("version_num", SqlText))
    return connection.execute(select(versions.c.version_num)).scalar_one_or_none()
