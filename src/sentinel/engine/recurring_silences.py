"""Silences that come again and again because somebody said so while the daemon ran: kept beside those configured."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
import structlog

from sentinel.core.matching import Silence
from sentinel.core.model import Refused
from sentinel.engine.clock import Clock
from sentinel.engine.silence_watch import Recurring, SilenceWatch
from sentinel.store.base import Store
from sentinel.store.plain_rows import Record

log = structlog.get_logger(__name__)

SUBJECT: Final = "recurring-silence"
KEPT_MAX: Final = 200
PREFIX: Final = "every-"
T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A silence as somebody wants it again and again: ``every`` is hours of the week, or a cron with ``for_s``."""

    matchers: tuple[str, ...]
    every: str
    for_s: float = 0.0
    timezone: str = ""
    comment: str = ""
    by: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody said, and when."""

    id: str
    wanted: Wanted
    at: datetime


class RecurringSilences:
    """Keeps them, on disk before they hold. ``read`` makes the thing itself of what somebody wants.

    It raises ``Refused`` for what makes no sense. ``zone`` is the site's time zone.
    """

    def __init__(
        self, watch: SilenceWatch, kept: tuple[Store, Executor], clock: Clock, read: Callable[[str, Wanted], Recurring]
    ) -> None:
        self._watch = watch
        self._store, self._writer = kept
        self._clock = clock
        self._read = read
        self.zone: Callable[[], str] = lambda: "UTC"
        self._kept: dict[str, tuple[Kept, Recurring]] = {}

    async def load(self) -> None:
        """Read what is kept. What can no longer be read is said and passed over: it silences nothing.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        decoder = msgspec.json.Decoder(Kept)
        for row in await self._run(self._store.records, SUBJECT):
            one = decoder.decode(row.body)
            try:
                self._kept[one.id] = one, self._read(one.id, one.wanted)
            except Refused as refusal:
                log.error("recurring silence not understood", silence=one.id, why=str(refusal))
        self._tell()

    def all(self) -> list[tuple[Kept, list[Silence]]]:
        """Return them, the oldest first, each with the silence in force, if there is one, and the next."""
        now = self._clock.now()
        return sorted(
            ((one, recurring.coming(now)) for one, recurring in self._kept.values()), key=lambda each: each[0].at
        )

    def configured(self) -> list[list[Silence]]:
        """Return of each that the configuration makes the silence in force, if there is one, and the next."""
        now = self._clock.now()
        return [one.coming(now) for one in self._watch.entries]

    async def add(self, wanted: Wanted) -> tuple[Kept, list[Silence]]:
        """Add one; it holds once this returns.

        Raises:
            Refused: it makes no sense, or there are too many; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """
        if len(self._kept) >= KEPT_MAX:
            raise Refused(f"There are {KEPT_MAX} silences that come again already; take one away first.")
        # What was meant stays, also when the site moves.
        wanted = msgspec.structs.replace(wanted, timezone=wanted.timezone or self.zone())
        name = PREFIX + uuid.uuid4().hex[:8]
        recurring = self._read(name, wanted)
        one = Kept(id=name, wanted=wanted, at=self._clock.now())
        await self._run(self._store.put_records, [Record(SUBJECT, name, msgspec.json.encode(one))], [])
        self._kept[name] = one, recurring
        self._tell()
        await self._watch.begin()
        return one, recurring.coming(self._clock.now())

    async def remove(self, name: str) -> Kept | None:
        """Take one away: its silence in force ends. Return it; nothing when there is none of that id.

        Raises:
            StoreUnavailable: that is not on disk.
        """
        found = self._kept.get(name)
        if found is None:
            return None
        await self._run(self._store.put_records, [], [(SUBJECT, name)])
        self._kept.pop(name, None)
        self._tell()
        await self._watch.begin()
        return found[0]

    def _tell(self) -> None:
        self._watch.said = tuple(recurring for _, recurring in self._kept.values())

    async def _run(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
