"""Waiting for what comes in its own time: looked at again and again, for no longer than a limit of the real clock.

On virtual time a story lets time pass instead (``Whole.reach``, ``House.wait``).
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar, overload

T = TypeVar("T")
LIMIT_S = 60.0  # Nothing takes nearly so long; two busy cores may leave a test alone for many seconds all the same.
LOOK_EVERY_S = 0.02
QUOTED_MAX = 300  # Characters of a condition.


@overload
async def until(holds: Callable[[], Awaitable[T]], what: str = "", limit_s: float = LIMIT_S) -> T: ...


@overload
async def until(holds: Callable[[], T], what: str = "", limit_s: float = LIMIT_S) -> T: ...


async def until(holds: Callable[[], object], what: str = "", limit_s: float = LIMIT_S) -> object:
    """Wait until something holds, while the loop goes on; return what the condition gave then.

    A test may jump with the time of its loop: that ends no wait early. ``what`` says in the error what did not come;
    without it the condition is quoted. A condition that hangs is not ended: it brings a limit of its own.

    Raises:
        AssertionError: after ``limit_s`` it still does not hold.
    """
    ends_at = time.monotonic() + limit_s
    while True:
        over = time.monotonic() >= ends_at  # Before the look: whoever was left alone for long looks once more.
        found = holds()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert not over, _late(holds, what, limit_s)
        await asyncio.sleep(LOOK_EVERY_S)


def wait_until(holds: Callable[[], T], what: str = "", limit_s: float = LIMIT_S) -> T:
    """Do the same where there is no loop: nothing else goes on here meanwhile.

    Raises:
        AssertionError: after ``limit_s`` it still does not hold.
    """
    ends_at = time.monotonic() + limit_s
    while True:
        over = time.monotonic() >= ends_at
        if found := holds():
            return found
        assert not over, _late(holds, what, limit_s)
        time.sleep(LOOK_EVERY_S)


def alive(process_id: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _late(holds: Callable[[], object], what: str, limit_s: float) -> str:
    return f"{what or quoted(holds)}: not within {limit_s:g} s"


def quoted(holds: Callable[[], object]) -> str:
    """Return what a condition says, in one line."""
    try:
        return " ".join(inspect.getsource(holds).split())[:QUOTED_MAX]
    except (OSError, TypeError):
        return repr(holds)
