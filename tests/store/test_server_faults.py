"""A server that dies, is not heard any more or refuses: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sentinel.core import events as e
from sentinel.store.base import Conflict, ResultStore, Store, StoreUnavailable
from tests.store import server
from tests.store.lives import ALICE, START, Life
from tests.store.test_faults import COMMIT

pytestmark = pytest.mark.real("postgresql")
Opened = Callable[..., tuple[Store, ResultStore]]
COMMITS = 400
SOCKET = ".s.PGSQL.5432"
REFUSALS = """
CREATE SEQUENCE turn;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('turn') % 2 = 1 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION refuse();
"""


class Between:
    """Stands between clients and their server; once armed, it keeps the answer to a COMMIT and cuts that connection."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._server = folder / "between", folder / SOCKET
        self.folder.mkdir()
        self.armed = threading.Event()
        self._open: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, upstream = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
                upstream.connect(str(self._server))
                self._open += [client, upstream]
                asked = threading.Event()
                for carry in (self._questions, self._answers):
                    threading.Thread(target=carry, args=(client, upstream, asked), daemon=True).start()

    def _questions(self, client: socket.socket, upstream: socket.socket, asked: threading.Event) -> None:
        with suppress(OSError):
            while content := client.recv(65_536):
                if b"COMMIT\0" in content and self.armed.is_set():
                    self.armed.clear()
                    asked.set()
                upstream.sendall(content)
        end(client, upstream)

    def _answers(self, client: socket.socket, upstream: socket.socket, asked: threading.Event) -> None:
        with suppress(OSError):
            while (content := upstream.recv(65_536)) and not asked.is_set():
                client.sendall(content)
        end(client, upstream)

    def close(self) -> None:
        for each in (self._listener, *self._open):
            end(each)
            each.close()


def end(*sockets: socket.socket) -> None:
    for each in sockets:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def between(postgresql: server.Server) -> Iterator[Between]:
    made = Between(postgresql.folder)
    yield made
    made.close()
    (made.folder / SOCKET).unlink()
    made.folder.rmdir()


@pytest.mark.fault(22)
@pytest.mark.rule("DSP-3")
def test_a_commit_whose_answer_is_lost_is_not_made_twice(postgresql: server.Server, between: Between, opened: Opened):
    store, _ = opened(postgresql.fresh().replace(str(postgresql.folder), str(between.folder)))
    life = Life()
    store.commit(life.open())
    write = life.step(e.Noted(at=START, by="alice", text="is it there?", tell=(ALICE,)))
    between.armed.set()
    with pytest.raises(StoreUnavailable):
        store.commit(write)
    assert not between.armed.is_set(), "the answer was kept"
    with pytest.raises(Conflict, match="the log ends at 2"):
        store.commit(write)
    assert store.incident("INC-1") == life.state
    assert len(store.messages(limit=10)) == 1
    assert store.verify() == []


@pytest.mark.fault(21)
@pytest.mark.rule("DSP-3")
def test_a_server_that_dies_between_commits_loses_none_that_was_acknowledged(postgresql: server.Server, opened: Opened):
    """One of its processes is killed: it ends all of them at once, and begins anew from its log."""
    url, acknowledged = postgresql.fresh(), 0
    command = [sys.executable, "-c", COMMIT, url, str(COMMITS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()) as other:
        assert other.stdout is not None
        for line in other.stdout:
            if line.startswith("unavailable"):
                break
            acknowledged = int(line)
            if acknowledged == COMMITS // 4:
                found = postgresql.run("SELECT pid FROM pg_stat_activity WHERE application_name = 'sentinel'")
                os.kill(int(str(found[0][0])), signal.SIGKILL)
        other.kill()
    assert COMMITS // 4 <= acknowledged < COMMITS, "it died between commits"
    postgresql.wait()
    store, _ = opened(url)
    state = store.incident("INC-1")
    assert state is not None
    assert acknowledged <= state.sequence <= acknowledged + 1
    assert len(store.messages(limit=COMMITS)) == state.sequence - 1
    assert store.verify() == []


@pytest.mark.fault(25)
@pytest.mark.parametrize("code", ["40001", "40P01"], ids=["serialization", "deadlock"])
def test_what_a_server_refuses_because_of_what_others_do_is_run_again(
    postgresql: server.Server, opened: Opened, code: str
):
    url = postgresql.fresh()
    store, _ = opened(url)
    postgresql.run(REFUSALS.format(code=code), url.split("/")[3].partition("?")[0])
    life = Life()
    for write in [life.open()] + [life.step(e.Noted(at=START, by="bob", text=str(n), tell=(ALICE,))) for n in range(5)]:
        store.commit(write)
    assert store.incident("INC-1") == life.state
    assert len(store.messages(limit=10)) == 5
    assert store.verify() == []
