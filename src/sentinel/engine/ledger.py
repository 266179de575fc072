"""What happens beside incidents, subject by subject: facts in streams, on disk before they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, Protocol, TypeVar

import msgspec

from sentinel.engine.clock import Clock
from sentinel.store.base import Conflict, Line, OutboxRow, Store


class Fact(Protocol):
    """What a ledger holds: a frozen, tagged struct."""


F = TypeVar("F", bound=Fact)


class Ledger(Generic[F]):
    """The streams of one subject: ``change/CHG-1`` holds the facts of one change, in the order they happened.

    ``kind`` is a union of tagged ``msgspec`` structs. ``wrote`` is called once facts are on disk, so that what they
    owe is sent.
    """

    def __init__(self, subject: str, kind: object, store: tuple[Store, Executor], clock: Clock) -> None:
        assert "/" not in subject, "a stream is SUBJECT/NAME"
        self._subject = subject
        self._decoder: msgspec.json.Decoder[F] = msgspec.json.Decoder(kind)
        self._encoder = msgspec.json.Encoder(order="deterministic")
        self._store, self._writer = store
        self._clock = clock
        self._writing = asyncio.Lock()
        self.streams: dict[str, list[F]] = {}
        self.wrote: Callable[[], None] = lambda: None

    async def load(self) -> None:
        """Read what happened so far.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        loop = asyncio.get_running_loop()
        lines = await loop.run_in_executor(self._writer, self._store.ledger, self._subject)
        self.streams = {}
        for line in lines:
            self.streams.setdefault(line.name, []).append(self._decoder.decode(line.body))

    async def add(self, decide: Callable[[dict[str, list[F]]], tuple[str, Sequence[F], Sequence[OutboxRow]]]) -> str:
        """Add what ``decide`` makes of the streams as they are: a stream's name, its new facts, messages owed by them.

        It is called in turn, so that what it sees cannot change meanwhile, and again when another writer was first.
        All of it is on disk before it holds. Messages whose id is known are passed over. Return the stream's name.

        Raises:
            Refused: ``decide`` said so; nothing has changed.
            StoreUnavailable: it is not on disk.
        """
        async with self._writing:
            while True:
                name, facts, owed = decide(self.streams)
                if not facts and not owed:
                    return name
                try:
                    await self._write(name, facts, owed)
                except Conflict:
                    await self.load()
                    continue
                self.streams.setdefault(name, []).extend(facts)
                self.wrote()
                return name

    def next_name(self, prefix: str) -> str:
        """Return the name of a stream to begin: ``CHG-3`` when there are two. Streams are never taken away."""
        return f"{prefix}-{len(self.streams) + 1}"

    async def _write(self, name: str, facts: Sequence[F], owed: Sequence[OutboxRow]) -> None:
        written, now = len(self.streams.get(name, ())), self._clock.now()
        lines = [
            Line(f"{self._subject}/{name}", number, now, self._encoder.encode(fact))
            for number, fact in enumerate(facts, written + 1)
        ]
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.append_lines, lines, owed)
