"""What a worker has to say, gathered for a moment and sent together; who cannot be heard waits, and starts less."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import structlog

from sentinel.engine.clock import Clock
from sentinel.engine.workers.wire import (
    LINE_MAX_CHARS,
    LINES_A_FRAME_MAX,
    RESULTS_A_FRAME_MAX,
    Batch,
    Level,
    Line,
    Place,
    Ran,
    Skip,
    frame,
)

BATCH_S: Final = 0.05
BEAT_S: Final = 1.0
# Results that wait for the daemon to take them; a run whose result finds no room goes on until there is some.
WAITING_MAX: Final = 2_000
LINES_MAX: Final = 1_000
SKIPS: Final[dict[str, Skip]] = {reason: reason for reason in get_args(Skip)}
PLACES: Final[dict[str, Place]] = {place: place for place in get_args(Place)}
LEVELS: Final[dict[str, Level]] = {level: level for level in get_args(Level)}
OWN_SIZES = Path("/proc/self/statm")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Outbox:
    """Gathers and sends. ``state`` adds how the worker is to each batch."""

    def __init__(self, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self.state: Callable[[Batch], Batch] = lambda batch: batch
        self._ran: deque[Ran] = deque()
        self._lines: deque[Line] = deque()
        self._lines_lost = 0
        self._late: list[float] = []
        self._done: list[int] = []
        self._skipped: Counter[Skip] = Counter()
        self._bugs: Counter[Place] = Counter()
        self._something = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, ran: Ran) -> None:
        """Take a result, when there is room for it."""
        while len(self._ran) >= WAITING_MAX:
            self._room.clear()
            await self._room.wait()
        self._ran.append(ran)
        self._something.set()

    def started_late(self, seconds: float) -> None:
        """Take by how much a run began late; it goes with the next results."""
        if len(self._late) < WAITING_MAX:
            self._late.append(seconds)

    def skipped(self, reason: str) -> None:
        """Count a run that did not start."""
        self._skipped[SKIPS.get(reason, "budget")] += 1

    def bug(self, where: str) -> None:
        """Count an error of our own."""
        self._bugs[PLACES.get(where, "loop")] += 1

    def done(self, number: int) -> None:
        """Take that what was asked for has run; its results stand before it."""
        self._done.append(number)
        self._something.set()

    def line(self, _logger: object, method: str, said: structlog.typing.EventDict) -> structlog.typing.EventDict:
        """Take a line for the log, as the last of structlog's processors."""
        if len(self._lines) >= LINES_MAX:
            self._lines_lost += 1
            raise structlog.DropEvent
        event, said_level = str(said.pop("event", "")), said.pop("level", method)
        fields = {str(key)[:LINE_MAX_CHARS]: _plain(value) for key, value in said.items()}
        level: Level = LEVELS.get(said_level, "error")
        self._lines.append(Line(level, _plain_text(event), fields))
        self._something.set()
        raise structlog.DropEvent

    async def run(self) -> None:
        """Send what gathers, and a sign of life each second when nothing does, until cancelled.

        Raises:
            ConnectionError: the daemon is gone.
        """
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._something.wait()
                    await asyncio.sleep(BATCH_S)
            await self.flush()

    async def flush(self) -> None:
        """Send all there is.

        Raises:
            ConnectionError: the daemon is gone.
        """
        more = True
        while more:
            self._something.clear()
            self._writer.write(frame(self._batch()))
            self._room.set()
            await self._writer.drain()
            more = bool(self._ran or self._done)

    def _batch(self) -> Batch:
        ran = tuple(self._ran.popleft() for _ in range(min(len(self._ran), RESULTS_A_FRAME_MAX)))
        lines = tuple(self._lines.popleft() for _ in range(min(len(self._lines), LINES_A_FRAME_MAX)))
        batch = Batch(
            at_s=self._clock.monotonic(),
            ran=ran,
            started_late_s=tuple(self._late),
            skipped=dict(self._skipped),
            bugs=dict(self._bugs),
            lines=lines,
            lines_lost=self._lines_lost,
            done=() if self._ran else tuple(self._done),
            resident_bytes=resident_bytes(),
        )
        if not self._ran:
            self._done = []
        self._late, self._lines_lost = [], 0
        self._skipped.clear()
        self._bugs.clear()
        return self.state(batch)


def resident_bytes() -> int:
    """Return how much memory the process holds; 0 where the kernel does not say."""
    try:
        return int(OWN_SIZES.read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def scrubbed(ran: Ran) -> Ran:
    """Return a result without what MessagePack cannot carry: targets may answer anything."""
    try:
        msgspec.msgpack.encode(ran)
    except UnicodeEncodeError:
        samples = tuple(
            (metric, tuple((name, _plain_text(text)) for name, text in labels), value)
            for metric, labels, value in ran.samples
        )
        result = msgspec.structs.replace(
            ran.result, reason=_plain_text(ran.result.reason), detail=_plain_text(ran.result.detail)
        )
        return msgspec.structs.replace(ran, samples=samples, result=result)
    return ran


def _plain(value: Any) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, bool | int | float) else _plain_text(str(value))


def _plain_text(text: str) -> str:
    return text[:LINE_MAX_CHARS].encode("utf-8", "replace").decode()
