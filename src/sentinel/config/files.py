"""The files of a configuration: the one named, and those it includes, joined into one tree."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

from sentinel.config import noting
from sentinel.config.errors import Mistakes, Path, Place
from sentinel.config.nodes import Mapping, Node, Scalar, Sequence, parse

FILE_MAX_BYTES: Final = 4 << 20
FILES_MAX: Final = 1000

# Sections whose entries have names: several files may add to them. All others are given once.
NAMED: Final = frozenset(
    {"calendars", "channels", "crises", "escalations", "groups", "people", "probes", "rotas", "services", "sla"}
)


@dataclass(slots=True)
class Tree:
    """All files read, as one mapping; ``digest`` changes with any of their texts."""

    root: Mapping
    files: list[str] = field(default_factory=list)
    digest: str = ""


class _Reader:
    def __init__(self, mistakes: Mistakes) -> None:
        self.mistakes = mistakes
        self.files: list[str] = []
        self.hash = hashlib.sha256()
        self._seen: set[str] = set()

    def read(self, path: str, asked_at: tuple[Place, Path], chain: tuple[str, ...] = ()) -> list[Mapping]:
        """Return the mapping of a file and those of the files it includes, itself first."""
        real = os.path.realpath(path)
        if real in chain:
            self.mistakes.add(*asked_at, f"`{path}` includes itself")
            self.mistakes.fatal = True
            return []
        if real in self._seen:
            return []
        self._seen.add(real)
        self.files.append(path)
        text = self._text(path, asked_at)
        if text is None:
            return []
        self.hash.update(f"{path}\0{text}\0".encode())
        return self._joined(path, parse(text, path, self.mistakes), (*chain, real))

    def _joined(self, path: str, root: Node | None, chain: tuple[str, ...]) -> list[Mapping]:
        if root is None or (isinstance(root, Scalar) and root.text is None):
            return [Mapping(Place(path, 1, 1))]
        if not isinstance(root, Mapping):
            self.mistakes.add(root.place, (), "the file does not hold a mapping", "start with `probes:`")
            self.mistakes.fatal = True
            return []
        found = [root]
        for place, at, pattern in self._patterns(root):
            for name in self._matches(path, pattern, place, at):
                found += self.read(name, (place, at), chain)
        return found

    def _patterns(self, root: Mapping) -> list[tuple[Place, Path, str]]:
        if "include" not in root.items:
            return []
        _, node = root.items["include"]
        items = node.items if isinstance(node, Sequence) else [node]
        found: list[tuple[Place, Path, str]] = []
        for number, item in enumerate(items):
            at: Path = ("include", number) if isinstance(node, Sequence) else ("include",)
            if isinstance(item, Scalar) and item.text and "\0" not in item.text:
                found.append((item.place, at, item.text))
            elif not (isinstance(item, Scalar) and item.text is None and not isinstance(node, Sequence)):
                self.mistakes.add(item.place, at, "this is not a file name", "write `include: [conf.d/*.yaml]`")
        return found

    def _matches(self, path: str, pattern: str, place: Place, at: Path) -> list[str]:
        full = os.path.normpath(os.path.join(os.path.dirname(path), pattern))  # noqa: PTH118, PTH120  shown as written
        if not glob.has_magic(pattern):
            return [full]
        names = noting.matched(full)
        if len(self.files) + len(names) > FILES_MAX:
            self.mistakes.add(place, at, f"more than {FILES_MAX} files are included")
            return []
        return names

    def _text(self, path: str, asked_at: tuple[Place, Path]) -> str | None:
        place, at = asked_at
        try:
            raw = read_regular_file(path, FILE_MAX_BYTES)
        except OSError as error:
            what = f"cannot be read: {error.strerror}" if not at else f"`{path}` cannot be read: {error.strerror}"
            self.mistakes.add(place, at, what)
            self.mistakes.fatal = True
            return None
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = raw[: error.start].decode("utf-8", "replace")
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
            self.mistakes.add(Place(path, line, column), (), "this is not UTF-8 text", "save the file as UTF-8")
            self.mistakes.fatal = True
            return None


def read_regular_file(path: str, size_max_bytes: int) -> bytes:
    """Read a file whole.

    Raises:
        OSError: it cannot be read, is no regular file (a pipe would hang), or is larger than allowed.
    """
    noting.note_asked(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file")
        raw = file.read(size_max_bytes + 1)
        noting.note_read(path, status)  # As it was before: a write in between shows later as another stamp.
    if len(raw) > size_max_bytes:
        raise OSError(0, f"it is larger than {size_max_bytes >> 10} KiB")
    return raw


def read_tree(path: FilePath, mistakes: Mistakes) -> Tree:
    """Read a configuration and what it includes."""
    reader = _Reader(mistakes)
    parts = reader.read(str(path), (Place(str(path), 1, 1), ()))
    root = parts[0] if parts else Mapping(Place(str(path), 1, 1))
    joined = Mapping(root.place)
    for part in parts:
        _join(joined, part, mistakes)
    return Tree(joined, reader.files, reader.hash.hexdigest())


def _join(into: Mapping, part: Mapping, mistakes: Mistakes) -> None:
    for key, (place, node) in part.items.items():
        if key == "include" or key.startswith("x-"):
            continue
        if key not in into.items:
            copied = Mapping(node.place, dict(node.items)) if isinstance(node, Mapping) else node
            into.items[key] = (place, copied)
            continue
        first_place, first = into.items[key]
        if key in NAMED and isinstance(first, Mapping) and isinstance(node, Mapping):
            _join_entries(key, first, node, mistakes)
        elif key != "version":
            mistakes.add(place, (key,), f"`{key}` is given twice, first at {first_place}")


def _join_entries(section: str, into: Mapping, part: Mapping, mistakes: Mistakes) -> None:
    for name, (place, node) in part.items.items():
        if name in into.items:
            mistakes.add(place, (section, name), f"`{name}` is given twice, first at {into.items[name][0]}")
        else:
            into.items[name] = (place, node)
