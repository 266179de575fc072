"""What the store does when the machine is not well: it says so in a sentence, and nothing is half-written."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from sentinel.core import events as e
from sentinel.store import StoreUnfit, open_store, outbox, reads
from sentinel.store.base import ResultStore, Store, StoreUnavailable, Write
from tests.real.components import where
from tests.store.lives import MINUTE, START, Life, message
from tests.store.server import Server

Opened = Callable[..., tuple[Store, ResultStore]]

KIB = 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", disk], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def fill_up(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as rubbish:
        while rubbish.write(bytes(4 * KIB)):
            pass


@pytest.mark.fault(13)
def test_a_full_disk_is_said_and_once_there_is_room_work_goes_on(small_disk: Path, opened: Opened):
    url = f"sqlite:///{small_disk}/sentinel.db"
    store, results = opened(url)
    life = Life()
    store.commit(life.open())
    kept = life.state
    fill_up(small_disk / "rubbish")
    write = life.step(e.Noted(at=START, by="alice", text="x" * 200 * KIB))
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match=r"sentinel\.db: the disk is full"):
            store.commit(write)
    assert store.incident("INC-1") == kept
    assert store.verify() == []
    (small_disk / "rubbish").unlink()
    store.commit(write)
    results.record([], [], [])
    assert store.incident("INC-1") == life.state
    assert store.verify() == []


@pytest.mark.fault(14)
def test_a_read_only_disk_is_said_at_the_start(small_disk: Path):
    url = f"sqlite:///{small_disk}/sentinel.db"
    for each in open_store(url):
        each.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreUnavailable, match=r"sentinel\.db: .*(cannot be opened|read-only|Read-only)"):
        open_store(url)


@pytest.mark.fault(15)
def test_a_locked_database_is_waited_for_within_bounds_and_reading_goes_on(tmp_path: Path, opened: Opened):
    url = f"sqlite:///{tmp_path}/sentinel.db"
    store, _ = opened(url, busy_timeout_s=0.1)
    life = Life()
    store.commit(life.open())
    kept = life.state
    write = life.step(e.Noted(at=START, by="alice", text="x"))
    other = sqlite3.connect(tmp_path / "sentinel.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match=r"sentinel\.db: another program keeps it locked"):
        store.commit(write)
    assert store.incident("INC-1") == kept
    other.execute("ROLLBACK")
    other.close()
    store.commit(write)
    assert store.incident("INC-1") == life.state


@pytest.mark.fault(17)
@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_a_file_that_was_deleted_or_replaced_takes_no_more_that_would_be_lost(
    tmp_path: Path, opened: Opened, replaced: bool
):
    store, _ = opened(f"sqlite:///{tmp_path}/sentinel.db")
    (tmp_path / "sentinel.db").rename(tmp_path / "away")
    if replaced:
        (tmp_path / "sentinel.db").touch(0o600)
    with pytest.raises(StoreUnavailable, match="was deleted or replaced while Sentinel ran"):
        store.commit(Life().open())


@pytest.mark.fault(15)
@pytest.mark.real("postgresql")
def test_a_locked_table_on_a_server_is_waited_for_within_bounds(postgresql: Server, opened: Opened):
    import psycopg

    url = postgresql.fresh()
    store, _ = opened(url, busy_timeout_s=0.1)
    life = Life()
    write = life.open()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE incident IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="another program keeps it locked"):
            store.commit(write)
    store.commit(write)
    assert store.unfinished() == [life.state]


@pytest.mark.fault(21)
@pytest.mark.real("postgresql")
def test_connections_that_the_server_closed_are_made_again(postgresql: Server, opened: Opened):
    store, _ = opened(postgresql.fresh())
    life = Life()
    store.commit(life.open())
    postgresql.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sentinel'")
    store.commit(life.step(e.Noted(at=START, by="alice", text="still here")))
    assert store.unfinished() == [life.state]


@pytest.mark.fault(23)
@pytest.mark.real("postgresql")
def test_a_database_that_is_gone_is_said(postgresql: Server, opened: Opened):
    url = postgresql.fresh()
    store, _ = opened(url)
    postgresql.run(f"DROP DATABASE {url.split('/')[3].partition('?')[0]} WITH (FORCE)")
    with pytest.raises(StoreUnavailable, match=r'database "test\d+" does not exist'):
        store.commit(Life().open())
    with pytest.raises(StoreUnavailable, match=r'database "test\d+" does not exist'):
        open_store(url)


COMMIT = """
import sys
from sentinel.core import events as e
from sentinel.store import lock, open_store
from sentinel.store.base import StoreUnavailable
from tests.store.lives import ALICE, START, Life

with lock(sys.argv[1]):
    store, _ = open_store(sys.argv[1])
    life = Life()
    store.commit(life.open())
    print("1", flush=True)
    for n in range(int(sys.argv[2])):
        before = life.state
        try:
            store.commit(life.step(e.Noted(at=START, by="alice", text="x" * 500, tell=(ALICE,))))
            print(life.state.sequence, flush=True)
        except StoreUnavailable as failure:
            life.state = before
            print("unavailable:", failure, flush=True)
