"""What Sentinel says, in each language: phrases, moments in the reader's time zone, durations."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sentinel.core.model import Kind, Language
from sentinel.core.waiting import THE_CUSTOMER

Phrase = Literal["on", "at", "since", "before", "from", "to"]


@cache
def _read(language: Language) -> dict[str, Any]:
    return tomllib.loads(resources.files("sentinel.messages").joinpath("locale", f"{language}.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Voice:
    """The language and the time zone in which one reader is spoken to, and of what: a request has words of its own."""

    language: Language
    zone: ZoneInfo
    category: Kind = "incident"

    def word(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence of the table ``words``."""
        catalogue = _read(self.language)
        own = catalogue["request_words"] if self.category == "request" else {}
        return str(own.get(key, catalogue["words"][key])).format(**values)

    def name(self, table: Literal["severities", "cause_classes", "clocks", "categories"], key: str) -> str:
        """Return how a word of the glossary is said."""
        return str(_read(self.language)[table][key])

    def awaited(self, whom: str) -> str:
        """Return who is waited for; the customer, when nobody is named, in the reader's language."""
        return self.word("the_customer") if whom == THE_CUSTOMER else whom

    def named(self, table: str, key: str) -> str:
        """Return how something with an id is called in a table; empty when the catalogue does not know it."""
        return str(_read(self.language)[table].get(key, ""))

    def own(self, text: str) -> str:
        """Return what Sentinel itself gave as a reason, in the reader's language; what people wrote stays as it is."""
        return self.named("own", text) or text

    def kind(self, kind: str, key: str) -> str:
        """Return what is said of one kind of notice, as it is or with blanks; empty when that kind has none."""
        catalogue = _read(self.language)
        own = catalogue["request"].get(kind) if self.category == "request" else None
        return str((catalogue["kind"][kind] if own is None else own).get(key, ""))

    def clock(self, moment: datetime) -> str:
        """Write the time of day."""
        local, shapes = moment.astimezone(self.zone), _read(self.language)["moment"]
        shape: str = shapes["full_hour"] if local.minute == 0 else shapes["clock"]
        return shape.format(hour=local.hour, minute=local.minute)

    def phrase(self, phrase: Phrase, moment: datetime, now: datetime) -> str:
        """Write a moment within a sentence; the date only when it is not today's, the year when it is not this one."""
        local, today = moment.astimezone(self.zone), now.astimezone(self.zone)
        same_day, other_day = _read(self.language)["phrase"][phrase]
        shape: str = same_day if local.date() == today.date() else other_day
        return shape.format(clock=self.clock(moment), date=self._date(local, today))

    def _date(self, local: datetime, today: datetime) -> str:
        """Write a short date, with the year when it is not this one."""
        shapes = _read(self.language)["moment"]
        shape: str = shapes["date"] if local.year == today.year else shapes["date_year"]
        name = shapes["months"][local.month - 1]
        return shape.format(day=local.day, month=local.month, month_short=name[:3], year=local.year)

    def span(self, begin: datetime, end: datetime, now: datetime) -> str:
        """Write from when to when something is to last; the day is named unless it is today's."""
        local, until = begin.astimezone(self.zone), end.astimezone(self.zone)
        times = f"{self.phrase('from', begin, end)} {self.phrase('to', end, begin)}"
        if local.date() != until.date() or local.date() == now.astimezone(self.zone).date():
            return times
        return self.word("day_span", day=self._date(local, now.astimezone(self.zone)), span=times)

    def long(self, moment: datetime) -> str:
        """Write a moment in full: the day of the week, the date and the time."""
        local, shapes = moment.astimezone(self.zone), _read(self.language)["moment"]
        shape: str = shapes["long"]
        return shape.format(
            weekday=shapes["weekdays"][local.weekday()],
            day=shapes["first_day"] if local.day == 1 else local.day,
            month_name=shapes["months"][local.month - 1],
            year=local.year,
            clock=self.clock(moment),
        )

    def day(self, day: date) -> str:
        """Write a day in full."""
        shapes = _read(self.language)["moment"]
        shape: str = shapes["day"]
        return shape.format(
            weekday=shapes["weekdays"][day.weekday()],
            day=shapes["first_day"] if day.day == 1 else day.day,
            month_name=shapes["months"][day.month - 1],
            year=day.year,
        )

    def duration(self, length: timedelta) -> str:
        """Write a duration in its two largest units; a negative one counts as nothing."""
        total_s = max(0, int(length.total_seconds()))
        days, rest_s = divmod(total_s, 86_400)
        hours, rest_s = divmod(rest_s, 3600)
        minutes, seconds = divmod(rest_s, 60)
        if days:
            key = "days" if hours else "full_days"
        elif hours:
            key = "hours" if minutes else "full_hours"
        else:
            key = "minutes" if minutes else "seconds"
        shape: str = _read(self.language)["duration"][key]
        return shape.format(days=days, hours=hours, minutes=minutes, seconds=seconds)
