"""A PostgreSQL of our own: a fresh cluster in a temporary folder, reached by a socket in it, gone afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.real.components import where
from tests.waiting import wait_until

START_LIMIT_S = 60
# Speed for tests; what survives a power cut is not PostgreSQL's to prove here.
QUICK = ("fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=16MB", "listen_addresses=")


class Server:
    """A running server that makes databases on demand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count(1)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def fresh(self) -> str:
        """Make an empty database; return its URL."""
        name = f"test{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    def wait(self) -> None:
        """Wait until it answers again after a crash."""
        wait_until(lambda: _answers(self), "PostgreSQL is back")

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running() -> Iterator[Server]:
    """Run a server for as long as the block lasts."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    owner = "postgres" if os.geteuid() == 0 else None  # The server refuses to run as root.
    if owner:
        shutil.chown(folder, owner)
    binaries = where("postgresql").parent
    cluster = folder / "cluster"
    initdb = [binaries / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    try:
        subprocess.run(initdb, user=owner, check=True, capture_output=True, cwd=folder)
        settings = [f"-c{setting}" for setting in (*QUICK, f"unix_socket_directories={folder}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", cluster, *settings], user=owner, stdout=log, stderr=log, cwd=folder
            )
        try:
            server = Server(folder)
            _await(server, process)
            yield server
        finally:
            process.terminate()
            if process.poll() is None:
                process.send_signal(3)  # SIGQUIT: at once; nobody needs the data any more.
            process.wait(START_LIMIT_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _await(server: Server, process: subprocess.Popen[bytes]) -> None:
    log = server.folder / "log"

    def answers() -> bool:
        assert process.poll() is None, f"PostgreSQL ended: {log.read_text()}"
        return _answers(server)

    wait_until(answers, f"PostgreSQL answers (see {log})")


def _answers(server: Server) -> bool:
    try:
        server.run("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
