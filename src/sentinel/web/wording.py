"""What the pages say: words, moments and durations in the reader's language and the site's time zone."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, get_args
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup, escape

from sentinel.core import carried
from sentinel.core import events as e
from sentinel.core.clocks import MISSED
from sentinel.core.crisis_events import CrisisEvent
from sentinel.core.model import Directory, Language, Refused, Watch
from sentinel.core.raci import NotTheirs
from sentinel.messages.catalogue import Voice
from sentinel.messages.status import step_name
from sentinel.web import crisis_words, identity, people, review_lines
from sentinel.web.coming import Coming
from sentinel.web.context import Settings

LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_COOKIE = "sentinel_lang"
ACCEPTED_MAX = 10
OWN = ("backend", "rule", "why")  # Fields of events that Sentinel fills in where nobody else does.


@cache
def catalogue(language: Language) -> dict[str, Any]:
    """Return what all pages say, and what each says: a file of its own in `pages`. A word has one home."""
    folder = resources.files("sentinel.web").joinpath("locale")
    found = tomllib.loads(folder.joinpath(f"{language}.toml").read_text("utf-8"))
    for file in sorted(folder.joinpath("pages").iterdir(), key=lambda file: file.name):
        if file.name.endswith(f".{language}.toml"):
            for table, words in tomllib.loads(file.read_text("utf-8")).items():
                twice = found.setdefault(table, {}).keys() & words.keys()
                assert not twice, f"{file.name}: [{table}] {', '.join(sorted(twice))} stands elsewhere too"
                found[table].update(words)
    return found


@cache
def _state(language: Language, table: str, key: str) -> Markup:
    sign, word = catalogue(language)[table][key]
    shape = Markup('<span class="state {}-{}"><span aria-hidden="true">{}</span> {}</span>')
    return shape.format(table, key, sign, word)


@dataclass(frozen=True, slots=True)
class Wording:
    """One reader's language, at one moment."""

    language: Language
    zone: ZoneInfo
    now: datetime

    def say(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence."""
        return str(catalogue(self.language)["word"][key]).format(**values)

    def way(self, channel: str, reference: str) -> str:
        """Return how a message went: its channel, and the provider that took it in the channel's place."""
        return carried.by(self.channel(channel), reference)

    def channel(self, name: str) -> str:
        """Return how people call a channel that is called as its kind usually is; another has the name it was given."""
        return self.named("channel", name)

    def severity(self, key: str) -> str:
        """Return how a severity is said."""
        return str(catalogue(self.language)["severity"][key])

    def named(self, table: str, key: str) -> str:
        """Return how something with an id is called in a table."""
        return str(catalogue(self.language)[table].get(key, key))

    def sign(self, table: str, key: str) -> tuple[str, str]:
        """Return the sign and the word of a state: colour is never all that tells."""
        sign, word = catalogue(self.language)[table][key]
        return sign, word

    def state(self, table: str, key: str) -> Markup:
        """Return a state as a page shows it: made once, as a page has a hundred of them."""
        return _state(self.language, table, key)

    def moment(self, at: datetime, *, seconds: bool = False) -> str:
        """Write a moment: the date only when it is not today's, the year when it is not this one."""
        local, today = at.astimezone(self.zone), self.now.astimezone(self.zone)
        shapes = catalogue(self.language)["moment"]
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

    def month(self, text: str) -> str:
        """Write a month that is given as ``2026-11``."""
        year, _, month = text.partition("-")
        return f"{catalogue(self.language)['moment']['months'][int(month) - 1]} {year}"

    def day(self, day: date) -> str:
        """Write a day: the year only when it is not this one."""
        shapes = catalogue(self.language)["moment"]
        shape = shapes["day" if day.year == self.now.astimezone(self.zone).year else "day_year"]
        weekday, month = shapes["weekdays"][day.weekday()], shapes["months"][day.month - 1]
        return str(shape.format(weekday=weekday, day=day.day, month=month, year=day.year))

    def hour(self, at: datetime) -> str:
        """Write the time of a moment, without its day."""
        local, shapes = at.astimezone(self.zone), catalogue(self.language)["moment"]
        return str(shapes["clock"].format(hour=local.hour, minute=local.minute))

    def since(self, at: datetime) -> str:
        """Write how long ago a moment was."""
        return Voice(self.language, self.zone).duration(self.now - at)

    def lasting(self, length: timedelta | float) -> str:
        """Write how long something lasts; a number is seconds."""
        whole = length if isinstance(length, timedelta) else timedelta(seconds=length)
        return Voice(self.language, self.zone).duration(whole)

    def took(self, duration_s: float) -> str:
        """Write how long a run took."""
        if duration_s < 1:
            return f"{duration_s * 1000:.0f}\u00a0ms"
        text = f"{duration_s:.1f}\u00a0s"
        return text.replace(".", ",") if self.language == "fr" else text

    @property
    def colon(self) -> str:
        """Return a colon as it is set in the language."""
        return Markup("\u00a0:") if self.language == "fr" else ":"

    def left(self, at: datetime, key: str) -> str:
        """Write how long it is until a moment, or how late it is, as the page's script goes on counting.

        The script writes the same text over it each second: nothing moves on the page when it begins to.
        """
        seconds = round((at - self.now).total_seconds())
        text = self._counted(abs(seconds))
        return f"−{text}" if seconds < 0 else self.say(key, time=text)

    def countdown(self, at: datetime, key: str) -> Markup:
        """Return how long it is until a moment as an element that the page's script goes on counting in."""
        late = " late" if at < self.now else ""
        attributes = f'class="left{late}" datetime="{at.isoformat()}" data-left="{escape(self.say(key, time="{}"))}"'
        # A hundred of them stand on a page, and ``Markup.format`` takes ten times as long.
        return Markup(f'<time {attributes} aria-hidden="true">{escape(self.left(at, key))}</time>')  # noqa: S704

    def elapsed(self, at: datetime) -> str:
        """Write how long ago a moment was, as the page's script goes on counting."""
        return self._counted(max(0, round((self.now - at).total_seconds())))

    def _counted(self, seconds: int) -> str:
        days, rest = divmod(seconds, 86_400)
        hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
        if days:
            return f"{days} {'j' if self.language == 'fr' else 'd'} {hours} h"
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def own(self, text: str) -> str:
        """Return what Sentinel itself gave as a reason or a name, in the reader's language."""
        return Voice(self.language, self.zone).own(text)

    def awaited(self, whom: str) -> str:
        """Return who is waited for, in the reader's language."""
        return Voice(self.language, self.zone).awaited(whom)

    def zone_name(self) -> str:
        """Return the zone of all times on the page, and what it is ahead of UTC now."""
        ahead = self.now.astimezone(self.zone).strftime("%z")
        return f"{self.zone.key} (UTC{ahead[:3].replace('-', '−')}:{ahead[3:]})"

    def clock(self, name: str) -> str:
        """Return how a clock is called."""
        return Voice(self.language, self.zone).named("clocks", name)

    def crisis_step(self, step: str) -> str:
        """Return how a step of a crisis is called, given its id, or the title that somebody gave it."""
        return step_name(Voice(self.language, self.zone), step, "")

    @staticmethod
    def names(ids: Iterable[str], person: Callable[[str], str]) -> str:
        """Write who is meant, each once; nothing for nobody."""
        return ", ".join(dict.fromkeys(person(one) for one in ids if one))

    def used_percent(self, begin: datetime, due: datetime) -> int:
        """Return how much of a time is over, in percent of it."""
        whole_s = max((due - begin).total_seconds(), 1.0)
        return min(100, max(0, round(100 * (self.now - begin).total_seconds() / whole_s)))

    @staticmethod
    def place(one: Coming) -> str:
        """Return the page of what something that comes is about."""
        if one.what == "gap":
            return "/oncall"
        if one.what in {"change_begins", "change_ends"}:
            return f"/changes/{one.about}"
        return f"/incidents/{one.about}{'/crisis' if one.what == 'crisis' else ''}"

    def refused(self, refusal: Refused) -> str:
        """Return a refusal in the reader's language; nothing for those that are said in English alone."""
        if not isinstance(refusal, NotTheirs):
            return ""
        return self.say(
            "refused_raci",
            name=refusal.name,
            who=self.named("raci_column", refusal.column or "partner"),
            part=self.named("raci_part", refusal.part or "none"),
            activity=self.named("crisis_activity", refusal.activity),
            can=self.say("refused_or").join(self.named("raci_column", one) for one in refusal.whose),
        )

    def event(self, event: e.Event, directory: Directory) -> str:
        """Write a line of the timeline."""
        values = {name: getattr(event, name) for name in event.__struct_fields__}
        for name in ("by", "person", "whose", "to"):
            if name in values:
                values[name] = people.shown(values[name], directory)
        voice = Voice(self.language, self.zone)
        values |= {name: voice.own(values[name]) for name in OWN if isinstance(values.get(name), str)}
        key = _key_of(event)
        match event:
            case e.Opened():
                values["detail"] = event.signal.detail or event.signal.title
            case e.SignalJoined():  # The title of the incident says whose the first one was; not so of the others.
                values["detail"] = ": ".join(filter(None, (event.signal.title, event.signal.detail)))
            case e.Scheduled():
                values["on"] = self.day(event.on)
            case e.Pended():
                values["whom"] = Voice(self.language, self.zone).awaited(people.shown(event.whom, directory))
            case e.Published():
                values["text"] = (event.fr if self.language == "fr" else event.en) or event.fr or event.en
            case e.TargetWarned():
                values["percent"] = str(event.percent).removesuffix(".0")
            case e.Escalated():
                values["step"] = event.place + 1
                key = _escalated(event)
            case e.HoursChanged():
                key = self._hours(event.watch, values)
            case _ if isinstance(event, CrisisEvent):
                key = crisis_words.line(event, values, Voice(self.language, self.zone), self.moment)
            case e.Told() if event.together > 1:
                key = "told_together"
            case e.Told() | e.NotTold() | e.Bounced() if not event.person:
                values["person"] = self.say("a_place")
        if isinstance(event, e.Told | e.NotTold | e.Bounced):  # Their lines begin with it.
            name = self.channel(event.channel)
            name = name if name == event.channel else name[:1].upper() + name[1:]
            values["channel"] = carried.by(name, event.reference if isinstance(event, e.Told) else "")
        key = review_lines.filled(event, values, directory, self.moment, self.day) or key
        line = str(catalogue(self.language)["event"][key]).format(**values)
        watch = event.watch if isinstance(event, e.Opened | e.Reopened) else None
        if watch and watch.gated:
            line += str(catalogue(self.language)["event"]["waits"]).format(until=self._until(watch))
        return line

    def _hours(self, watch: Watch, values: dict[str, Any]) -> str:
        """Return the key of a line that says which hours have begun."""
        values |= {"ladder": watch.ladder, "until": self._until(watch)}
        if watch.gated:
            return "hours_gated"
        hours = "hours_out" if watch.out_of_hours else "hours_in"
        return f"{hours}_ladder" if watch.ladder else hours

    def _until(self, watch: Watch) -> str:
        return self.moment(watch.until) if watch.until else "–"


def _escalated(event: e.Escalated) -> str:
    if event.by:
        return "escalated_by"
    if event.clock:
        return "escalated_missed" if event.why == MISSED else "escalated_at_risk"
    return "escalated_due" if event.why == "due" else "escalated"


def _key_of(event: e.Event) -> str:
    """Return under which key an event is said: its tag, and for some another one when they were other than usual."""
    match event:
        case e.ChangeLinked(change=""):
            return "change_unlinked"
        case e.Held(on=False):
            return "released"
        case e.Resolved(automatic=True):
            return "resolved_automatic"
        case e.Closed(by=""):
            return "closed_automatic"
        case e.Cascaded(by=""):
            return "cascaded_automatic"
        case e.Routed(path="immediate"):
            return "routed_immediate"
        case e.ProblemJudged(accepted=True):
            return "problem_accepted"
        case e.Flapped(on=False):
            return "rested"
    return str(type(event).__struct_config__.tag)


def wording(request: web.Request, settings: Settings, now: datetime, language: Language | None = None) -> Wording:
    """Choose the language: the one asked for, the one asked for before, the browser's, the reader's, the site's."""
    who = identity.of(request)
    reader = settings.directory.people.get(who.acts_as) if who is not None else None
    default = reader.language if reader is not None else settings.language
    return Wording(language or _language(request, default), ZoneInfo(settings.timezone), now)


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
