"""What a look at the configuration read from disk: to tell later, without reading it again, whether it is as it was."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple


class Stamp(NamedTuple):
    """A file as it is on disk; a text that is written anew has another one."""

    device: int
    inode: int
    size_bytes: int
    written_ns: int
    changed_ns: int


@dataclass(slots=True)
class FilesRead:
    """Files by path, without a stamp those that could not be read, and what each pattern of names found."""

    stamps: dict[str, Stamp | None] = field(default_factory=dict)
    matches: dict[str, list[str]] = field(default_factory=dict)

    def as_it_was(self) -> bool:
        """Tell whether all of it would be read again as it was."""
        found = all(matched(pattern) == names for pattern, names in self.matches.items())
        return found and all(stamp is not None and _stamp(path) == stamp for path, stamp in self.stamps.items())


_reading: ContextVar[FilesRead | None] = ContextVar("reading", default=None)


@contextmanager
def files_noted() -> Iterator[FilesRead]:
    """Note what is read meanwhile."""
    noted = FilesRead()
    token = _reading.set(noted)
    try:
        yield noted
    finally:
        _reading.reset(token)


def note_asked(path: str) -> None:
    """Note that a file is asked for; it counts as unreadable until it is noted as read."""
    noted = _reading.get()
    if noted is not None:
        noted.stamps[path] = None


def note_read(path: str, status: os.stat_result) -> None:
    """Note a file that is read as it is open."""
    noted = _reading.get()
    if noted is not None:
        noted.stamps[path] = _stamp_of(status)


def matched(pattern: str) -> list[str]:
    """Return the names that a pattern finds, in order, and note them."""
    names = sorted(glob.glob(pattern))  # noqa: PTH207  Path.glob takes no absolute pattern
    noted = _reading.get()
    if noted is not None:
        noted.matches[pattern] = names
    return names


def _stamp(path: str) -> Stamp | None:
    try:
        return _stamp_of(os.stat(path))  # noqa: PTH116  a path as the configuration writes it
    except OSError:
        return None


def _stamp_of(status: os.stat_result) -> Stamp:
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
