"""Sends reports when they are due: each once for its occasion, over restarts too (rule SLA-8).

It need remember nothing: what is owed has an id that names the occasion, and is owed once for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

from sentinel.core import occasions
from sentinel.core.business import Period
from sentinel.core.hearing import by_mail
from sentinel.core.model import Directory, Page
from sentinel.core.occasions import Every
from sentinel.engine.clock import Clock
from sentinel.engine.looking import keep_looking
from sentinel.engine.outbox import apart_row
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 20.0
# An occasion that nobody was there for is made up for; one long past is not, as when a report has just been configured.
LATE_MAX = timedelta(days=7)
GIVE_UP_AFTER = timedelta(days=3)
KEY = "report:"


class Due(Protocol):
    """A report that is sent: its name, how often, and to whom."""

    @property
    def name(self) -> str:
        """Return what it is called."""
        ...

    @property
    def every(self) -> Every:
        """Return how often it is due."""
        ...

    @property
    def to(self) -> tuple[str, ...]:
        """Return the audiences it goes to."""
        ...


class Post(Protocol):
    """Knows the reports of now, and writes them out."""

    def plans(self) -> Sequence[Due]:
        """Return the reports that are sent."""
        ...

    def zone(self) -> ZoneInfo:
        """Return where days begin."""
        ...

    def write(self, due: Due, period: Period, messages: dict[str, Page], now: datetime) -> dict[str, bytes]:
        """Return the bodies of messages by their ids. It blocks.

        Raises:
            StoreUnavailable: what it is made from cannot be read.
        """
        ...


class ReportWatch:
    """Looks now and then whether a report is due. ``owed`` is called when there are messages to send."""

    def __init__(
        self, post: Post, directory: Callable[[], Directory], outbox: tuple[Store, Executor], clock: Clock
    ) -> None:
        self._post = post
        self._directory = directory
        self._store, self._writer = outbox
        self._clock = clock
        self.owed: Callable[[], None] = lambda: None
        self.progressed_at = clock.monotonic()
        self._sent: dict[str, datetime] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        await keep_looking(self, self._clock, LOOK_EVERY_S, "reports not sent; again soon")

    async def look(self) -> None:
        """Send what is due now.

        Raises:
            StoreUnavailable: it is not on disk; it will be sent at the next look.
        """
        now, zone = self._clock.now(), self._post.zone()
        for due in self._post.plans():
            at = occasions.last(due.every, now, zone)
            if self._sent.get(due.name) != at and now - at <= LATE_MAX:
                await self._send(due, at, now)
                self._sent[due.name] = at

    async def _send(self, due: Due, at: datetime, now: datetime) -> None:
        messages = {
            f"{KEY}{due.name}/{at:%Y%m%dT%H%M%SZ}/{page.person}/{page.channel}": page for page in self._pages(due)
        }
        if not messages:
            log.warning("nobody to send the report to", report=due.name)
            return
        period = occasions.covered(due.every, at, self._post.zone())
        bodies = await asyncio.to_thread(self._post.write, due, period, messages, now)
        rows = [_row(message, messages[message], body, now) for message, body in bodies.items()]
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(self._writer, self._store.owe_once, rows):
            log.info("report due", report=due.name, messages=len(rows))
            self.owed()

    def _pages(self, due: Due) -> Iterable[Page]:
        """Return who gets it by mail; nobody gets a report any other way."""
        directory = self._directory()
        for page in by_mail(due.to, directory):
            if directory.channels[page.channel].address == "email":
                yield page


def _row(message: str, page: Page, body: bytes, now: datetime) -> OutboxRow:
    return apart_row(message, page, body, now, give_up_after=GIVE_UP_AFTER, urgency=0)
