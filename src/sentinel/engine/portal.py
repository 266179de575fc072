"""The status pages as they were last made: kept in memory, made anew when something changed, served whatever happens.

However many ask, a page is made once in a while, in a thread of its own; when the database is busy or broken, what was
made last goes on being served, and says of what time it is. What customers hear of is owed to subscribers here too:
each message has an id that names it for ever, so that nothing need be remembered over a restart.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

import structlog

from sentinel.core.business import OutOfCalendar
from sentinel.core.model import Language
from sentinel.core.model import Page as Reached
from sentinel.core.public import News, Page, news_of
from sentinel.core.public_wanted import Wanted
from sentinel.engine.clock import Clock
from sentinel.engine.news import ANYTHING, Reader
from sentinel.engine.news import News as Newsroom
from sentinel.engine.outbox import apart_row
from sentinel.engine.subscribers import Subscriber, Subscribers
from sentinel.store.base import OutboxRow, Store, StoreUnavailable

log = structlog.get_logger(__name__)

Form = Literal["html", "json", "atom"]
FORMS: Final[tuple[Form, ...]] = ("html", "json", "atom")

EVERY_S: Final = 60.0  # The clock alone moves bars and times.
PAUSE_S: Final = 2.0  # Between two makings, however much happens;
SHARE: Final = 20.0  # and so many times what the last one took: a long history must not take the processor.
OF_INTEREST: Final = frozenset({"incidents", "changes", "overload", "status", ANYTHING})
PUBLISH_WITHIN_S: Final = 10.0
GZIP_LEVEL: Final = 6
LATE_MAX: Final = timedelta(hours=24)  # Older news is told to nobody: as when a page was just configured.
GIVE_UP_AFTER: Final = timedelta(hours=12)
NEWS_PER_HOUR: Final = 20  # To the subscribers of one page; in a storm the rest waits.
ROWS_AT_ONCE: Final = 500
KEY: Final = "status/"
AN_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One form of a page, ready to be sent; ``packed`` is it compressed."""

    body: bytes
    packed: bytes
    etag: str
    at: datetime


class Press(Protocol):
    """Makes pages and writes them out. What blocks says so."""

    def wanted(self) -> Sequence[Wanted]:
        """Return the pages that are configured now."""
        ...

    def make(self, now: datetime) -> list[Page]:
        """Make all pages. It blocks.

        Raises:
            StoreUnavailable: the database cannot be read.
            OutOfCalendar: it lies outside the years that calendars know.
        """
        ...

    def print(self, page: Page, *, stale: bool) -> Mapping[tuple[Language, Form], bytes]:
        """Write a page out in all its languages and forms. It blocks."""
        ...

    def publish(self, page: Page, *, stale: bool) -> None:
        """Bring the folder of a page in line, if it has one. It blocks.

        Raises:
            OSError: it cannot be written.
        """
        ...

    def bulletin(self, page: Page, news: News | None, to: Subscriber) -> bytes:
        """Return the body of a mail: some news, or the question whether they really want it."""
        ...

    def channel(self) -> str:
        """Return the channel that carries mails; empty when there is none, or no address that links lead to."""
        ...


