"""Virtual time: an event loop whose clock jumps to the next timer. Real tenacity and real time limits run on it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
THREAD_MAX_S = 10.0
TURNS_MAX = 1_000_000  # A loop that spins without end must end the test, not the machine.


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits, except for threads: when nothing is ready it is as late as the loop was willing to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.turns = 0
        self.threads = 0

    def select(self, timeout: float | None = None) -> Any:
        self.turns += 1
        if self.turns > TURNS_MAX:
            raise RuntimeError("the loop spins")
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.threads or timeout is None:  # Work in a thread takes no virtual time.
            return super().select(THREAD_MAX_S)
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time, in seconds."""
        return self._jumping.now

    def leap(self, seconds: float) -> None:
        """Let time pass in which nothing happens: what looks every second need not look seventy thousand times."""
        self._jumping.now += seconds

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Run in a thread; time stands still until it is done."""
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self._jumping.threads -= 1


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on virtual time to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
