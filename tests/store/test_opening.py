"""Opening a store: where it is, who may read it, and that there is only one Sentinel on it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from sentinel.store import AlreadyRunning, Lock, StoreUnfit, database_path, lock, open_store, open_to_read
from sentinel.store.base import ResultStore, Store, StoreUnavailable
from sentinel.store.database import Database, Mode, place
from tests.store.lives import Life
from tests.store.server import Server
from tests.waiting import wait_until

Opened = Callable[..., tuple[Store, ResultStore]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def file_url(folder: Path) -> str:
    return f"sqlite:///{folder}/sentinel.db"


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_files_are_for_their_owner_alone_whatever_the_umask(folder: Path, file_url: str, opened: Opened, mask: int):
    with umask(mask), lock(file_url):
        opened(file_url)[0].commit(Life().open())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.iterdir()]}
    assert modes.pop("state") == 0o700
    assert {"sentinel.db", "sentinel.db-wal", "samples.db", "sentinel.db.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("name", ["sentinel.db", "sentinel.db-wal", "samples.db"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602])
def test_a_file_that_others_can_open_is_refused(folder: Path, file_url: str, opened: Opened, name: str, mode: int):
    opened(file_url)[0].commit(Life().open())
    (folder / name).chmod(mode)
    with pytest.raises(StoreUnfit, match=rf"{name}: other users can open it \(mode {mode:04o}\). Run: chmod 600"):
        open_store(file_url)


def test_a_folder_in_which_others_can_replace_files_is_refused(folder: Path, file_url: str, opened: Opened):
    opened(file_url)
    folder.chmod(0o770)
    with pytest.raises(StoreUnfit, match=r"state: other users can replace the files in it \(mode 0770\)"):
        open_store(file_url)


def test_a_folder_that_others_may_only_list_is_no_reason_to_refuse(folder: Path, file_url: str, opened: Opened):
    folder.mkdir(mode=0o755)
    opened(file_url)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnfit, match=r"file/state/sentinel\.db: it cannot be made or read: Not a directory"):
        open_store(f"sqlite:///{tmp_path}/file/state/sentinel.db")


def test_a_folder_in_place_of_the_database_is_a_clear_error(tmp_path: Path):
    (tmp_path / "sentinel.db").mkdir(mode=0o700)
    with pytest.raises(StoreUnfit, match="it is not a regular file"):
        open_store(f"sqlite:///{tmp_path}/sentinel.db")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sentinel.db", "storage.url: it must look like sqlite:////var/lib/sentinel/sentinel.db"),
        ("mysql://localhost/x", "storage.url: mysql is not supported"),
        ("sqlite://", "it names no file"),
        ("sqlite:///:memory:", "it names no file"),
    ],
)
def test_what_is_no_database_of_ours_is_a_clear_error(url: str, complaint: str):
    with pytest.raises(StoreUnfit, match=complaint):
        open_store(url)


def test_without_the_driver_postgresql_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreUnfit, match=r"pip install 'sentinel-ops\[postgresql\]'"):
        open_store("postgresql://localhost/sentinel")


def test_a_password_never_shows():
    with pytest.raises(StoreUnavailable) as failure:
        open_store("postgresql://alice:hunter2@127.0.0.1:1/sentinel")
    assert "127.0.0.1:1/sentinel" in str(failure.value)
    assert "hunter2" not in str(failure.value)


def test_samples_lie_beside_the_database(tmp_path: Path, opened: Opened):
    opened(f"sqlite:///{tmp_path}/sentinel.db")
    opened(f"sqlite:///{tmp_path}/other.db")
    names = {path.name for path in tmp_path.iterdir() if path.suffix == ".db"}
    assert names == {"sentinel.db", "samples.db", "other.db", "other-samples.db"}


def test_samples_can_lie_elsewhere(tmp_path: Path, opened: Opened):
    opened(f"sqlite:///{tmp_path}/a/sentinel.db", results_url=f"sqlite:///{tmp_path}/b/results.db")
    assert not (tmp_path / "a" / "samples.db").exists()
    assert (tmp_path / "b" / "results.db").exists()


def test_the_path_of_a_database_is_absolute_and_a_server_has_none(tmp_path: Path):
    assert database_path(f"sqlite:///{tmp_path}/x.db") == tmp_path / "x.db"
    assert database_path("sqlite:///x.db") == Path.cwd() / "x.db"
    assert database_path("postgresql://localhost/sentinel") is None


@pytest.mark.parametrize(
    ("synchronous", "wanted", "samples"), [("full", 2, 1), ("normal", 1, 1)], ids=["full", "normal"]
)
def test_what_must_not_be_lost_is_on_disk_before_commit_returns(
    file_url: str, synchronous: str, wanted: int, samples: int
):
    """SQLite has no way to ask another connection, so the pragmas are asked where they were set."""
    database = Database(place(file_url), Mode(synchronous))
    with database.write() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": wanted, "foreign_keys": 1}


@pytest.mark.real("postgresql")
def test_postgresql_waits_for_its_disk_too(postgresql: Server):
    for synchronous, wanted in (("full", "on"), ("normal", "off")):
        database = Database(place(postgresql.fresh()), Mode(synchronous))
        with database.write() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar_one() == wanted
        database.close()


@pytest.mark.fault(18)
def test_a_second_sentinel_is_refused_until_the_first_is_gone(url: str):
    with lock(url) as first:
        assert first.held()
        with pytest.raises(AlreadyRunning, match="another Sentinel"):
            lock(url)
    lock(url).release()


HOLD = """
import sys
from sentinel.store import lock
held = lock(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_ends_with_its_process_however_that_ends(url: str):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunning) as refusal:
            lock(url)
        if url.startswith("sqlite"):
            assert f"process {other.pid}," in str(refusal.value)
        other.kill()
        other.wait(30)
        taken_after(url)


