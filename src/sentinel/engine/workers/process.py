"""A worker as the daemon starts and ends it: a fresh Python that is told nothing but a socket's number."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

# What a fresh Python needs of the daemon's environment. Secrets may stand in others, and are nobody's business there.
PASSED_ON: Final = (
    "PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "HOME",
    "PYTHONPATH", "PYTHONHOME", "PYTHONMALLOC", "PYTHONDONTWRITEBYTECODE", "MALLOC_ARENA_MAX",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "SSL_CERT_FILE", "SSL_CERT_DIR", "RES_OPTIONS", "LOCALDOMAIN", "HOSTALIASES",
)  # fmt: skip
ENDS_WITHIN_S: Final = 2.0  # After its last word.
BUFFER_BYTES: Final = 1024 * 1024


class WorkerProcess:
    """A process and the two ends of the conversation with it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self.reader = reader
        self.writer = writer

    @property
    def pid(self) -> int:
        """Return its number."""
        return self._process.pid

    async def end(self, *, patiently: bool) -> int:
        """See it end, by itself within a limit or at once, and return its exit code; negative for a signal."""
        if patiently:
            with suppress(TimeoutError):
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await self._process.wait()
        with suppress(ProcessLookupError):
            self._process.kill()
        return await self._process.wait()

    def close(self) -> None:
        """Close the daemon's end."""
        self.writer.close()


async def start(environ: Mapping[str, str] | None = None) -> WorkerProcess:
    """Start a worker.

    Raises:
        OSError: the host has no process or descriptor left for it.
    """
    given = os.environ if environ is None else environ
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            number = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # No module is taken from the folder the daemon happens to stand in.
                "-m",
                "sentinel.engine.workers",
                str(number),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=(number,),
                env={name: given[name] for name in PASSED_ON if name in given},
                start_new_session=True,  # What a terminal sends is for the daemon.
            )
        except BaseException:
            ours.close()
            raise
    reader, writer = await asyncio.open_unix_connection(sock=ours, limit=BUFFER_BYTES)
    return WorkerProcess(process, reader, writer)
