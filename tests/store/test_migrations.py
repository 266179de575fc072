"""The migrations make exactly the tables, and a crash in the middle leaves the old ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine, inspect, text

from sentinel.store import StoreUnfit, migrate, open_to_read, tables
from sentinel.store.base import ResultStore, Store
from sentinel.store.database import Database, Mode, place
from tests.store.lives import Life

Opened = Callable[..., tuple[Store, ResultStore]]

HEAD = int(migrate.STATE.head.partition(".")[2])
ANOTHER = """
import os, signal
from alembic import op
import sqlalchemy as sa

revision = "1.{next}"
down_revision = "1.{head}"

def upgrade():
    op.create_table("half", sa.Column("a", sa.Integer))
    op.add_column("incident", sa.Column("more", sa.Integer))
    {crash}
    op.create_table("rest", sa.Column("a", sa.Integer))
"""
CRASH = "os.kill(os.getpid(), signal.SIGKILL)"


def database(url: str) -> Database:
    return Database(place(url), Mode())


@pytest.mark.parametrize(
    ("scheme", "metadata"), [(migrate.STATE, tables.STATE), (migrate.RESULTS, tables.RESULTS)], ids=["state", "results"]
)
def test_the_migrations_make_exactly_the_tables(url: str, scheme: migrate.Scheme, metadata: MetaData):
    made = database(url)
    migrate.migrate(made, scheme)
    assert differences(made, scheme, metadata) == []
    made.close()


def test_a_table_an_index_or_a_column_that_no_migration_makes_would_be_noticed(url: str):
    made = database(url)
    migrate.migrate(made, migrate.RESULTS)
    wanted = MetaData()
    for table in tables.RESULTS.sorted_tables:
        table.to_metadata(wanted)
    Table("forgotten", wanted, Column("a", Integer))
    wanted.tables["series"].append_column(Column("forgotten", Integer))
    Index("forgotten", wanted.tables["probe_state"].c.target)
    kinds = {difference[0] for difference in differences(made, migrate.RESULTS, wanted)}
    assert kinds == {"add_table", "add_column", "add_index"}
    made.close()


def differences(made: Database, scheme: migrate.Scheme, metadata: MetaData) -> list[tuple[object, ...]]:
    with made.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": scheme.version_table})
        return compare_metadata(context, metadata)


@pytest.mark.parametrize("scheme", [migrate.STATE, migrate.RESULTS], ids=["state", "results"])
def test_the_tables_name_the_last_revision(scheme: migrate.Scheme):
    settings = Config()
    settings.set_main_option("path_separator", "newline")
    settings.set_main_option("script_location", str(migrate.FOLDER))
    settings.set_main_option("version_locations", str(scheme.revisions))
    assert ScriptDirectory.from_config(settings).get_current_head() == scheme.head


def test_migrating_twice_changes_nothing(url: str, opened: Opened):
    store, _ = opened(url)
    life = Life()
    store.commit(life.open())
    assert opened(url)[0].unfinished() == [life.state]


def one_more_revision(folder: Path, crash: str) -> migrate.Scheme:
    """Make a folder with our migrations and one more after them."""
    revisions = folder / "revisions"
    revisions.mkdir()
    for ours in (migrate.FOLDER / "state").glob("*.py"):
        (revisions / ours.name).write_text(ours.read_text())
    return rewritten(migrate.Scheme("state", revisions, f"1.{HEAD + 1}"), crash)


def rewritten(scheme: migrate.Scheme, crash: str) -> migrate.Scheme:
    """Write the migration after ours anew."""
    (scheme.revisions / "another.py").write_text(ANOTHER.format(crash=crash, head=HEAD, next=HEAD + 1))
    return scheme


MIGRATE = """
import sys
from pathlib import Path
from sentinel.store import migrate
from sentinel.store.database import Database, Mode, place
migrate.migrate(Database(place(sys.argv[1]), Mode()), migrate.Scheme("state", Path(sys.argv[2]), sys.argv[3]))
"""


@pytest.mark.fault(7)
def test_a_kill_in_the_middle_of_a_migration_leaves_the_old_tables_and_the_data(
    url: str, opened: Opened, tmp_path: Path
):
    store, _ = opened(url)
    life = Life()
    store.commit(life.open())
    scheme = one_more_revision(tmp_path, CRASH)
    migrating = [sys.executable, "-c", MIGRATE, url, scheme.revisions, scheme.head]
    ended = subprocess.run(migrating, env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    made = database(url)
    with made.read() as connection:
        assert not inspect(connection).has_table("half")
        assert migrate.revision(connection, migrate.STATE) == migrate.STATE.head
    assert store.verify() == []
    rewritten(scheme, "")
    migrate.migrate(made, scheme)
    with made.read() as connection:
        assert inspect(connection).has_table("rest")
        assert migrate.revision(connection, migrate.STATE) == scheme.head
    made.close()
    assert opened(url)[0].unfinished() == [life.state]


@pytest.mark.fault(63)
def test_a_newer_minor_version_is_worked_on_and_keeps_what_it_added(url: str, opened: Opened, tmp_path: Path):
    opened(url)
    made = database(url)
    migrate.migrate(made, one_more_revision(tmp_path, ""))
    made.close()
    store, _ = opened(url)
    life = Life()
    store.commit(life.open())
    assert store.incident("INC-1") == life.state
    assert store.verify() == []


def test_a_newer_major_version_is_refused(url: str, opened: Opened):
    opened(url)
    engine = create_engine(place(url).url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE state_version SET version_num = '2.0'"))
    engine.dispose()
    with pytest.raises(StoreUnfit, match=r"written by a newer Sentinel \(tables 2\.0, ours 1\.\d+\)"):
        opened(url)


def test_who_only_looks_does_not_migrate(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/sentinel.db"
    with pytest.raises(StoreUnfit, match="there is no database"):
        open_to_read(url)
    (tmp_path / "sentinel.db").touch(0o600)
    with pytest.raises(StoreUnfit, match="it is empty or of an older Sentinel"):
        open_to_read(url)
