"""The last test message to each person: who asked for it, when, and what came of it, kept over restarts."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from datetime import datetime
from typing import Final

import msgspec

from sentinel.engine.clock import Clock
from sentinel.store.base import Store
from sentinel.store.plain_rows import Record

SUBJECT: Final = "person-test"


class Way(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One channel of a test; without ``error`` its carrier took it."""

    channel: str
    error: str = ""


class ContactTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A test message to a person, by each of their channels."""

    person: str
    at: datetime
    by: str
    ways: tuple[Way, ...] = ()

    @property
    def good(self) -> bool:
        """Tell whether at least one message left, and none was refused."""
        return bool(self.ways) and not any(way.error for way in self.ways)


class ContactTests:
    """Knows the last test of each person."""

    def __init__(self, kept: tuple[Store, Executor], clock: Clock) -> None:
        self._store, self._writer = kept
        self._clock = clock
        self._last: dict[str, ContactTest] = {}

    async def load(self) -> None:
        """Read what is known.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._writer, self._store.records, SUBJECT)
        found = (msgspec.json.decode(row.body, type=ContactTest) for row in rows)
        self._last = {one.person: one for one in found}

    def of(self, person: str) -> ContactTest | None:
        """Return the last test of a person; nothing when there was none."""
        return self._last.get(person)

    async def put(self, person: str, by: str, ways: tuple[Way, ...]) -> ContactTest:
        """Keep what came of a test.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        test = ContactTest(person=person, at=self._clock.now(), by=by, ways=ways)
        row = Record(SUBJECT, person, msgspec.json.encode(test))
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.put_records, [row], [])
        self._last[person] = test
        return test
