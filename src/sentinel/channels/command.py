"""A message by a command of yours: a modem's tool, a pager's client. Run without a shell, bounded in time.

| exit status | what it means |
|---|---|
| 0 | taken; the first line printed is the reference |
| 64, 65, 67, 68, 77, 78 (sysexits: usage, data, user, host, permission, configuration) | never |
| any other, 75 among them, or ended by a signal | again later: a script that fails rarely knows why |
| none within the time limit | unknown: the process group is killed |
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import field_validator

from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.config.fields import Duration, quoted, wrong

TIMEOUT: Final = timedelta(seconds=20)
OUTPUT_MAX_BYTES: Final = 4096
REFERENCE_MAX_CHARS: Final = 200
REAP_MAX_S: Final = 2.0
PERMANENT: Final = frozenset({os.EX_USAGE, os.EX_DATAERR, os.EX_NOUSER, os.EX_NOHOST, os.EX_NOPERM, os.EX_CONFIG})
BUSY: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
PLACEHOLDERS: Final = ("{mobile}", "{text}", "{id}")
_BRACES = re.compile(r"\{[^{}]*\}")


class CommandOptions(Options):
    """What to run: an absolute path and its arguments, of which ``{mobile}``, ``{text}`` and ``{id}`` are replaced."""

    run: tuple[str, ...]
    timeout: Duration = TIMEOUT

    @field_validator("run")
    @classmethod
    def _safe(cls, run: tuple[str, ...]) -> tuple[str, ...]:
        if not run or not Path(run[0]).is_absolute():
            raise wrong("the command is not an absolute path", "write `[/usr/bin/tool, argument]`")
        for argument in run:
            # A text within an argument could turn into an option or a second value; as an argument it is only a text.
            if argument not in PLACEHOLDERS and (found := _BRACES.search(argument)):
                raise wrong(f"{quoted(found[0])} must be an argument by itself: one of {', '.join(PLACEHOLDERS)}")
        return run


class CommandSender:
    """Runs the command once for each message."""

    def __init__(self, options: CommandOptions) -> None:
        self._run = options.run
        self._timeout_s = options.timeout.total_seconds()

    async def send(self, message: Message) -> str:
        """Run the command and return the first line it prints, or the message's id when it prints nothing.

        Raises:
            Undelivered: it failed, could not be started, or took too long.
        """
        values = dict(zip(PLACEHOLDERS, (message.to, message.sms, message.id), strict=True))
        arguments = [values.get(argument, argument) for argument in self._run]
        process = await self._start(arguments)
        try:
            async with asyncio.timeout(self._timeout_s):
                output = await _read(process)
                status = await process.wait()
        except TimeoutError as error:
            why = f"{self._run[0]} took longer than {self._timeout_s:g} s"
            raise Undelivered(why, outcome="timeout") from error
        finally:
            await _end(process)
        said = next(iter(output.decode("utf-8", "replace").split("\n")), "").strip()[:REFERENCE_MAX_CHARS]
        if status == 0:
            return said or message.id
        ended = f"status {status}" if status > 0 else f"signal {-status}"
        why = f"{self._run[0]} ended with {ended}" + (f": {said}" if said else "")
        raise Undelivered(why, permanent=status in PERMANENT)

    async def check(self) -> None:
        """See that the command may be run, without running it.

        Raises:
            Undelivered: it is not there, or not executable.
        """
        if not await asyncio.to_thread(_is_program, self._run[0]):
            raise Undelivered(f"{self._run[0]} is not a program that may be run", permanent=True)

    async def close(self) -> None:
        """Do nothing: a command lasts one message."""

    async def _start(self, arguments: list[str]) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except ValueError as error:  # a NUL or a lone surrogate among the arguments
            raise Undelivered(f"{self._run[0]} cannot be given this message: {error}", permanent=True) from error
        except OSError as error:
            why = f"{self._run[0]} cannot be started: {error.strerror or error}"
            raise Undelivered(why, permanent=error.errno not in BUSY) from error


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and Path(path).is_file()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    """Read all that is printed, and keep its beginning."""
    assert process.stdout is not None, "the process was started with a pipe"
    kept = b""
    while piece := await process.stdout.read(OUTPUT_MAX_BYTES):
        kept += piece[: OUTPUT_MAX_BYTES - len(kept)]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is still there of the command's process group, and let go of the pipe."""
    assert process.stdout is not None, "the process was started with a pipe"
    if process.returncode is None or not process.stdout.at_eof():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_MAX_S):
                await process.wait()
    # Somebody who left the group may hold the other end for ever; asyncio has no public way to stop listening.
    process._transport.close()  # type: ignore[attr-defined]


def _build(options: Any, surroundings: Surroundings) -> CommandSender:  # noqa: ARG001  the frame hands it to all
    return CommandSender(options)


KIND = ChannelKind("command", CommandOptions, _build, "mobile")
