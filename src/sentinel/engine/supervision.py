"""Keeps the daemon's loops going, and says whether they do: what feeds the watchdog is progress, not being alive."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from sentinel.engine.clock import Clock

log = structlog.get_logger(__name__)

RESTART_AFTER_S = 1.0
LAG_EVERY_S = 1.0
LAG_WINDOW = 10
STUCK_AFTER_S = 20.0  # Less than the 30 s of WatchdogSec: a loop that stands still for longer ends the process.


async def keep(name: str, run: Callable[[], Awaitable[None]], bug: Callable[[str], None]) -> None:
    """Run a loop for ever; a bug in it is logged and counted, and the loop starts again."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("loop failed; starting it again", loop=name)
            bug(name)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # What the loop waited for was cancelled, and not the loop: it must not end without a word.
            log.exception("loop cut off by something that it waited for; starting it again", loop=name)
            bug(name)
        await asyncio.sleep(RESTART_AFTER_S)


def watch_tasks(loop: asyncio.AbstractEventLoop, bug: Callable[[str], None]) -> None:
    """Have errors that no task's edge has caught logged and counted like all others."""

    def unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.error("bug outside of every edge", what=context.get("message", ""), exc_info=error)
        bug("loop")

    loop.set_exception_handler(unhandled)


class Lag:
    """Measures by how much the event loop is late, once a second."""

    def __init__(self, clock: Clock, limit_s: float, observe: Callable[[float], None]) -> None:
        self._clock = clock
        self._observe = observe
        self._recent: list[float] = []
        self.limit_s = limit_s
        self.progressed_at = clock.monotonic()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            begin = self._clock.monotonic()
            await asyncio.sleep(LAG_EVERY_S)
            self.progressed_at = self._clock.monotonic()
            late_s = max(0.0, self.progressed_at - begin - LAG_EVERY_S)
            self._recent = [*self._recent[1 - LAG_WINDOW :], late_s]
            self._observe(late_s)

    def worst_s(self) -> float:
        """Return by how much it was late at most during the last ten seconds, or is now."""
        now_s = self._clock.monotonic() - self.progressed_at - LAG_EVERY_S
        return max(now_s, 0.0, *self._recent)

    def lagging(self, over_s: float) -> bool:
        """Tell whether the loop was late during the last so many seconds: what was measured then is suspect."""
        if self._clock.monotonic() - self.progressed_at - LAG_EVERY_S > self.limit_s:
            return True
        looks = min(LAG_WINDOW, int(over_s / LAG_EVERY_S) + 1)
        return max(self._recent[-looks:], default=0.0) > self.limit_s


class Systemd:
    """Talks to the service manager, when there is one: ready, reloading, stopping, and signs of life."""

    def __init__(self, clock: Clock, environ: dict[str, str] | None = None) -> None:
        environ = dict(os.environ) if environ is None else environ
        self._clock = clock
        self._address = environ.get("NOTIFY_SOCKET", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(environ.get("WATCHDOG_USEC", "0") or 0) / 1_000_000 if ours else 0.0

    def tell(self, state: str) -> None:
        """Send a state; without a service manager nothing happens."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK  # A busy manager must not hold the loop.
        with socket.socket(socket.AF_UNIX, kind) as speaker:
            try:
                speaker.sendto(state.encode(), address)
            except OSError as error:
                log.warning("service manager not told", state=state.partition("\n")[0], why=str(error))

    def reloading(self) -> None:
        """Say that a reload begins; ``READY=1`` ends it."""
        self.tell(f"RELOADING=1\nMONOTONIC_USEC={int(self._clock.monotonic() * 1_000_000)}")

    async def watch(self, stuck: Callable[[], list[str]]) -> None:
        """Feed the watchdog while nothing is stuck, until cancelled; who is stuck is named in the log."""
        every_s = self.watchdog_s / 3 if self.watchdog_s else STUCK_AFTER_S / 3
        while True:
            standing = stuck()
            if standing:
                log.error("no progress; the watchdog is not fed", loops=standing)
            elif self.watchdog_s:
                self.tell("WATCHDOG=1")
            await asyncio.sleep(every_s)
