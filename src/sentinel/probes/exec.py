"""The exec probe: run a Nagios plugin, or any program, and judge what it says. No shell is ever involved."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from sentinel.config.fields import Secret, wrong
from sentinel.probes.base import Failed, Options, ProbeKind, Sight
from sentinel.probes.tlsinfo import clean

OUTPUT_MAX_BYTES = 64 * 1024
# A plugin that prints more than this is stopped: reading on would only burn the processor.
FLOOD_MAX_BYTES = 1024 * 1024
ARGUMENTS_MAX = 100
ENVIRONMENT_MAX = 100
TARGETS_MAX = 1000
# How long a process may tidy up after SIGTERM, and its output may trickle in after its end.
GRACE_S = 0.5
FACTS_MAX = 20
FILE_MAX_BYTES = 64 * 1024 * 1024
OPEN_FILES_MAX = 1024

BARE_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/"}
PLACEHOLDER = "{target}"

Argument = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00]*$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
# A target becomes an argument: it must not be able to pass for an option.
TargetName = Annotated[str, Field(max_length=255, pattern=r"^[^\x00-\x20\x7f-][^\x00-\x1f\x7f]*$")]


class ExecOptions(Options):
    """The options of the exec probe; ``{target}`` stands for the target where it is a whole argument."""

    run: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=ARGUMENTS_MAX)]
    many: Annotated[tuple[TargetName, ...], Field(alias="targets", max_length=TARGETS_MAX)] = ()
    format: Literal["nagios", "exit"] = "nagios"
    warning: Literal["fails", "passes"] = "fails"
    metric: Annotated[str, Field(max_length=255)] = ""
    env: Annotated[dict[Variable, Secret], Field(default_factory=dict, max_length=ENVIRONMENT_MAX)]

    @model_validator(mode="after")
    def _can_run(self) -> ExecOptions:
        if not self.run[0].startswith("/"):
            raise wrong(f"`run` begins with {self.run[0]!r}, which is not an absolute path", "write `/usr/lib/…`")
        for argument in self.run:
            if PLACEHOLDER in argument and (argument != PLACEHOLDER or argument == self.run[0]):
                raise wrong(f"`{PLACEHOLDER}` must be an argument by itself", f"write [-H, '{PLACEHOLDER}']")
        if PLACEHOLDER in self.run and not self.many:
            raise wrong(f"`run` uses `{PLACEHOLDER}`, and `targets` is missing")
        if len(set(self.many)) < len(self.many):
            raise wrong("`targets` names one twice")
        if self.metric and self.format != "nagios":
            raise wrong("`metric` needs `format: nagios`")
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each target, or the program itself when there is none."""
        return self.many or (Path(self.run[0]).name,)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended: its exit code, negative for a signal, and what it printed, cut to 64 KiB each."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Datum:
    """One value of a plugin's performance data, in the unit that it gave."""

    label: str
    value: float
    unit: str


async def run(options: ExecOptions, sight: Sight) -> None:
    """Run the program and judge its exit code. The caller sets the time limit.

    However the run ends, the program and everything in its process group is gone afterwards.

    Raises:
        Failed: see ``REASONS``.
    """
    arguments = [sight.target if argument == PLACEHOLDER else argument for argument in options.run]
    environment = BARE_ENVIRONMENT | {name: secret.reveal() for name, secret in options.env.items()}
    _check_program(arguments[0])
    with sight.phase("run"):
        outcome = await execute(arguments, environment, sight.timeout_s)
    sight.fact(f"{arguments[0]} exits with {outcome.code}")
    for line in [*outcome.output.splitlines(), *outcome.errors.splitlines()][:FACTS_MAX]:
        sight.fact(clean(line, 500))
    _judge(options, sight, outcome)


def _judge(options: ExecOptions, sight: Sight, outcome: Outcome) -> None:
    text, data = parse(outcome.output) if options.format == "nagios" else (_first_line(outcome.output), [])
    said = text or _first_line(outcome.errors) or "no output"
    sight.value = next((datum.value for datum in data if options.metric in ("", datum.label)), None)
    if outcome.code < 0:
        raise Failed("crashed", f"{options.run[0]} was killed by {_signal_name(-outcome.code)}: {said}")
    if options.format == "exit":
        if outcome.code:
            raise Failed("exit", f"exit code {outcome.code}: {said}")
        return
    reason = NAGIOS.get(outcome.code, "unknown")
    if outcome.code > max(NAGIOS):
        raise Failed(reason, f"exit code {outcome.code} is none of 0 to 3: {said}")
    if reason and not (reason == "warning" and options.warning == "passes"):
        raise Failed(reason, said)
    if options.metric and sight.value is None:
        raise Failed("metric", f"the performance data holds no {options.metric!r}: {said}")


# The exit codes of the plugin contract; nothing is wrong with the empty reason.
NAGIOS = {0: "", 1: "warning", 2: "critical", 3: "unknown"}


def _check_program(path: str) -> None:
    """Look before the leap: what anybody may write to is not run (threat T31)."""
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


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _first_line(text: str) -> str:
    return clean(next((line.strip() for line in text.splitlines() if line.strip()), ""), 400)


def parse(output: str) -> tuple[str, list[Datum]]:
    """Split a plugin's output into its first line of text and its performance data.

    The data stands behind the first ``|`` of the first line, and behind the first ``|`` of the lines after it.
    """
    lines = output.split("\n")
    text, _, data = lines[0].partition("|")
    _, _, more = "\n".join(lines[1:]).partition("|")
    return clean(text.strip(), 400), list(_data(f"{data} {more}"))


# 'label'=value[unit];warn;crit;min;max: a quoted label doubles the quotes in it, and its value ends at a blank.
_DATUM = re.compile(r"(?:'((?:[^']|'')*)'|([^\s='][^\s=]*))=([^\s;]*)[^\s]*", re.ASCII)
_VALUE = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?)([a-zA-Z%µ]{0,8})", re.ASCII)
DATA_MAX = 200


def _data(text: str) -> Iterator[Datum]:
    """Yield each value; ``U``, the plugin's own "not known", and what is no number is left out."""
    for count, found in enumerate(_DATUM.finditer(text)):
        if count >= DATA_MAX:
            return
        value = _VALUE.fullmatch(found[3])
        if value:
            number = float(value[1].replace(",", "."))
            label = found[1].replace("''", "'") if found[1] is not None else found[2]
            if abs(number) != float("inf"):
                yield Datum(label, number, value[2])


REASONS = frozenset(
    {"warning", "critical", "unknown", "exit", "crashed", "timeout", "output", "metric", "not_found", "not_executable"}
)

KIND = ProbeKind("exec", ExecOptions, run, REASONS)
