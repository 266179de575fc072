"""Real programs as processes: started on free ports, waited for within a limit, stopped by their own id."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_until

SENTINEL = Path(sys.executable).with_name("sentinel")
START_LIMIT_S = 90
STOP_LIMIT_S = 60
FETCH_LIMIT_S = 60


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody holds at the moment."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def listens(port: int) -> bool:
    """Tell whether somebody answers at a port of 127.0.0.1."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def fetch(url: str) -> str:
    """Return the page."""
    with urllib.request.urlopen(url, timeout=FETCH_LIMIT_S) as answer:
        return str(answer.read().decode())


def answers(url: str) -> bool:
    """Say whether the page can be had."""
    try:
        fetch(url)
    except (urllib.error.URLError, OSError):
        return False
    return True


@contextmanager
def started(
    command: Sequence[str | Path], folder: Path, ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a folder until the block ends; what it says goes to NAME.log there, and into the failure."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(), f"{log.name}: readiness", START_LIMIT_S)
        assert process.poll() is None, f"{command[0]} ended with {process.returncode}:\n{log.read_text()}"
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
