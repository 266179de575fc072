"""Where this door keeps what is its own: plain records of the store, read and written by the store's one writer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import msgspec

from sentinel.store.base import Store
from sentinel.store.plain_rows import Record

T = TypeVar("T")


class Shelf:
    """Reads and writes records. What was written is on disk."""

    def __init__(self, store: Store, writer: Executor) -> None:
        self._store, self._writer = store, writer

    async def read(self, subject: str, kind: type[T]) -> list[T]:
        """Return what is kept under a subject, in the order of the names.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        decoder = msgspec.json.Decoder(kind)
        rows = await self.run(self._store.records, subject)
        return [decoder.decode(row.body) for row in rows]

    async def write(self, kept: Sequence[Record] = (), gone: Iterable[tuple[str, str]] = ()) -> None:
        """Keep records, and let go of those of a subject and a name; all or nothing.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self.run(self._store.put_records, kept, list(gone))

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """Call something that blocks, after what waits to be written already."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)


def record(subject: str, name: str, what: msgspec.Struct) -> Record:
    """Return something as it is kept."""
    return Record(subject, name, msgspec.json.encode(what))
