"""Status pages from what is kept: the same for the daemon and for a command that only looks; and their mails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from sentinel import change_reports
from sentinel.channels.base import Message, Undelivered
from sentinel.config.build import Setup
from sentinel.core import causes, occasions
from sentinel.core.calendar import shown_at
from sentinel.core.model import Language
from sentinel.core.overload import Fact as OverloadFact
from sentinel.core.overload import overload_of
from sentinel.core.public import DAYS_MAX, KINDS, Known, News, Page, page_of
from sentinel.core.public_wanted import Wanted
from sentinel.engine.overload import STREAM as OVERLOAD
from sentinel.engine.overload import SUBJECT as SITE
from sentinel.engine.portal import Form, Portal
from sentinel.engine.subscribers import STANDINGS, Purpose, Subscriber, Subscribers
from sentinel.messages import bulletins
from sentinel.messages.bulletins import Bulletin, Reader
from sentinel.messages.wording import Fact
from sentinel.reporting import status_files, status_page
from sentinel.reporting.status_page import Place
from sentinel.reporting.status_words import StatusWords, said
from sentinel.reports import INCIDENTS_MAX, subject_of
from sentinel.store.base import OutboxRow, ResultStore, Store

if TYPE_CHECKING:
    from sentinel.parts import Parts

STYLE: Final = "/static/status.css"

_overload = msgspec.json.Decoder(OverloadFact)


@dataclass(frozen=True, slots=True)
class Sources:
    """What pages are made from: the configuration of now, and what is kept."""

    setup: Callable[[], Setup]
    store: Store
    results: ResultStore

    def make(self, pages: Sequence[Wanted], now: datetime) -> list[Page]:
        """Make pages. It reads the stores, and so blocks.

        Raises:
            StoreUnavailable: the database cannot be read.
            OutOfCalendar: it lies outside the years that calendars know.
        """
        if not pages:
            return []
        known = self._known(now, min(now - one.history for one in pages))
        return [page_of(one, known, now) for one in pages]

    def _known(self, now: datetime, since: datetime) -> Known:
        setup = self.setup()
        told = self.store.during(since, now, kinds=KINDS, limit=INCIDENTS_MAX)
        return Known(
            told=told,
            changes=change_reports.read(setup.changes, self.store).changes,
            subjects={name: subject_of(setup, plan) for name, plan in setup.services.items()},
            known_from=self._known_from(setup, now),
            excused=frozenset(state.number for state, _ in told if causes.excused(state)),
            overload=overload_of(map(_overload.decode, self._lines_of(SITE, OVERLOAD))).on,
            site=setup.site.name,
            timezone=setup.site.timezone,
        )

    def _lines_of(self, subject: str, name: str) -> Iterator[bytes]:
        return (line.body for line in self.store.ledger(subject) if line.name == name)

    def _known_from(self, setup: Setup, now: datetime) -> datetime | None:
        """Return when the watching began, as far as anything tells."""
        zone = ZoneInfo(setup.site.timezone)
        since = shown_at(now, zone).date().toordinal() - DAYS_MAX
        days = [days[0].day for days in self.results.days(setup.probes, since).values() if days]
        first = date.fromordinal(min(days)) if days else None
        begun = occasions.days(first, first, zone).begins_at if first is not None else None
        found = [self.store.first_opened(), begun, *(sample.at for sample in self.results.newest())]
        return min(filter(None, found), default=None)


@dataclass(frozen=True, slots=True)
class Printer:
    """Makes and writes out the pages of the daemon."""

    sources: Sources

    def wanted(self) -> Sequence[Wanted]:
        """Return the pages that are configured now."""
        return self.sources.setup().status_pages

    def make(self, now: datetime) -> list[Page]:
        """Make all pages. It blocks.

        Raises:
            StoreUnavailable: the database cannot be read.
            OutOfCalendar: it lies outside the years that calendars know.
        """
        return self.sources.make(self.wanted(), now)

    def print(self, page: Page, *, stale: bool) -> Mapping[tuple[Language, Form], bytes]:
        """Write a page out in all its languages and forms."""
        found: dict[tuple[Language, Form], bytes] = {}
        subscribe = page.wanted.subscribe and bool(self.channel())
        for language in page.wanted.languages:
            place = place_of(self.sources.setup(), page.wanted, language, subscribe=subscribe)
            found[language, "html"] = status_page.html(page, language, place, stale=stale)
            found[language, "json"] = status_page.json(page, language, stale=stale)
            found[language, "atom"] = status_page.atom(page, language, place)
        return found

    def publish(self, page: Page, *, stale: bool) -> None:
        """Bring the folder of a page in line, if it has one. A relative one is seen from the configuration.

        Raises:
            OSError: it cannot be written.
        """
        setup = self.sources.setup()
        if page.wanted.publish:
            files = status_files.files_of(page, url_of(setup, page.wanted), stale=stale)
            status_files.write(setup.folder / page.wanted.publish, files)

    def bulletin(self, page: Page, news: News | None, to: Subscriber) -> bytes:
        """Return the body of a mail: some news, or the question whether they really want it."""
        words = StatusWords(page, to.language)
        text = words.say("mail_confirm_text", title=words.title(), url=bulletins.URL)
        if news is not None:
            text = "\n\n".join([words.headline(news), *words.sentences(news)])
        about = news.id.partition("/")[0] if news is not None else "confirm"
        return msgspec.json.encode(
            Bulletin(
                subscriber=to.id,
                page=page.wanted.name,
                asks=news is None,
                language=to.language,
                subject=words.say("mail_confirm_subject", title=words.title())
                if news is None
                else words.headline(news),
                text=text,
                thread=f"{bulletins.KEY}{page.wanted.name}/{about}",
                at=to.asked_at if news is None else news.at,
            )
        )

    def channel(self) -> str:
        """Return the channel that carries mails; empty when there is none, or no address that links lead to."""
        setup = self.sources.setup()
        if not setup.site.url:
            return ""
        return next((name for name, one in setup.directory.channels.items() if one.address == "email"), "")


@dataclass(frozen=True, slots=True)
class Bulletins:
    """Writes the rows of subscribers out as mails, to the addresses and with the links of now."""

    setup: Callable[[], Setup]
    subscribers: Subscribers

    def __call__(self, row: OutboxRow) -> Message:
        """Return the message of a row.

        Raises:
            Undelivered: they have gone, or need not be asked any more, or there is no such page any more.
        """
        bulletin, setup = bulletins.read(row.body), self.setup()
        to = self.subscribers.get(bulletin.subscriber)
        page = next((one for one in setup.status_pages if one.name == bulletin.page), None)
        if to is None or page is None or (to.confirmed_at is not None) == bulletin.asks:
            raise Undelivered("the subscription is not there any more", permanent=True, outcome="refused")
        purpose: Purpose = "confirm" if bulletin.asks else "unsubscribe"
        home = url_of(setup, page)
        link = f"{home}/{purpose}/{self.subscribers.code(to.id, purpose)}"
        footer = "" if bulletin.asks else footer_of(to.language, home, link)
        doors = (
            [("mail_confirm_door", link)] if bulletin.asks else [("mail_page_door", home), ("mail_leave_door", link)]
        )
        named = tuple(Fact(said(to.language, label), url, url) for label, url in doors)
        return bulletins.write(row.id, bulletin, Reader(to.address, link, footer, named))


def footer_of(language: Language, page: str, unsubscribe: str) -> str:
    """Return what stands under each mail."""
    return said(language, "mail_footer", page=page, unsubscribe=unsubscribe)


def url_of(setup: Setup, page: Wanted) -> str:
    """Return where a page is at home; empty when nobody has said where the site is."""
    return f"{setup.site.url.rstrip('/')}{page.path}" if setup.site.url else ""


def place_of(setup: Setup, page: Wanted, language: Language, *, subscribe: bool) -> Place:
    """Return where things are as the daemon serves them."""
    return Place(
        style=STYLE,
        languages={other: f"{page.path}?lang={other}" for other in page.languages},
        atom=f"{page.path}.atom?lang={language}",
        json=f"{page.path}.json?lang={language}",
        home=url_of(setup, page) or page.path,
        subscribe=f"{page.path}/subscribe" if subscribe else "",
    )


def portal_of(parts: Parts) -> Portal:
    """Return the daemon's pages, told of what happens, whose mails go with all others."""
    sources = Sources(lambda: parts.setup, parts.store, parts.results)
    kept = (parts.store, parts.writer)
    portal = Portal(Printer(sources), Subscribers(kept, parts.clock), kept, parts.clock)
    portal.newsroom = parts.news
    parts.meters.states["sentinel_status_page_subscribers"] = lambda: counted(portal.subscribers, sources.setup())
    return portal


def counted(subscribers: Subscribers, setup: Setup) -> list[tuple[tuple[str, str], float]]:
    """Return for the metrics how many subscribers each page has, by how they stand."""
    found = subscribers.count()
    pages = [page.name for page in setup.status_pages]
    return [((page, standing), float(found[page, standing])) for page in pages for standing in STANDINGS]
