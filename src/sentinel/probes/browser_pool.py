"""The daemon's side of the browser: one process for all runs, started when needed, killed when it does not obey."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Coroutine
from typing import Any, Final
from weakref import WeakKeyDictionary

from sentinel.probes import descendants
from sentinel.probes.base import Failed
from sentinel.probes.program import BARE_ENVIRONMENT

WORKER: Final = "sentinel.probes.browser_worker"
RUNS_AT_ONCE_MAX: Final = 2
LINE_MAX_BYTES: Final = 12 << 20  # A screenshot as base64, and the rest.
OBEY_WITHIN_S: Final = 3.0
IDLE_S: Final = 600.0
RUNS_MAX: Final = 300  # Then a new browser: old ones grow.


class Pool:
    """One worker process and its browser. It belongs to one event loop."""

    def __init__(self, executable: str) -> None:
        self._executable = executable
        self._numbers = itertools.count(1)
        self._room = asyncio.Semaphore(RUNS_AT_ONCE_MAX)
        self._starting = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._home = ""
        self._runs = 0
        self._gone: asyncio.subprocess.Process | None = None  # Whose output has ended: it does nothing any more.
        self._waiting: dict[int, tuple[asyncio.subprocess.Process, asyncio.Future[dict[str, Any]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle: asyncio.TimerHandle | None = None

    @property
    def process_id(self) -> int | None:
        """The worker's process; None while there is none."""
        return self._process.pid if self._process is not None else None

    async def run(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out one run, and return what came of it; a run that is cancelled is ended in the browser too.

        Raises:
            Failed: ``browser`` the worker does not start, or dies.
        """
        await self._room.acquire()
        number = next(self._numbers)
        try:
            process = await self._alive()
            answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
            self._waiting[number] = (process, answer)
            self._send(process, {"id": number, **order})
        except BaseException:
            self._waiting.pop(number, None)
            self._room.release()
            raise
        try:
            return await asyncio.shield(answer)
        finally:
            if answer.done():
                self._done(number)
            else:  # The room stays taken until the browser has let go of it.
                self._background(self._give_up(process, number, answer))

    async def close(self) -> None:
        """End the worker and everything that it started."""
        async with self._starting:
            await self._end()
        for task in tuple(self._tasks):
            await asyncio.wait({task}, timeout=OBEY_WITHIN_S)

    async def _alive(self) -> asyncio.subprocess.Process:
        """Return the worker, a new one when there is none, or when it has done its share."""
        async with self._starting:
            if self._idle is not None:
                self._idle.cancel()
            if self._runs >= RUNS_MAX and not self._waiting:
                await self._end()
            if self._process is None or self._process is self._gone:
                await self._end()
                await self._start()
            assert self._process is not None, "it was just started"
            self._runs += 1
            return self._process

    async def _start(self) -> None:
        self._home, self._runs = tempfile.mkdtemp(prefix="sentinel-browser-"), 0
        kept = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", WORKER, self._executable),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=BARE_ENVIRONMENT | kept | {"HOME": self._home, "TMPDIR": self._home},
                cwd="/",
                limit=LINE_MAX_BYTES,
                start_new_session=True,
            )
        except OSError as error:
            raise Failed("browser", f"the browser does not start: {error.strerror or error}") from error
        self._background(self._listen(self._process))

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "it was started with a pipe"
        try:
            while line := await process.stdout.readline():
                answer = json.loads(line)
                _, waiting = self._waiting.get(answer["id"], (None, None))
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except ValueError:  # A line beyond all limits, or none of ours: the worker is not to be trusted any more.
            self._kill(process)
        self._gone = process
        for whose, waiting in self._waiting.values():
            if whose is process and not waiting.done():
                waiting.set_exception(Failed("browser", "the browser died in the middle of the run"))

    async def _give_up(
        self, process: asyncio.subprocess.Process, number: int, answer: asyncio.Future[dict[str, Any]]
    ) -> None:
        """Tell the worker to stop a run; one that does not is killed, with all that runs in it."""
        if process.returncode is None:
            self._send(process, {"cancel": number})
        await asyncio.wait({answer}, timeout=OBEY_WITHIN_S)
        if not answer.done():
            self._kill(process)
            await asyncio.wait({answer}, timeout=OBEY_WITHIN_S)
        self._done(number)

    def _done(self, number: int) -> None:
        _, answer = self._waiting.pop(number)
        if answer.done() and not answer.cancelled():
            answer.exception()  # Looked at: whoever waited may have gone.
        self._room.release()
        if not self._waiting:
            self._idle = asyncio.get_running_loop().call_later(IDLE_S, lambda: self._background(self.close()))

    def _send(self, process: asyncio.subprocess.Process, message: dict[str, Any]) -> None:
        assert process.stdin is not None, "it was started with a pipe"
        process.stdin.write(json.dumps(message).encode() + b"\n")

    def _kill(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            descendants.kill(process.pid)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if self._idle is not None:
            self._idle.cancel()
        if process is not None:
            self._kill(process)
            # One that not even SIGKILL ends, stuck in the kernel, is left behind.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), OBEY_WITHIN_S)
            process._transport.close()  # type: ignore[attr-defined]  # Else its pipes stay until collected.
        if self._home:
            await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)
            self._home = ""

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Pool]] = WeakKeyDictionary()


def shared(executable: str) -> Pool:
    """Return the pool of the running loop for a browser."""
    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    return pools.setdefault(executable, Pool(executable))


async def close() -> None:
    """End every browser of the running loop."""
    for pool in _pools.pop(asyncio.get_running_loop(), {}).values():
        await pool.close()
