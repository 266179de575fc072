"""Ending a process and everything that it started, also what went into process groups of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from pathlib import Path


def of(process_id: int) -> list[int]:
    """Return the processes that a process started, and those that they did; what lost its parents is not among them."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):  # It may end while we look.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children[parent].append(int(folder.name))
    found: list[int] = []
    waiting = [process_id]
    while waiting:
        below = children.pop(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill(process_id: int) -> None:
    """Kill a process and all its descendants at once: it is stopped first, so that it cannot start more meanwhile."""
    _signal(process_id, signal.SIGSTOP)
    for each in (*of(process_id), process_id):
        _signal(each, signal.SIGKILL)


def _signal(process_id: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(process_id, number)
