"""One Sentinel a database: two would page everybody twice."""

from __future__ import annotations

import fcntl
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, text

from sentinel.store import files
from sentinel.store.base import StoreUnavailable
from sentinel.store.database import Place, lasting_connection, place
from sentinel.store.failures import AlreadyRunning, StoreUnfit, told_plainly

# The number by which Sentinels on one PostgreSQL database know each other: the bytes of "sentinel".
ADVISORY_KEY = int.from_bytes(b"sentinel", "big")


class Lock(ABC):
    """The right to be the only one; it ends with the process, however that ends."""

    @abstractmethod
    def held(self) -> bool:
        """Tell whether it still holds: false when the file was replaced, or the server lost the connection."""

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
        self._path = database.with_name(database.name + ".lock")
        files.prepare(self._path)
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise StoreUnfit(f"{self._path}: it cannot be opened: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise AlreadyRunning(f"{database}: another Sentinel, process {owner}, works on it.") from None
        with suppress(OSError):  # On a full disk the lock holds all the same.
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

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
        self._name = where.name
        self._connection = self._acquire(where)

    def _acquire(self, where: Place) -> Connection:
        with told_plainly(self._name):
            connection = lasting_connection(where)
            taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_KEY}).scalar_one()
        if not taken:
            connection.close()
            raise AlreadyRunning(f"{self._name}: another Sentinel works on it.")
        return connection

    def held(self) -> bool:
        """Tell whether the server still knows the connection; without it, it has given up the lock."""
        try:
            with told_plainly(self._name):
                self._connection.execute(text("SELECT 1")).scalar_one()
        except StoreUnavailable:
            return False
        return True

    def release(self) -> None:
        """Let the next one have it."""
        self._connection.close()
