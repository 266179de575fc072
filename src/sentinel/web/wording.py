"""What the pages say: words, moments and durations in the reader's language and the site's time zone."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, get_args
from zoneinfo import ZoneInfo

from aiohttp import web

from sentinel.core import events as e
from sentinel.core.model import Directory, Language
from sentinel.messages.catalogue import Voice
from sentinel.web import people
from sentinel.web.context import Settings

LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_COOKIE = "sentinel_lang"
ACCEPTED_MAX = 10


@cache
def _catalogue(language: Language) -> dict[str, Any]:
    return tomllib.loads(resources.files("sentinel.web").joinpath("locale", f"{language}.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Wording:
    """One reader's language, at one moment."""

    language: Language
    zone: ZoneInfo
    now: datetime

    def say(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence."""
        return str(_catalogue(self.language)["word"][key]).format(**values)

    def severity(self, key: str) -> str:
        """Return how a severity is said."""
        return str(_catalogue(self.language)["severity"][key])

    def sign(self, table: str, key: str) -> tuple[str, str]:
        """Return the sign and the word of a state: colour is never all that tells."""
        sign, word = _catalogue(self.language)[table][key]
        return sign, word

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """Write a moment: the date only when it is not today's, the year when it is not this one."""
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone)
        shapes = _catalogue(self.language)["moment"]
        clock = shapes["clock_seconds" if seconds else "clock"]
        if local.date() == today.date():
            shape = shapes["today"]
        else:
            shape = shapes["other_day" if local.year == today.year else "other_year"]
        written: str = shape.format(
            clock=clock.format(hour=local.hour, minute=local.minute, second=local.second),
            weekday=shapes["weekdays"][local.weekday()],
            day=local.day,
            month=shapes["months"][local.month - 1],
            year=local.year,
        )
        return written

    def since(self, at: datetime) -> str:
        """Write how long ago a moment was."""
        return Voice(self.language, self.zone).duration(self.now - at)

    def took(self, duration_s: float) -> str:
        """Write how long a run took."""
        if duration_s < 1:
            return f"{duration_s * 1000:.0f}\u00a0ms"
        text = f"{duration_s:.1f}\u00a0s"
        return text.replace(".", ",") if self.language == "fr" else text

    def event(self, event: e.Event, directory: Directory) -> str:
        """Write a line of the timeline."""
        values = {name: getattr(event, name) for name in event.__struct_fields__}
        for name in ("by", "person"):
            if name in values:
                values[name] = people.shown(values[name], directory)
        key = str(type(event).__struct_config__.tag)
        match event:
            case e.Opened() | e.SignalJoined():
                values["detail"] = event.signal.detail or event.signal.title
            case e.Held(on=False):
                key = "released"
            case e.Resolved(automatic=True):
                key = "resolved_automatic"
            case e.Closed(by=""):
                key = "closed_automatic"
            case e.Cascaded(by=""):
                key = "cascaded_automatic"
            case e.Routed(path="immediate"):
                key = "routed_immediate"
            case e.ProblemJudged(accepted=True):
                key = "problem_accepted"
            case e.Flapped(on=False):
                key = "rested"
            case e.TargetWarned():
                values["percent"] = str(event.percent).removesuffix(".0")
            case e.Escalated():
                values["step"] = event.step + 1
                key = "escalated_due" if event.why == "due" else key
            case e.Told() | e.NotTold() if not event.person:
                values["person"] = self.say("a_place")
        return str(_catalogue(self.language)["event"][key]).format(**values)


def wording(request: web.Request, settings: Settings, now: datetime) -> Wording:
    """Choose the language: the one asked for, the one asked for before, the browser's, the site's."""
    return Wording(_language(request, settings.language), ZoneInfo(settings.timezone), now)


def _language(request: web.Request, default: Language) -> Language:
    for asked in (request.query.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        for language in LANGUAGES:
            if asked == language:
                return language
    return _preferred(request.headers.get("Accept-Language", "")) or default


def _preferred(header: str) -> Language | None:
    """Return the language of ours that a browser likes best."""
    liked: dict[Language, float] = {}
    for entry in header.split(",")[:ACCEPTED_MAX]:
        tag, _, weight = entry.strip().partition(";q=")
        for language in LANGUAGES:
            if tag.partition("-")[0].casefold() == language and _weight(weight) > liked.get(language, 0.0):
                liked[language] = _weight(weight)
    return max(liked, key=lambda language: liked[language], default=None)


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
