"""What status pages say, and the news of them: in one language and one time zone, from what is public alone."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import cache
from importlib import resources
from typing import Final
from zoneinfo import ZoneInfo

from sentinel.core.model import Language
from sentinel.core.public import Message, News, Page, Standing, Trouble, Work
from sentinel.messages.clean import clean, one_line
from sentinel.reporting.words import Words

NAME_MAX_CHARS: Final = 200
TEXT_MAX_CHARS: Final = 4_000
SIGNS: Final[Mapping[Standing, str]] = {"ok": "✓", "unknown": "?", "maintenance": "⚒", "degraded": "!", "down": "✗"}


@cache
def _catalogue(language: Language) -> Mapping[str, str]:
    text = resources.files("sentinel.reporting").joinpath("locale", f"status.{language}.toml").read_text("utf-8")
    words: Mapping[str, str] = tomllib.loads(text)["word"]
    return words


def said(language: Language, key: str, /, **values: object) -> str:
    """Return a word or a sentence that needs no page."""
    return _catalogue(language)[key].format(**values)


class StatusWords(Words):
    """One reader's language, for one page."""

    __slots__ = ("_page",)
    _page: Page

    def __init__(self, page: Page, language: Language) -> None:
        super().__init__(language, ZoneInfo(page.timezone))
        object.__setattr__(self, "_page", page)

    def say(self, key: str, /, **values: object) -> str:
        """Return a word or a sentence."""
        return said(self.language, key, **values) if key in _catalogue(self.language) else super().say(key, **values)

    def sign(self, standing: Standing) -> str:
        """Return the sign of a state: colour is never all that tells."""
        return SIGNS[standing]

    def service(self, name: str) -> str:
        """Return how a service is called."""
        return one_line(next((one.name for one in self._page.services if one.id == name), name), NAME_MAX_CHARS)

    def title(self) -> str:
        """Return how the page is called."""
        return one_line(self._page.wanted.title, NAME_MAX_CHARS)

    def trouble(self, one: Trouble) -> str:
        """Return what an incident is to customers: its service, and how that is."""
        return self.say(f"trouble_{one.standing}", service=self.service(one.service))

    def work(self, one: Work) -> str:
        """Return what a change is called."""
        return one_line(one.title, NAME_MAX_CHARS)

    def services(self, one: Work) -> str:
        """Return which services of the page a change is about."""
        return ", ".join(map(self.service, one.services))

    def day(self, day: date) -> str:
        """Write a day."""
        return self.moment(datetime.combine(day, time(12), self.zone), "date")

    def text(self, message: Message) -> str:
        """Return what somebody wrote for customers, in their language where there is one, made harmless."""
        return clean(message.texts.get(self.language) or message.text, TEXT_MAX_CHARS)

    def headline(self, news: News) -> str:
        """Return one line for a thing that customers hear of."""
        what = self.trouble(news.trouble) if news.trouble is not None else ""
        if news.work is not None:
            what = self.work(news.work)
        return self.say(f"head_{news.what}", what=what)

    def sentences(self, news: News) -> list[str]:
        """Return what there is to say of it."""
        values: dict[str, object] = {"moment": self.moment(news.at)}
        if news.trouble is not None and news.what == "opened":
            values["moment"] = self.moment(news.trouble.began_at)
        if news.message is not None:
            values["text"] = self.text(news.message)
        if news.work is not None:
            values |= {"begin": self.moment(news.work.begins_at), "end": self.moment(news.work.ends_at)}
        found = [self.say(f"news_{news.what}", **values)]
        if news.work is not None:
            found.append(self.say("works_services", services=self.services(news.work)))
        if news.message is not None and news.message.next_at is not None:
            found.append(self.say("mail_next", moment=self.moment(news.message.next_at)))
        return found
