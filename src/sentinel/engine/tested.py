"""Test messages to people: sent as all messages are, not too often, and remembered over restarts.

What came of one stands in the outbox, where receipts arrive; here stands who asked for it, and when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from sentinel.core.model import Person, Refused
from sentinel.engine.clock import Clock
from sentinel.store.base import OutboxRow, Store, StoreUnavailable
from sentinel.store.plain_rows import Record

log = structlog.get_logger(__name__)

SUBJECT: Final = "person-test"
ID: Final = "test/"
# To one person: a test costs money, and rings at somebody's side.
APART_MIN: Final = timedelta(minutes=1)
A_DAY_MAX: Final = 20
DAY: Final = timedelta(days=1)
GIVE_UP_AFTER: Final = timedelta(minutes=15)  # A test that arrives an hour later proves the wrong thing.


class TooOften(Refused):
    """Somebody was sent a test a moment ago, or many today; ``after`` says when the next may go."""

    def __init__(self, after: timedelta) -> None:
        super().__init__(
            f"Tests go to one person once a minute, {A_DAY_MAX} times a day; the next in {after.total_seconds():.0f} s."
        )
        self.after = after


class Way(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One channel of a test; ``message`` is its row of the outbox, empty when it went past it.

    Without either its carrier took it.
    """

    channel: str
    error: str = ""
    message: str = ""


class ContactTest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A test message to a person, by some of their channels; ``before`` are the moments of those of the last day."""

    person: str
    at: datetime
    by: str
    ways: tuple[Way, ...] = ()
    before: tuple[datetime, ...] = ()


class ContactTests:
    """Knows the last test of each person, and sends one. ``body`` writes it; ``owed`` is told that there is one."""

    def __init__(self, kept: tuple[Store, Executor], clock: Clock) -> None:
        self._store, self._writer = kept
        self._clock = clock
        self._last: dict[str, ContactTest] = {}
        self.body: Callable[[str, datetime], bytes] = lambda _message, _at: b""
        self.owed: Callable[[], None] = lambda: None

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

    async def send(self, person: Person, channels: Sequence[str], by: str) -> ContactTest:
        """Owe a person a message by each of these channels: it goes as any other, and what comes of it is in its row.

        Raises:
            TooOften: they were sent one a moment ago, or many today.
            StoreUnavailable: it is not on disk.
        """
        now = self._clock.now()
        rows = [self._row(person.id, channel, now) for channel in channels]
        ways = tuple(Way(channel=row.channel, message=row.id) for row in rows)
        test = await self._keep(person.id, by, ways, now)
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.owe_once, rows)
        self.owed()
        return test

    async def put(self, person: str, by: str, ways: tuple[Way, ...]) -> ContactTest:
        """Keep what came of a test that went past the outbox.

        Raises:
            TooOften: they were sent one a moment ago, or many today.
            StoreUnavailable: it is not on disk.
        """
        return await self._keep(person, by, ways, self._clock.now())

    def may_go(self, person: str) -> None:
        """Say whether a person may be sent a test now.

        Raises:
            TooOften: they were sent one a moment ago, or many today.
        """
        now = self._clock.now()
        moments = self._lately(person, now)
        if moments and now - moments[-1] < APART_MIN:
            raise TooOften(moments[-1] + APART_MIN - now)
        if len(moments) >= A_DAY_MAX:
            raise TooOften(moments[-A_DAY_MAX] + DAY - now)

    def _lately(self, person: str, now: datetime) -> tuple[datetime, ...]:
        last = self._last.get(person)
        moments = (*last.before, last.at) if last is not None else ()
        return tuple(one for one in moments if timedelta(0) <= now - one < DAY)

    async def _keep(self, person: str, by: str, ways: tuple[Way, ...], now: datetime) -> ContactTest:
        self.may_go(person)
        before = self._last.get(person)
        test = ContactTest(person=person, at=now, by=by, ways=ways, before=self._lately(person, now)[-A_DAY_MAX:])
        self._last[person] = test  # Before it is on disk: two at once are one too many.
        row = Record(SUBJECT, person, msgspec.json.encode(test))
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._store.put_records, [row], [])
        except StoreUnavailable:
            if before is None:
                del self._last[person]
            else:
                self._last[person] = before
            raise
        log.info("test message", person=person, by=by, channels=[way.channel for way in ways])
        return test

    def _row(self, person: str, channel: str, now: datetime) -> OutboxRow:
        message = f"{ID}{person}/{channel}/{now:%Y%m%dT%H%M%S%f}"
        return OutboxRow(
            id=message,
            kind="message",
            incident="",
            sequence=0,
            person=person,
            channel=channel,
            urgency=1,
            body=self.body(message, now),
            created_at=now,
            due_at=now,
            give_up_at=now + GIVE_UP_AFTER,
        )