class Portal:
    """Keeps the pages. ``owed`` is called when there are mails to send."""

    def __init__(self, press: Press, subscribers: Subscribers, kept: tuple[Store, Executor], clock: Clock) -> None:
        self._press = press
        self.subscribers = subscribers
        self._store, self._writer = kept
        self._clock = clock
        self._pages: dict[str, Page] = {}
        self._forms: dict[tuple[str, Language, Form], Rendered] = {}
        self._publishing: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, set[str]] = {}
        self._lately: dict[str, deque[datetime]] = {}
        self.owed: Callable[[], None] = lambda: None
        self.newsroom = Newsroom()

    # Looking ----------------------------------------------------------------------------------------------------

    def find(self, path: str) -> Wanted | None:
        """Return the page that is at a path, as it is configured now."""
        return next((one for one in self._press.wanted() if one.path == path), None)

    def showing(self, service: str) -> tuple[Wanted, ...]:
        """Return the pages that show what is written to customers of a service, as they are configured now."""
        return tuple(one for one in self._press.wanted() if one.messages and service in one.services)

    def page(self, name: str) -> Page | None:
        """Return a page as it was last made."""
        return self._pages.get(name)

    def rendered(self, name: str, language: Language, form: Form) -> Rendered | None:
        """Return one form of a page; nothing before it was first made."""
        return self._forms.get((name, language, form))

    def carries_mail(self) -> bool:
        """Tell whether mails can be sent to subscribers."""
        return bool(self._press.channel())

    # Living -----------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Make the pages anew: the configuration is another one."""
        self.newsroom.say("status")

    async def run(self) -> None:
        """Keep the pages in line until cancelled."""
        with self.newsroom.reading() as reader:
            while True:
                began = self._clock.monotonic()
                await self.look()
                took_s = self._clock.monotonic() - began
                await asyncio.sleep(min(EVERY_S, max(PAUSE_S, SHARE * took_s)))
                await self._something(reader)

    async def _something(self, reader: Reader) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                while not reader.over:
                    await reader.wait()
                    if not OF_INTEREST.isdisjoint(reader.take()):
                        return
                await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Make the pages anew; what cannot be made stays as it was, and says so."""
        wanted = {one.name for one in self._press.wanted()}
        for gone in self._pages.keys() - wanted:
            del self._pages[gone]
        if not wanted:
            return
        stale = False
        try:
            made = await asyncio.to_thread(self._press.make, self._clock.now())
        except (StoreUnavailable, OutOfCalendar) as error:
            log.warning("status pages not brought up to date", why=str(error))
            made, stale = list(self._pages.values()), True
        for page in made:
            await self._show(page, stale=stale)
            if not stale:
                await self._tell(page)

    async def _show(self, page: Page, *, stale: bool) -> None:
        name = page.wanted.name
        forms = await asyncio.to_thread(self._written, page, stale=stale)
        self._pages[name] = page
        self._forms = {key: one for key, one in self._forms.items() if key[0] != name and key[0] in self._pages} | forms
        await self._publish(page, stale=stale)

    async def _publish(self, page: Page, *, stale: bool) -> None:
        """Bring the folder in line. One that hangs holds up nothing else, and is left alone until it answers."""
        name = page.wanted.name
        before = self._publishing.pop(name, None)
        if before is None or before.done():
            before = asyncio.create_task(asyncio.to_thread(self._press.publish, page, stale=stale))
        done, _ = await asyncio.wait({before}, timeout=PUBLISH_WITHIN_S)
        if not done:
            self._publishing[name] = before
            log.warning("status page not published: its folder does not answer", page=name)
            return
        error = before.exception()
        if isinstance(error, OSError):
            log.warning("status page not published", page=name, why=error.strerror or str(error))
        elif error is not None:
            raise error

    def _written(self, page: Page, *, stale: bool) -> dict[tuple[str, Language, Form], Rendered]:
        return {
            (page.wanted.name, language, form): Rendered(
                body=body,
                packed=gzip.compress(body, GZIP_LEVEL, mtime=0),
                etag=hashlib.sha256(body).hexdigest()[:32],
                at=page.made_at,
            )
            for (language, form), body in self._press.print(page, stale=stale).items()
        }

    # Subscribers ------------------------------------------------------------------------------------------------

    async def ask(self, name: str, address: str, language: Language) -> None:
        """Send the mail by which somebody confirms that they want the news of a page, unless they were asked already.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        page, channel = self._pages.get(name), self._press.channel()
        asked = await self.subscribers.ask(name, address, language) if page is not None and channel else None
        if page is None or asked is None:
            return
        row = self._row(f"{KEY}confirm/{asked.id}", self._press.bulletin(page, None, asked), channel)
        await self._owe([row])

    async def _tell(self, page: Page) -> None:
        """Owe what is new to the subscribers of a page, the oldest first."""
        name, now, channel = page.wanted.name, self._clock.now(), self._press.channel()
        fresh = [one for one in reversed(news_of(page)) if now - one.at <= LATE_MAX]
        told = self._told.setdefault(name, set())
        self._told[name] = told & {one.id for one in fresh}
        lately = self._lately.setdefault(name, deque())
        while lately and lately[0] <= now - AN_HOUR:
            lately.popleft()
        subscribers = self.subscribers.of(name) if channel and page.wanted.subscribe else []
        for news in fresh if subscribers else ():
            if news.id in self._told[name]:
                continue
            if len(lately) >= NEWS_PER_HOUR:
                log.warning("much news; subscribers hear the rest later", page=name)
                return
            rows = [
                self._row(f"{KEY}{name}/{news.id}/{one.id}", self._press.bulletin(page, news, one), channel)
                for one in subscribers
                if one.confirmed_at is not None and one.confirmed_at <= news.at
            ]
            try:
                if await self._owe(rows):
                    lately.append(now)
            except StoreUnavailable as error:
                log.warning("news not owed; again soon", page=name, why=str(error))
                return
            self._told[name].add(news.id)

    def _row(self, message: str, body: bytes, channel: str) -> OutboxRow:
        now = self._clock.now()
        return apart_row(message, Reached("", channel), body, now, give_up_after=GIVE_UP_AFTER, urgency=0)

    async def _owe(self, rows: Sequence[OutboxRow]) -> int:
        loop, count = asyncio.get_running_loop(), 0
        for part in _parts(rows):
            count += await loop.run_in_executor(self._writer, self._store.owe_once, part)
        if count:
            self.owed()
        return count


def _parts(rows: Sequence[OutboxRow]) -> Iterator[Sequence[OutboxRow]]:
    """Yield so many at a time that no write is long."""
    return (rows[place : place + ROWS_AT_ONCE] for place in range(0, len(rows), ROWS_AT_ONCE))
