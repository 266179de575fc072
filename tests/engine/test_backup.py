"""The program that backs up: its end, its last words, its time limit, and nothing left of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.engine.backup import Backups
from tests.waiting import alive, until


@pytest.fixture
def backups() -> Iterator[Backups]:
    made = Backups()
    yield made
    made.stop()


@pytest.mark.rule("CHG-3")
async def test_a_backup_that_ends_well_is_made(backups: Backups):
    assert await backups.run(["/bin/sh", "-c", "echo one; echo two; exit 0"], 10) == (True, "two")


@pytest.mark.rule("CHG-3")
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no space left >&2; exit 3", "exit code 3: no space left"),
        ("kill -9 $$", "signal 9"),
        ("exec >&-; exit 1", "exit code 1"),
    ],
)
async def test_a_backup_that_fails_says_why(backups: Backups, script: str, why: str):
    ok, said = await backups.run(["/bin/sh", "-c", script], 10)
    assert not ok
    assert why in said


async def test_a_program_that_is_not_there_is_a_failure(backups: Backups):
    assert await backups.run(["/nowhere/full-backup"], 10) == (False, "/nowhere/full-backup: No such file or directory")


@pytest.mark.rule("CHG-3")
async def test_a_backup_that_takes_too_long_is_ended_with_all_it_started(backups: Backups, tmp_path: Path):
    pid = tmp_path / "pid"
    ok, said = await backups.run(["/bin/sh", "-c", f"sleep 600 & echo $! > {pid}; wait"], 1)
    assert not ok
    assert "did not end within 1 s" in said
    await until(lambda: not alive(int(pid.read_text())))


async def test_what_it_prints_may_be_endless(backups: Backups):
    ok, said = await backups.run(["/bin/sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo done"], 30)
    assert (ok, said) == (True, "done")