def taken_after(url: str) -> None:
    """Take the lock; a server needs a moment to notice that a client is gone."""

    def taken() -> bool:
        try:
            lock(url).release()
        except AlreadyRunning:
            return False
        return True

    wait_until(taken, "the lock of a dead process is free")


@pytest.mark.fault(17, 18)
def test_a_lock_whose_file_was_replaced_is_held_no_more(folder: Path, file_url: str):
    with lock(file_url) as held:
        (folder / "sentinel.db.lock").unlink()
        assert not held.held()
        with pytest.raises(StoreUnfit, match="not there any more"):
            held.keep()
        (folder / "sentinel.db").touch()
        held.keep()
        assert held.held()
        with pytest.raises(AlreadyRunning):
            lock(file_url)


@pytest.mark.real("postgresql")
def test_a_lock_whose_server_closed_the_connection_is_held_no_more(postgresql: Server):
    with lock(postgresql.fresh()) as held:
        postgresql.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sentinel-lock'"
        )
        assert not held.held()
        assert not held.held(), "however often it is asked"
        held.keep()
        assert held.held()


def test_who_finds_another_in_its_place_has_no_lock_and_gets_it_back_when_that_one_is_gone(
    url: str, request: pytest.FixtureRequest
):
    with lock(url) as held:
        lose(url, request)
        with lock(url):
            assert not held.held()
            with pytest.raises(AlreadyRunning):
                held.keep()
        wait_until(lambda: kept(held), "the lock of who is gone is free")
        assert held.held()


def lose(url: str, request: pytest.FixtureRequest) -> None:
    """Take away what a lock is held by."""
    if url.startswith("sqlite"):
        database = Path(url.removeprefix("sqlite:///"))
        database.touch()
        database.with_name("sentinel.db.lock").unlink()
        return
    give_up = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sentinel-lock'"
    request.getfixturevalue("postgresql").run(give_up)


def kept(held: Lock) -> bool:
    with suppress(AlreadyRunning):
        held.keep()
        return True
    return False


def test_looking_works_with_and_without_a_daemon_and_without_the_right_to_write(file_url: str, folder: Path):
    store, results = open_store(file_url)
    life = Life()
    store.commit(life.open())
    while_running = open_to_read(file_url)
    assert while_running.unfinished() == [life.state]
    while_running.close()
    store.close()
    results.close()
    afterwards = open_to_read(file_url)
    assert afterwards.verify() == []
    with pytest.raises(StoreUnavailable, match="read-only"):
        afterwards.commit(Life("INC-2").open())
    afterwards.close()
