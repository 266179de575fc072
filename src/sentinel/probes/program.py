"""Running a program for a probe: no shell, bounded time, processor, files and output, and nothing left of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from sentinel.probes.base import Failed
from sentinel.probes.said import clean

OUTPUT_MAX_BYTES = 64 * 1024
# A plugin that prints more than this is stopped: reading on would only burn the processor.
FLOOD_MAX_BYTES = 1024 * 1024
ARGUMENTS_MAX = 100
# How long a process may tidy up after SIGTERM, and its output may trickle in after its end.
GRACE_S = 0.5
FILE_MAX_BYTES = 64 * 1024 * 1024
OPEN_FILES_MAX = 1024

BARE_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}

Argument = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: its exit code, negative for a signal, and what it printed, cut to 64 KiB each."""

    code: int
    output: str
    errors: str


def check_program(path: str) -> None:
    """Look before the leap: what anybody may write to is not run (threat T31).

    Raises:
        Failed: ``not_found``, ``not_executable``.
    """
    try:
        seen = Path(path).stat()
    except OSError as error:
        raise Failed("not_found", f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(seen.st_mode) or not os.access(path, os.X_OK):
        raise Failed("not_executable", f"{path} is not a program that may be run")
    if seen.st_mode & stat.S_IWOTH:
        raise Failed("not_executable", f"{path} may be written by anybody, so it is not run; `chmod o-w` it")


# Processes that outlive the coroutine that waited for them, because it was cancelled twice; for a second at most.
_lives: set[asyncio.Task[Outcome]] = set()


async def execute(arguments: list[str], environment: dict[str, str], limit_s: float) -> Outcome:
    """Run a program without a shell, in a process group of its own, with nothing on its standard input.

    Processor time is limited to twice ``limit_s``, files to 64 MiB, and no core is dumped. The life of the process is
    a task of its own: a cancellation, which may come while the process is only half started, lets it end in order.

    Raises:
        Failed: ``not_executable`` the system refuses to run it, ``output`` it prints more than 1 MiB.
    """
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    life = asyncio.create_task(_live(arguments, environment, limit_s, stop))
    _lives.add(life)
    life.add_done_callback(_bury)
    try:
        return await asyncio.shield(life)
    finally:
        _settle(stop)
        if not life.done():
            await asyncio.wait({life})


def _bury(life: asyncio.Task[Outcome]) -> None:
    _lives.discard(life)
    if not life.cancelled():
        life.exception()  # Looked at, so that one nobody waits for any more is no error in the log.


async def _live(
    arguments: list[str], environment: dict[str, str], limit_s: float, stop: asyncio.Future[None]
) -> Outcome:
    """Start the program, listen until it ends or has to stop, and see to it that nothing of it is left."""
    loop = asyncio.get_running_loop()
    try:
        transport, listener = await loop.subprocess_exec(
            lambda: _Listener(loop),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise Failed("not_executable", f"{arguments[0]}: {error.strerror or error}") from error
    try:
        _limit(transport.get_pid(), limit_s)
        await listener.told(stop)
    finally:
        await _end(transport, listener)
    return Outcome(transport.get_returncode() or 0, listener.text(1), listener.text(2))


class _Listener(asyncio.SubprocessProtocol):
    """Keeps the first 64 KiB of each pipe, lets the rest pass up to 1 MiB, and hears of the end.

    The end of a program and the end of its output are two things: a child may keep the pipes open for ever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.exited: asyncio.Future[None] = loop.create_future()
        self._silent: asyncio.Future[None] = loop.create_future()
        self._flooded: asyncio.Future[None] = loop.create_future()
        self._kept = {1: bytearray(), 2: bytearray()}
        self._open = {1, 2}
        self._total_bytes = 0

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        kept = self._kept[fd]
        kept += data[: OUTPUT_MAX_BYTES - len(kept)]
        self._total_bytes += len(data)
        if self._total_bytes > FLOOD_MAX_BYTES:
            _settle(self._flooded)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  asyncio names them
        self._open.discard(fd)
        if not self._open:
            _settle(self._silent)

    def process_exited(self) -> None:
        _settle(self.exited)

    def text(self, fd: int) -> str:
        return self._kept[fd].decode("utf-8", "replace")

    async def told(self, stop: asyncio.Future[None]) -> None:
        """Wait for the end of the program, and a moment longer for its last words; no longer than until ``stop``."""
        await asyncio.wait({self.exited, self._flooded, stop}, return_when=asyncio.FIRST_COMPLETED)
        if self.exited.done() and not self._flooded.done():
            last_words = {self._silent, self._flooded, stop}
            await asyncio.wait(last_words, timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        if self._flooded.done():
            raise Failed("output", f"the program prints more than {FLOOD_MAX_BYTES // 1024} KiB")


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _end(transport: asyncio.SubprocessTransport, listener: _Listener) -> None:
    """End the whole process group, and wait until the program is reaped.

    The group can outlive its leader, and keeps the number from being given to others as long as it does. A program
    that not even SIGKILL ends, stuck in the kernel, is left behind: it must not hold us up.
    """
    group = transport.get_pid()
    try:
        if not listener.exited.done():
            _signal_group(group, signal.SIGTERM)
            await asyncio.wait({listener.exited}, timeout=GRACE_S)
    finally:
        _signal_group(group, signal.SIGKILL)
        try:
            await asyncio.wait({listener.exited}, timeout=GRACE_S)
        finally:
            transport.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _limit(process_id: int, limit_s: float) -> None:
    """Set limits from outside: running Python between fork and exec is not safe beside threads."""
    seconds = max(2, round(2 * limit_s))
    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE_MAX_BYTES),
        (resource.RLIMIT_NOFILE, OPEN_FILES_MAX),
    ):
        # It may be gone already, or our own limit may be lower.
        with contextlib.suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(process_id, which, (most, most))


def signal_name(number: int) -> str:
    """Return what a signal is called."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def first_line(text: str) -> str:
    """Return the first line of what a program printed that is not blank."""
    return clean(next((line.strip() for line in text.splitlines() if line.strip()), ""), 400)
