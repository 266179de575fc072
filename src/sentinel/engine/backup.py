"""Runs the program that backs a service up: no shell, a process group of its own, bounded in time (rule CHG-3)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

OUTPUT_KEPT_BYTES: Final = 4096
SAID_MAX_CHARS: Final = 400
AT_ONCE_MAX: Final = 4
LOOK_EVERY_S: Final = 1.0
GRACE_S: Final = 5.0  # for a program to tidy up once it is told to end
ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Backups:
    """Runs backups in threads of their own: they may take hours."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE_MAX, "backup")
        self._running: set[int] = set()

    async def run(self, arguments: Sequence[str], timeout_s: float) -> tuple[bool, str]:
        """Run a program; return whether it ended well in time, and the last line it printed or what was wrong."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, list(arguments), timeout_s)

    def stop(self) -> None:
        """End what runs: a backup that nobody waits for any more is none."""
        for group in list(self._running):
            _signal_group(group, signal.SIGKILL)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, arguments: list[str], timeout_s: float) -> tuple[bool, str]:
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            return False, f"{arguments[0]}: {error.strerror or error}"
        self._running.add(process.pid)
        try:
            said, in_time = _listen(process, timeout_s)
        finally:
            _end(process)
            self._running.discard(process.pid)
        if not in_time:
            return False, f"{arguments[0]} did not end within {timeout_s:g} s"
        if process.returncode:
            how = f"exit code {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
            return False, f"{arguments[0]} ended with {how}" + (f": {said}" if said else "")
        return True, said


def _listen(process: subprocess.Popen[bytes], timeout_s: float) -> tuple[str, bool]:
    """Wait for the end; return the last line that was printed, and whether the end came in time."""
    assert process.stdout is not None, "its output is a pipe"
    deadline, kept, open_ = time.monotonic() + timeout_s, b"", True
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left_s := deadline - time.monotonic()) > 0:
            if not open_:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(left_s)
            elif selector.select(min(left_s, LOOK_EVERY_S)):
                chunk = os.read(process.stdout.fileno(), OUTPUT_KEPT_BYTES)
                kept, open_ = (kept + chunk)[-OUTPUT_KEPT_BYTES:], bool(chunk)
                continue
            if process.poll() is not None:
                return _last_line(kept), True
    return _last_line(kept), False


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return "".join(one if one.isprintable() else " " for one in lines[-1])[:SAID_MAX_CHARS] if lines else ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group; a program that ended by itself may have left others behind."""
    if process.poll() is None:
        _signal_group(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    _signal_group(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_S)
    if process.stdout is not None:
        process.stdout.close()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
