"""A disk that takes nothing: critical pages leave all the same, it is said, and later all of it is written down."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from sqlite3 import connect

import pytest

from tests.faults.daemon import Launcher, Site, site
from tests.real.components import where

KIB = 1024
REPORT = {"title": "a person sees it too", "level": 2, "by": "alice"}
FAILED_ONCE = "SELECT id FROM outbox WHERE kind = 'message' AND state = 'pending' AND tries >= 1"


def fill_up(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as rubbish:
        while rubbish.write(bytes(4 * KIB)):
            pass


@contextmanager
def read_only(practice: Site) -> Iterator[None]:
    """Let the kernel answer as a file system does that went read-only under its open files: writing fails."""
    assert practice.process is not None
    database = practice.database.removeprefix("sqlite:///")
    folder = Path(database).parent
    only = [
        arg for name in ("sentinel", "samples") for end in ("", "-wal") for arg in ("-P", folder / f"{name}.db{end}")
    ]
    calls = "pwrite64,ftruncate,fdatasync,fsync"
    command = [where("strace"), "-f", "-p", str(practice.process.pid), "-o", "/dev/null", "-e", f"trace={calls}", *only]
    tracer = subprocess.Popen([*command, "-e", f"inject={calls}:error=EROFS"], stderr=subprocess.PIPE)
    try:
        assert tracer.stderr is not None
        assert b"attached" in tracer.stderr.readline()
        yield
    finally:
        tracer.terminate()
        tracer.communicate()


@contextmanager
def full(practice: Site) -> Iterator[None]:
    rubbish = Path(practice.database.removeprefix("sqlite:///")).with_name("rubbish")
    fill_up(rubbish)
    try:
        yield
    finally:
        rubbish.unlink()


@contextmanager
def locked(practice: Site) -> Iterator[None]:
    with closing(connect(practice.database.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.fault(13, 14, 15)
@pytest.mark.rule("DSP-3")
@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (full, "the disk is full"),
        pytest.param(read_only, "input/output error", marks=pytest.mark.real("strace")),
        (locked, "another program keeps it locked"),
    ],
)
async def test_a_page_leaves_though_it_cannot_be_written(
    tmp_path: Path, small_disk: Path, launcher: Launcher, trouble: object, why: str
):
    async with site(tmp_path, launcher, state=small_disk) as practice:
        await practice.start()
        with trouble(practice):  # type: ignore[operator]
            practice.target.status = 503
            await practice.until(lambda: practice.gateway.texts and practice.relay.mails, "the pages")
            await practice.until(lambda: not practice.ready(), "word that it is not well")
            assert why in (await practice.ask("/api/v1/status"))[1]
            assert (await practice.ask("/-/healthy"))[0] == 200
            status, said = await practice.ask("/api/v1/incidents", "POST", REPORT)
            assert (status, why in said) == (503, True), "what is not on disk is not said to be"
            assert practice.numbers() == []
        await practice.until(practice.settled, "the incident, written at last")
        await practice.until(practice.ready, "word that all is well again")
        practice.target.status = 200
        await practice.until(lambda: "resolved" in practice.told() and practice.settled(), "the all-clear")
        await practice.stop()
        with practice.store() as store:
            assert store.verify() == []
        assert practice.numbers() == ["INC-1"]
        copies = practice.copies()
        assert copies["inc-1.2.alice.sms"] == copies["inc-1.2.alice.email"] == 2, "unrecorded, and then recorded"
        assert copies.keys() == practice.owed().keys()


@pytest.mark.fault(13)
@pytest.mark.rule("DSP-3")
async def test_a_page_that_is_owed_does_not_wait_for_the_disk(tmp_path: Path, small_disk: Path, launcher: Launcher):
    """It was written, could not leave, and when it could the disk was full: it leaves, once."""
    async with site(tmp_path, launcher, state=small_disk) as practice:
        practice.gateway.status = 503
        practice.config["escalations"]["on-call"][0]["by"] = ["sms"]
        practice.config["people"]["alice"].pop("email")
        await practice.start(patience_s=1.0)
        practice.target.status = 503
        await practice.until(lambda: practice.rows(FAILED_ONCE), "a burst of tries, written down")
        with full(practice):
            practice.gateway.status = 200
            tried = len(practice.gateway.received)
            await practice.until(lambda: len(practice.gateway.received) > tried, "the page")
        await practice.until(practice.settled, "its receipt")
        await practice.stop()
        assert len(practice.gateway.received) == tried + 1
