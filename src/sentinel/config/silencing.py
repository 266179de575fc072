"""The section ``silences``: silences that come again and again, by the hours of a week or by cron."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.calendars import week_of_hours
from sentinel.config.crons import Cron, begins
from sentinel.config.fields import Duration, OneOrMany, TimeZoneName, wrong
from sentinel.config.hours import WeekHours
from sentinel.core.business import BusinessTime
from sentinel.core.calendar import Calendar
from sentinel.core.matching import Matcher, Silence, like, written

MATCHERS_MAX: Final = 50
CRON_LOOKED_AT: Final = 50  # occurrences of a `cron` that must fit together
CRON_APART_MIN: Final = timedelta(minutes=5)
LASTS_MAX: Final = timedelta(days=7)
WEEK_MINUTES: Final = 7 * 24 * 60
WEEK: Final = timedelta(days=8)  # with an hour or two that a change of the clock may add
BY: Final = "configuration"
HOW: Final = "write `hours: {sat-sun: 00:00-24:00}`, or `cron` and `lasts`"
_NAMES: Final = uuid.UUID("0d7a4f4e-7c0e-5b1c-9a52-3f1f7b8f6a10")  # Any will do, as long as it stays.


def _matcher(text: str) -> str:
    try:
        written(text)
    except ValueError as error:
        what, _, suggestion = str(error).partition("; ")
        raise wrong(what, suggestion) from None
    return text


class SilenceEntry(Section):
    """A silence that comes again: in these ``hours`` of every week, or by ``cron`` for as long as it ``lasts``."""

    match: Annotated[OneOrMany[Annotated[Text, AfterValidator(_matcher)]], Field(min_length=1, max_length=MATCHERS_MAX)]
    hours: WeekHours | None = None
    cron: Cron | None = None
    lasts: Annotated[Duration, Field(ge=timedelta(minutes=1), le=LASTS_MAX)] | None = None
    timezone: TimeZoneName | None = None
    comment: Text = ""

    @model_validator(mode="after")
    def _has_a_time(self) -> SilenceEntry:
        if (self.hours is None) == (self.cron is None) or (self.lasts is None) != (self.cron is None):
            raise wrong("nobody knows when it is", HOW)
        if self.cron is not None:
            self._apart()
        elif self._always():
            raise wrong("it never ends", "take the probe out (`paused: yes`), or leave hours of the week free")
        if all(_holds_of_nothing(one) for one in self.matchers):
            raise wrong("it would silence everything", "write at least one matcher such as `service=campus`")
        return self

    def _apart(self) -> None:
        assert self.cron is not None, "it has a cron"
        assert self.lasts is not None, "and lasts"
        found = list(islice(begins(self.cron, datetime(2026, 1, 1, tzinfo=UTC)), CRON_LOOKED_AT))
        for one, following in pairwise(found):
            if following - one < max(self.lasts, CRON_APART_MIN):
                raise wrong("it begins again before it is over, or within 5 minutes", "look at `cron` and `lasts`")

    def _always(self) -> bool:
        assert self.hours is not None, "it has hours"
        openings = (one for day in week_of_hours(self.hours) for one in day)
        return sum(one.closes_minute - one.opens_minute for one in openings) >= WEEK_MINUTES

    @property
    def matchers(self) -> tuple[Matcher, ...]:
        """Return what it matches."""
        return tuple(written(text) for text in self.match)

    def _time(self, zone: str) -> BusinessTime:
        assert self.hours is not None, "it has hours"
        return BusinessTime(Calendar(timezone=self.timezone or zone, week=week_of_hours(self.hours)))

    def windows(self, zone: str) -> Callable[[datetime], Iterator[tuple[datetime, datetime]]]:
        """Return what yields, for a moment, the window in force and those to come; ``zone`` is the site's."""
        cron, lasts = self.cron, self.lasts
        if cron is None or lasts is None:
            time = self._time(zone)

            def weekly(now: datetime) -> Iterator[tuple[datetime, datetime]]:
                yield from (
                    (opens, closes) for opens, closes, *_ in time.periods(now - WEEK, now + 2 * WEEK) if closes > now
                )

            return weekly
        local = ZoneInfo(self.timezone or zone)

        def by_cron(now: datetime) -> Iterator[tuple[datetime, datetime]]:
            for begin in begins(cron, (now - lasts).astimezone(local)):
                if begin + lasts > now:
                    yield begin, begin + lasts

        return by_cron


def _holds_of_nothing(matcher: Matcher) -> bool:
    return like("", matcher.value) == matcher.equal


@dataclass(frozen=True)
class Recurring:
    """One entry, as the daemon is told of it. ``origin`` is another one when the entry says another thing."""

    name: str
    origin: str
    matchers: tuple[Matcher, ...]
    comment: str
    windows: Callable[[datetime], Iterator[tuple[datetime, datetime]]]
    by: str = BY

    def coming(self, now: datetime) -> list[Silence]:
        """Return the silence in force, if there is one, and the next; the same at every start and reload."""
        found = []
        for begin, end in islice(self.windows(now), 2):
            found.append(
                Silence(
                    id=str(uuid.uuid5(_NAMES, f"{self.origin} {begin:%Y%m%dT%H%M%SZ}")),
                    matchers=self.matchers,
                    starts_at=begin,
                    ends_at=end,
                    by=self.by,
                    comment=f"{self.name}: {self.comment}" if self.comment else self.name,
                    origin=self.origin,
                )
            )
            if begin > now:
                break
        return found


def recurring_of(entries: Mapping[str, SilenceEntry], zone: str) -> tuple[Recurring, ...]:
    """Return what the daemon is told of the section."""
    return tuple(
        Recurring(name, _origin(name, entry, zone), entry.matchers, entry.comment, entry.windows(zone))
        for name, entry in entries.items()
    )


def _origin(name: str, entry: SilenceEntry, zone: str) -> str:
    said: Iterable[object] = (entry.match, entry.hours, entry.cron, entry.lasts, entry.timezone or zone)
    return f"{name} {hashlib.sha256(repr(tuple(said)).encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
