"""What Sentinel says, in each language: phrases, moments in the reader's time zone, durations."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sentinel.core.model import Language

Phrase = Literal["on", "at", "since", "before", "from", "to"]


@cache
def _read(language: Language) -> dict[str, Any]:
    return tomllib.loads(resources.files("sentinel.messages").joinpath("locale", f"{language}.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Voice:
    """The language and the time zone in which one reader is spoken to."""

    language: Language
    zone: ZoneInfo

    def word(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence of the table ``words``."""
        return str(_read(self.language)["words"][key]).format(**values)

    def name(self, table: Literal["severities", "cause_classes", "clocks", "categories"], key: str) -> str:
        """Return how a word of the glossary is said."""
        return str(_read(self.language)[table][key])

    def kind(self, kind: str, key: str, /, **values: object) -> str:
        """Return a sentence about one kind of notice, empty when that kind has none."""
        return str(_read(self.language)["kind"][kind].get(key, "")).format(**values)

    def clock(self, moment: datetime) -> str:
        """Write the time of day."""
        local, shapes = moment.astimezone(self.zone), _read(self.language)["moment"]
        shape: str = shapes["full_hour"] if local.minute == 0 else shapes["clock"]
        return shape.format(hour=local.hour, minute=local.minute)

    def phrase(self, phrase: Phrase, moment: datetime, now: datetime) -> str:
        """Write a moment within a sentence; the date only when it is not today's, the year when it is not this one."""
        local, today = moment.astimezone(self.zone), now.astimezone(self.zone)
        catalogue = _read(self.language)
        same_day, other_day = catalogue["phrase"][phrase]
        shapes = catalogue["moment"]
        date: str = shapes["date"] if local.year == today.year else shapes["date_year"]
        name = shapes["months"][local.month - 1]
        written = date.format(day=local.day, month=local.month, month_short=name[:3], year=local.year)
        shape: str = same_day if local.date() == today.date() else other_day
        return shape.format(clock=self.clock(moment), date=written)

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