"""


@pytest.mark.fault(5)
def test_a_kill_in_the_middle_of_a_thousand_commits_loses_none_that_was_acknowledged(url: str, opened: Opened):
    acknowledged = 0
    with subprocess.Popen(
        [sys.executable, "-c", COMMIT, url, "1000"], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as other:
        assert other.stdout is not None
        for line in other.stdout:
            acknowledged = int(line)
            if acknowledged == 300:
                other.kill()
    assert 300 <= acknowledged < 1001, "it was killed in the middle"
    store, _ = opened(url)
    state = store.incident("INC-1")
    assert state is not None
    # The one that was in the air may be there or not; if it is, its message is too.
    assert acknowledged <= state.sequence <= acknowledged + 1
    assert len(store.messages(limit=2000)) == state.sequence - 1
    assert store.verify() == []


@pytest.mark.fault(12, 13, 14)
@pytest.mark.real("strace")
@pytest.mark.parametrize(
    "fault",
    ["fsync,fdatasync:error=EIO:when=6..8", "pwrite64:error=EROFS:when=30..40", "pwrite64:error=ENOSPC:when=30..40"],
    ids=["sync fails", "read-only", "full"],
)
def test_a_disk_that_fails_while_running_is_said_and_nothing_unwritten_is_acknowledged(
    tmp_path: Path, opened: Opened, fault: str
):
    """The kernel answers as a disk does that is remounted read-only after an error: files are open, writing fails."""
    url = f"sqlite:///{tmp_path}/state/sentinel.db"
    for each in open_store(url):
        each.close()
    calls = fault.partition(":")[0]
    only = [arg for suffix in ("", "-wal") for arg in ("-P", f"{tmp_path}/state/sentinel.db{suffix}")]
    strace = [where("strace"), "-f", "-o", tmp_path / "trace", "-e", f"trace={calls}", *only, "-e", f"inject={fault}"]
    ended = subprocess.run(
        [*strace, sys.executable, "-c", COMMIT, url, "20"], capture_output=True, text=True, cwd=Path.cwd(), check=True
    )
    lines = ended.stdout.splitlines()
    failures = [line for line in lines if line.startswith("unavailable")]
    assert failures, lines
    wanted = "the disk is full" if "ENOSPC" in fault else "the disk reports an input/output error"
    assert all(wanted in line for line in failures), failures
    assert "unavailable" not in lines[-1], "it went on once the disk was well"
    acknowledged = [int(line) for line in lines if line not in failures]
    assert acknowledged == list(range(1, len(acknowledged) + 1))
    store, _ = opened(url)
    state = store.incident("INC-1")
    assert state is not None
    assert state.sequence == acknowledged[-1]
    assert store.verify() == []


def zero_the_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(4 * KIB))


def zero_a_page_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8 * KIB)
        file.write(bytes(4 * KIB))


def cut_it_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replace_it_by_something_else(path: Path) -> None:
    path.write_bytes(b"this was a database once" * KIB)


@pytest.mark.fault(16)
@pytest.mark.parametrize("name", ["sentinel.db", "samples.db"])
@pytest.mark.parametrize(
    "damage", [zero_the_first_page, zero_a_page_in_the_middle, cut_it_short, replace_it_by_something_else]
)
def test_a_corrupted_file_is_refused_and_kept(tmp_path: Path, name: str, damage: Callable[[Path], None]):
    url = f"sqlite:///{tmp_path}/sentinel.db"
    store, results = open_store(url)
    store.commit(Write(outbox=[message(f"INC-1/1/p{n}/sms", body=os.urandom(KIB)) for n in range(50)]))
    store.close()
    results.close()
    path = tmp_path / name
    damage(path)
    damaged = path.read_bytes()
    with pytest.raises(StoreUnfit, match=rf"{re.escape(name)}: it is corrupted .*Restore a backup"):
        open_store(url)
    assert path.read_bytes() == damaged


@pytest.mark.fault(20)
def test_a_store_full_of_work_starts_and_answers(tmp_path: Path, opened: Opened):
    """Ten thousand incidents and a hundred thousand messages: what is read at a time stays bounded."""
    url = f"sqlite:///{tmp_path}/sentinel.db"
    store, _ = opened(url)
    for first in range(1, 10_001, 1000):
        lives = [Life(f"INC-{n}") for n in range(first, first + 1000)]
        writes = [life.open() for life in lives]
        rows = [
            message(f"INC-{n}/1/p{p}/sms", at=START + n * MINUTE, urgency=1 + p % 3, body=b"x" * 300)
            for n in range(first, first + 1000)
            for p in range(10)
        ]
        store.commit(
            Write(
                events=[r for w in writes for r in w.events],
                incidents=[s for w in writes for s in w.incidents],
                outbox=rows,
            )
        )
    store.close()
    store, _ = opened(url)
    assert len(store.unfinished()) == 10_000
    assert store.last_number() == 10_000
    page = store.due(START + 20_000 * MINUTE, 100)
    assert [row.urgency for row in page] == [3] * 100
    assert page[0].incident == "INC-1"
    assert store.next_due() == START + MINUTE
    plans = queries_planned(tmp_path / "sentinel.db")
    assert plans["due"] == ["SEARCH outbox USING INDEX outbox_due (state=?)"]
    assert plans["next_due"] == ["SEARCH outbox USING INDEX outbox_next (state=?)"]
    assert plans["unfinished"] == ["SCAN incident USING INDEX incident_unfinished"]


def queries_planned(path: Path) -> dict[str, list[str]]:
    """Ask SQLite how it answers the queries that must stay quick: by an index, without sorting."""
    asked = {
        "due": outbox.DUE.params(now=START, most=100, full=["sms"], held=["sms/alice"]),
        "next_due": outbox.NEXT_DUE,
        "unfinished": reads.UNFINISHED,
    }
    connection = sqlite3.connect(path)
    plans = {}
    for name, statement in asked.items():
        query = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        plans[name] = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    connection.close()
    return plans
