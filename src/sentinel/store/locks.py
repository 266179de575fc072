"""One Sentinel a database: two would page everybody twice."""

from __future__ import annotations

import fcntl
import os
from abc import ABC, abstractmethod
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, text

from sentinel.store import files
from sentinel.store.base import StoreUnavailable
from sentinel.store.database import Place, lasting_connection, place
from sentinel.store.failures import AlreadyRunning, StoreUnfit, told_plainly

# A session of ours that the server has not missed yet, after a loss of the network, must not pass for another Sentinel.
SESSION = text("SELECT pid, backend_start AS began FROM pg_stat_activity WHERE pid = pg_backend_pid()")
END = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = :pid AND backend_start = :began")
TAKE = text("SELECT pg_try_advisory_lock(:key)")
# The number by which Sentinels on one PostgreSQL database know each other: the bytes of "sentinel".
ADVISORY_KEY = int.from_bytes(b"sentinel", "big")


class Lock(ABC):
    """The right to be the only one; it ends with the process, however that ends."""

    @abstractmethod
    def held(self) -> bool:
        """Tell whether it still holds: false when the file was replaced, or the server lost the connection."""

    @abstractmethod
    def keep(self) -> None:
        """See that it holds, and take it again where it was lost and nobody else has it.

        Raises:
            AlreadyRunning: another Sentinel has it now.
            StoreUnavailable: nobody can tell.
        """

    @abstractmethod
    def release(self) -> None:
        """Let the next one have it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock(url: str) -> Lock:
    """Become the only Sentinel on a database, before it is opened.

    Raises:
        AlreadyRunning: there is one already.
        StoreUnfit: the folder cannot be used.
        StoreUnavailable: the server does not answer.
    """
    where = place(url)
    return FileLock(where.path) if where.path else ServerLock(where)


class FileLock(Lock):
    """``flock`` on a file beside the database, which holds the process id of its owner."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._file = self._acquire()

    def _acquire(self) -> int:
        files.prepare(self._path)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StoreUnfit(f"{self._path}: it cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(file, 20).decode(errors="replace").strip() or "unknown"
            os.close(file)
            raise AlreadyRunning(f"{self._database}: another Sentinel, process {owner}, works on it.") from None
        with suppress(OSError):  # On a full disk the lock holds all the same.
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return file

    def keep(self) -> None:
        """See that the file is still the one that was locked; lock the one that took its place."""
        if self.held():
            return
        if not self._database.exists():  # A disk that is gone must not get a file in its place.
            raise StoreUnfit(f"{self._database}: it is not there any more.")
        lost, self._file = self._file, self._acquire()
        os.close(lost)

    def held(self) -> bool:
        """Tell whether the file is still the one that was locked."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError:
            return False

    def release(self) -> None:
        """Let the next one have it; the file stays, since removing it would let two in."""
        os.close(self._file)


class ServerLock(Lock):
    """An advisory lock of PostgreSQL, on a connection of its own."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._session: dict[str, Any] = {}
        self._connection: Connection | None = self._acquire()

    def _acquire(self) -> Connection:
        with told_plainly(self._where.name), ExitStack() as opened:
            connection = opened.enter_context(lasting_connection(self._where))
            if self._session:
                connection.execute(END, self._session)
            if not connection.execute(TAKE, {"key": ADVISORY_KEY}).scalar_one():
                raise AlreadyRunning(f"{self._where.name}: another Sentinel works on it.")
            self._session = dict(connection.execute(SESSION).mappings().one())
            opened.pop_all()
        return connection

    def held(self) -> bool:
        """Tell whether the server still knows the connection; without it, it has given up the lock."""
        if self._connection is None:
            return False
        try:
            with told_plainly(self._where.name):
                self._connection.execute(text("SELECT 1")).scalar_one()
        except StoreUnavailable:
            self.release()  # What is broken stays so.
            return False
        return True

    def keep(self) -> None:
        """See that the server still knows the connection; make another where it does not."""
        if not self.held():
            self._connection = self._acquire()

    def release(self) -> None:
        """Let the next one have it."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
