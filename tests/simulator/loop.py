"""One thread, one clock, no waiting: an event loop that jumps to the next moment at which anything can happen."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from typing import Any

from tests.simulator.death import Killed

TURNS_MAX = 500_000  # without time passing: a loop that spins must end the run, not the machine.
BEGINNING_S = 1_000_000.0
# What asyncio takes for the same moment. Its nanosecond is nothing to the float of a year: timers of now never fired.
RESOLUTION_S = 1e-7
LATER = 0.25  # how often a call to the store lets others go first


class Spinning(Exception):  # noqa: N818  it says what was seen
    """Turn after turn, and time does not pass."""


class _Jumping(selectors.DefaultSelector):
    """Never waits. ``quiet`` says up to when nothing can happen, whatever short looks the code takes meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = BEGINNING_S
        self.turns = 0
        self.quiet: Callable[[], float] = lambda: 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            self.turns += 1
            if self.turns > TURNS_MAX:
                raise Spinning(f"{TURNS_MAX} turns at {self.now_s}")
            return []
        if timeout is None:
            raise Spinning("nobody waits for anything any more")
        self.turns = 0
        self.now_s = max(self.now_s + timeout, self.quiet())
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on simulated time, which runs blocking calls in turn instead of in threads."""

    def __init__(self, seed: int) -> None:
        self._jumping = _Jumping()
        self._chance = random.Random(f"{seed}/loop")
        super().__init__(self._jumping)
        self._clock_resolution = RESOLUTION_S

    def time(self) -> float:
        """Return the simulated time, in seconds."""
        return self._jumping.now_s

    def when_quiet(self, until: Callable[[], float]) -> None:
        """Ask here up to when nothing happens, before every wait."""
        self._jumping.quiet = until

    def end(self) -> None:
        """End what is left, and close."""
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        self._jumping.turns, self._jumping.quiet = 0, lambda: 0.0
        if tasks:
            self.run_until_complete(asyncio.wait(tasks, timeout=1.0))
        self.close()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Run a call now or in the loop's next turn, as chance has it; in a process that dies it never comes back."""
        future = self.create_future()
        if self._chance.random() < LATER:
            self.call_soon(_call, future, func, args)
        else:
            _call(future, func, args)
        return future


def _call(future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if future.cancelled():
        return
    try:
        answer = func(*args)
    except Killed:
        return
    except Exception as error:  # noqa: BLE001  whoever asked hears of it, whatever it is
        future.set_exception(error)
    else:
        future.set_result(answer)
