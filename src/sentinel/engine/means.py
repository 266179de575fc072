"""What the host has left for Sentinel, in file descriptors and memory: when it is little, probes wait, pages do not.

Nothing is probed with what the channels, the store and the pages may need; critical probes may use half of that.
"""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import structlog

log = structlog.get_logger(__name__)

Short = Literal["", "descriptors", "memory"]

DESCRIPTORS_RESERVE = 48  # Mails and texts that leave at once, who looks at a page, a file or two.
MEMORY_RESERVE_BYTES = 64 * 1024 * 1024
RESERVE_SHARE_MAX = 4  # Of a small limit no more than a quarter is kept back.
DESCRIPTORS_A_RUN = 2
DESCRIPTORS_MAX = 262_144
LOOK_EVERY_S = 0.05  # What was let in since the last look has opened its descriptors by the next one.
MEMORY_EVERY_S = 1.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
OWN_SIZES = Path("/proc/self/statm")


class Means:
    """Says whether another run can be afforded. ``monotonic`` gives seconds that only grow."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._group = _memory_limit_of_group()
        self._something = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._looked_at = self._weighed_at = float("-inf")
        self._free = self._reserve = 0
        self._memory_left = self._memory_reserve = 0.0
        self._said: Short = ""

    def short(self, *, critical: bool = False) -> Short:
        """Return what there is too little of for another run; nothing when it may begin, which is counted."""
        self._look()
        lacking = self._lacking(2 if critical else 1)
        if not lacking:
            self._free -= DESCRIPTORS_A_RUN
        return lacking

    def now(self) -> Short:
        """Return what there is too little of."""
        self._look()
        return self._said

    def close(self) -> None:
        """Let go of the descriptor that it looks with."""
        os.close(self._something)

    def _look(self) -> None:
        now = self._monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        self._count()
        if now - self._weighed_at >= MEMORY_EVERY_S:
            self._weighed_at = now
            self._memory_left, self._memory_reserve = _memory_left(self._group)
        self._say(self._lacking(1))

    def _lacking(self, part: int) -> Short:
        """Return what is down to its reserve, or to a part of it."""
        if self._free - DESCRIPTORS_A_RUN < self._reserve // part:
            return "descriptors"
        return "memory" if self._memory_left < self._memory_reserve / part else ""

    def _count(self) -> None:
        """See how many descriptors are free: the kernel gives out the lowest one."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._reserve = min(DESCRIPTORS_RESERVE, limit // RESERVE_SHARE_MAX)
        try:
            lowest = fcntl.fcntl(self._something, fcntl.F_DUPFD_CLOEXEC, 0)
        except OSError:
            self._free = 0
        else:
            os.close(lowest)
            self._free = limit - lowest

    def _say(self, lacking: Short) -> None:
        """Log it once when it begins, and once when it is over."""
        if lacking and lacking != self._said:
            log.error("the host is short of means; probes wait, pages do not", of=lacking)
        elif self._said and not lacking:
            log.warning("the host has means again", of=self._said)
        self._said = lacking


def raise_limit() -> None:
    """Take as many descriptors as the host allows: what a process starts with is meant for a shell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _memory_left(group: float) -> tuple[float, float]:
    """Return how many bytes may still be taken, and how many of them are kept back."""
    try:
        size, resident = (int(word) * PAGE_BYTES for word in OWN_SIZES.read_text().split()[:2])
    except (OSError, ValueError):  # No such file, or no descriptor to read it with.
        return float("inf"), 0.0
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    limits = [(float(space), float(size))] if space != resource.RLIM_INFINITY else []
    limits.append((group, float(resident)))
    return min((limit - used, min(float(MEMORY_RESERVE_BYTES), limit / RESERVE_SHARE_MAX)) for limit, used in limits)


def _memory_limit_of_group(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> float:
    """Return the least of the limits that control groups set to the memory, in bytes; infinite without one."""
    try:
        path = next(line for line in own.read_text().splitlines() if line.startswith("0::"))[3:]
    except (OSError, StopIteration):
        return float("inf")
    found = [float("inf")]
    folder = root / path.lstrip("/")
    for one in (folder, *folder.parents):
        if one == root.parent:
            break
        for name in ("memory.high", "memory.max"):
            try:
                found.append(float(int((one / name).read_text())))
            except (OSError, ValueError):  # There is no such file, or it says `max`.
                continue
    return min(found)
