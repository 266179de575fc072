"""A disk that loses its power: what a process did to its files, call by call, and what may be left of that.

``strace`` records the calls of a real process. What POSIX promises of them is played again: content is there once its
file was synced, a name once its folder was; of everything else any part may be lost, in any order, sector by sector.
"""

from __future__ import annotations

import random
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from tests.real.components import where

CALLS: Final = "openat,mkdir,write,pwrite64,fsync,fdatasync,ftruncate,unlink"
# Calls that this page does not understand, and that would change what is on the disk: there must be none.
OTHERS: Final = "creat,pwritev,writev,rename,renameat,renameat2,unlinkat,fallocate,mkdirat,linkat,sync_file_range"
SECTOR_BYTES: Final = 512
CONTENT_MAX_BYTES: Final = 70_000
LINE = re.compile(r"^\d+ +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
QUOTED = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
OPEN_FILE = re.compile(r"^\d+<([^>]*)>")
GARBAGE_BYTES: Final = 32_768


@dataclass(frozen=True)
class Call:
    """What was done to a file or folder; for ``write`` the content and its place, for ``cut`` its length there."""

    kind: Literal["make", "folder", "write", "cut", "sync", "remove"]
    path: Path
    at: int = 0
    content: bytes = b""


def record(command: Sequence[str | Path], root: Path, trace: Path, *, limit_s: float) -> list[Call]:
    """Run a command; return what it did below a folder, in order."""
    strace = [where("strace"), "-f", "-y", "-xx", "-s", str(CONTENT_MAX_BYTES), "-e", f"trace={CALLS},{OTHERS}"]
    done = subprocess.run(
        [*strace, "--seccomp-bpf", "-o", trace, *command], capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with trace.open() as lines:
        return list(understood(lines, root))


def understood(lines: Iterable[str], root: Path) -> Iterator[Call]:
    """Read what strace wrote."""
    within, known = str(root), {root}
    hidden = escaped(within)
    for line in lines:
        if within not in line and hidden not in line:
            continue
        assert "unfinished" not in line, f"several threads write at once: {line[:300]}"
        found = LINE.match(line)
        assert found is not None, line[:300]
        call, arguments, result = found["call"], found["arguments"], int(found["result"])
        assert call not in OTHERS.split(","), f"nobody knows what is left of that: {line[:300]}"
        if result < 0:
            continue
        opened = OPEN_FILE.match(arguments)
        path = Path(plain(opened[1]) if opened else plain(QUOTED.findall(arguments)[0]))
        match call:
            case "openat" if "O_CREAT" not in arguments or path in known:
                continue
            case "openat" | "mkdir":
                yield Call("make" if call == "openat" else "folder", path)
                known.add(path)
            case "unlink":
                yield Call("remove", path)
                known.discard(path)
            case "fsync" | "fdatasync":
                yield Call("sync", path)
            case "ftruncate":
                yield Call("cut", path, int(arguments.rpartition(", ")[2]))
            case "write" | "pwrite64":
                content = bytes.fromhex(QUOTED.findall(arguments)[0].replace("\\x", ""))
                at = int(arguments.rpartition(", ")[2]) if call == "pwrite64" else -1
                assert len(content) == result, f"more was written than strace shows: {line[-100:]}"
                yield Call("write", path, at, content)


def escaped(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def plain(text: str) -> str:
    return re.sub(r"(?:\\x[0-9a-f]{2})+", lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode(), text)


@dataclass
class Kept:
    """A file: what is on the disk for certain, and what was done to it since its last sync; or a folder."""

    folder: bool = False
    sure: bytearray = field(default_factory=bytearray)
    unsure: list[Call] = field(default_factory=list)

    def sync(self) -> None:
        for call in self.unsure:
            apply(self.sure, call)
        self.unsure.clear()


def apply(content: bytearray, call: Call) -> None:
    """Do to a file what a call did."""
    if call.kind == "cut":
        content[:] = content[: call.at].ljust(call.at, b"\0")
        return
    at = len(content) if call.at < 0 else call.at
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(call.content)] = call.content


def pieces(call: Call) -> list[Call]:
    """Return what a write is for a disk: its sectors, each of which is there or is not."""
    if call.kind == "cut":
        return [call]
    ends = range(call.at - call.at % SECTOR_BYTES, call.at + len(call.content), SECTOR_BYTES)
    spans = [(max(begin, call.at), min(begin + SECTOR_BYTES, call.at + len(call.content))) for begin in ends]
    return [Call("write", call.path, begin, call.content[begin - call.at : end - call.at]) for begin, end in spans]


Losing = Callable[[list[Call], random.Random], list[Call]]


def nothing(calls: list[Call], _chance: random.Random) -> list[Call]:
    return calls


def everything(_calls: list[Call], _chance: random.Random) -> list[Call]:
    return []


def the_end(calls: list[Call], chance: random.Random) -> list[Call]:
    """Keep what was done first; the write at the border is torn."""
    end = chance.randint(0, len(calls))
    torn = pieces(calls[end]) if end < len(calls) else []
    return [*calls[:end], *torn[: chance.randint(0, len(torn))]]


def some(calls: list[Call], chance: random.Random) -> list[Call]:
    """Lose whole writes, later ones and earlier ones."""
    return [call for call in calls if chance.random() < 0.5]


def sectors(calls: list[Call], chance: random.Random) -> list[Call]:
    """Lose sectors of writes."""
    return [piece for call in calls for piece in pieces(call) if chance.random() < 0.5]


LOSSES: tuple[Losing, ...] = (nothing, everything, the_end, some, sectors)


class Disk:
    """What is on a disk, for certain or perhaps, below a folder that was there before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names: dict[Path, Kept] = {}
        self._sure: dict[Path, Kept] = {}
        self._unsure: dict[Path, list[tuple[Path, Kept | None]]] = defaultdict(list)

    def take(self, call: Call) -> None:
        """Do what the process did."""
        match call.kind:
            case "make" | "folder":
                self._names[call.path] = Kept(call.kind == "folder")
                self._unsure[call.path.parent].append((call.path, self._names[call.path]))
            case "remove":
                del self._names[call.path]
                self._unsure[call.path.parent].append((call.path, None))
            case "write" | "cut":
                self._names[call.path].unsure.append(call)
            case "sync":
                if call.path in self._names:
                    self._names[call.path].sync()
                for path, kept in self._unsure.pop(call.path, ()):
                    _name(self._sure, path, kept)

    def left(self, losing: Losing, chance: random.Random) -> dict[Path, bytes]:
        """Return the files that are there after the power was cut now."""
        names = dict(self._sure)
        for changes in self._unsure.values():
            for path, kept in changes:
                if losing is nothing or (losing is not everything and chance.random() < 0.5):
                    _name(names, path, kept)
        found = {}
        for path, kept in names.items():
            above = [folder for folder in path.parents if folder.is_relative_to(self.root) and folder != self.root]
            if not kept.folder and all(folder in names for folder in above):
                content = bytearray(kept.sure)
                for call in losing(kept.unsure, chance):
                    apply(content, call)
                found[path] = bytes(content)
        return found


def _name(names: dict[Path, Kept], path: Path, kept: Kept | None) -> None:
    if kept is None:
        names.pop(path, None)
    else:
        names[path] = kept


def write(files: dict[Path, bytes], root: Path, folder: Path, chance: random.Random) -> None:
    """Put into a folder what was left of another; of memory that was shared only rubbish is left."""
    for path, content in files.items():
        here = folder / path.relative_to(root)
        here.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        here.write_bytes(chance.randbytes(GARBAGE_BYTES) if path.name.endswith("-shm") else content)
        here.chmod(0o600)
