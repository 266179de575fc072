"""Database files on disk: made for their owner alone, and refused when others can read or swap them (threat T34)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sentinel.store.failures import StoreUnfit

FILE_MODE = 0o600
FOLDER_MODE = 0o700
OTHERS = stat.S_IRWXG | stat.S_IRWXO
WRITTEN_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
# What SQLite keeps beside a database.
COMPANIONS = ("", "-wal", "-shm", "-journal")


def prepare(path: Path) -> None:
    """Make the folder and the file if they are absent, and check those that are there.

    Raises:
        StoreUnfit: others could read or replace them, or they cannot be made.
    """
    try:
        if not path.parent.is_dir():
            _make_folder(path.parent)
        make(path)
        check(path)
    except OSError as error:
        raise StoreUnfit(f"{path}: it cannot be made or read: {error.strerror}.") from error


def _make_folder(folder: Path) -> None:
    """Make a folder whose name outlives a power cut: SQLite syncs the folder of a database, nobody those above it."""
    made = [one for one in (folder, *folder.parents) if not one.is_dir()]
    folder.mkdir(mode=FOLDER_MODE, parents=True)
    folder.chmod(FOLDER_MODE)
    for one in made:
        above = os.open(one.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(above)
        finally:
            os.close(above)


def make(path: Path) -> None:
    """Make an empty file that nobody else was ever able to open; leave an existing one alone."""
    try:
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, FILE_MODE)
    except FileExistsError:
        return
    os.fchmod(file, FILE_MODE)  # A stranger umask may have taken more away.
    os.close(file)


def check(path: Path) -> None:
    """Refuse files that others can read or write, and folders in which others can replace them.

    Raises:
        StoreUnfit: naming the file and the command that mends it.
    """
    for suffix in COMPANIONS:
        file = path.with_name(path.name + suffix)
        if file.exists() and (mode := stat.S_IMODE(file.stat().st_mode)) & OTHERS:
            raise StoreUnfit(f"{file}: other users can open it (mode {mode:04o}). Run: chmod 600 {file}")
    mode = stat.S_IMODE(path.parent.stat().st_mode)
    if mode & WRITTEN_BY_OTHERS and not mode & stat.S_ISVTX:
        raise StoreUnfit(
            f"{path.parent}: other users can replace the files in it (mode {mode:04o}). Run: chmod 700 {path.parent}"
        )
    if not path.is_file():
        raise StoreUnfit(f"{path}: it is not a regular file.")


def size_bytes(path: Path) -> int:
    """Return what a database and its companions take on disk."""
    files = (path.with_name(path.name + suffix) for suffix in COMPANIONS)
    return sum(file.stat().st_size for file in files if file.exists())
