"""What reports say: words, moments, lengths and parts of a hundred, in one language and one time zone."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from math import floor
from typing import Any, Final
from zoneinfo import ZoneInfo

from sentinel.core.model import Language

PERCENT_DIGITS: Final = 3
DAY_S: Final = 86_400


@cache
def _catalogue(language: Language) -> dict[str, Any]:
    text = resources.files("sentinel.reporting").joinpath("locale", f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


@dataclass(frozen=True, slots=True)
class Words:
    """One reader's language."""

    language: Language
    zone: ZoneInfo

    def say(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence."""
        return str(_catalogue(self.language)["word"][key]).format(**values)

    def name(self, table: str, key: str) -> str:
        """Return how a word of the glossary is said."""
        return str(_catalogue(self.language)[table][key])

    def remark(self, code: str, **values: object) -> str:
        """Return a remark as a sentence."""
        return str(_catalogue(self.language)["remark"][code]).format(**values)

    def moment(self, at: datetime, shape: str = "long") -> str:
        """Write a moment with its date, or the date alone."""
        local, shapes = at.astimezone(self.zone), _catalogue(self.language)["moment"]
        written: str = shapes[shape].format(
            day=shapes["first_day"] if local.day == 1 else local.day,
            month=shapes["months"][local.month - 1],
            year=local.year,
            hour=local.hour,
            minute=local.minute,
        )
        return written

    def period(self, begins_at: datetime, ends_at: datetime) -> str:
        """Write a period by its first and last day; one that does not end at midnight by its moments."""
        local = ends_at.astimezone(self.zone)
        if local.hour or local.minute:
            return self.say("period", begin=self.moment(begins_at), end=self.moment(ends_at))
        last = ends_at - timedelta(seconds=1)
        return self.say("period", begin=self.moment(begins_at, "date"), end=self.moment(last, "date"))

    def duration(self, seconds: float) -> str:
        """Write a length in its two largest units."""
        whole = round(seconds)
        days, rest = divmod(whole, DAY_S)
        hours, rest = divmod(rest, 3600)
        minutes, left = divmod(rest, 60)
        shapes = _catalogue(self.language)["duration"]
        key = "days" if days else "hours" if hours else "minutes" if minutes or not left else "seconds"
        written: str = shapes[key].format(days=days, hours=hours, minutes=minutes, seconds=left)
        return written

    def hours(self, seconds: float) -> str:
        """Write a length in hours and minutes: an opening day has not 24 of them."""
        minutes = round(seconds / 60)
        if minutes < 60:
            return self.duration(seconds)
        written: str = _catalogue(self.language)["duration"]["hours"].format(hours=minutes // 60, minutes=minutes % 60)
        return written

    def calendar(self, name: str) -> str:
        """Return how a calendar is called: the one that never closes has no name of anybody's choice."""
        return self.say("always") if name == "always" else name

    def percent(self, value: float | None) -> str:
        """Write a part of a hundred, cut and never rounded up: 99.9999 % is not 100 %."""
        if value is None:
            return self.say("unknown")
        scale = 10**PERCENT_DIGITS
        cut = floor(value * scale + 1e-6) / scale  # What arithmetic with fractions lost is no outage.
        text = f"{cut:.{PERCENT_DIGITS}f}".rstrip("0").rstrip(".")
        shapes = _catalogue(self.language)["number"]
        written: str = shapes["percent"].format(number=text.replace(".", shapes["decimal"]))
        return written
