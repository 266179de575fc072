"""A status page in its forms: HTML that needs no script, JSON for programs, Atom for readers of feeds."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

import msgspec
from markupsafe import Markup

from sentinel.core.model import Language
from sentinel.core.public import Day, News, Page, Service, Standing, Trouble, Work, news_of
from sentinel.reporting.page import templates
from sentinel.reporting.status_words import StatusWords

Said = Literal["asked", "bad_address", "confirm", "confirmed", "unsubscribe", "unsubscribed"]

BAR_WIDTH, BAR_STEP, BAR_HEIGHT = 3, 4, 24
BAR_ORDER: Final[tuple[Standing, ...]] = ("ok", "maintenance", "degraded", "down", "unknown")
ATOM: Final = "http://www.w3.org/2005/Atom"
FORMAT: Final = 1  # Of the JSON form: it grows by new keys, and is another number when one changes its meaning.


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where things are, as a page refers to them; ``subscribe`` is empty where nobody can, ``home`` is whole."""

    style: str
    languages: Mapping[Language, str]
    atom: str
    json: str
    home: str
    subscribe: str = ""


def html(page: Page, language: Language, place: Place, *, stale: bool = False) -> bytes:
    """Write the page. One that is ``stale`` says that it cannot be brought up to date."""
    words = StatusWords(page, language)
    text = (
        templates()
        .get_template("status.html.j2")
        .render(
            page=page,
            words=words,
            say=words.say,
            place=place,
            stale=stale,
            bars=lambda one: bars(one, words),
            colon="\u00a0:" if language == "fr" else ":",
            day_of=words.day,
            said_of=lambda day: _said_of(day, words),
        )
    )
    return text.encode()


def said(page: Page, language: Language, place: Place, what: Said) -> bytes:
    """Write a page about a subscription."""
    words = StatusWords(page, language)
    text = templates().get_template("status_said.html.j2").render(
        page=page, words=words, say=words.say, place=place, said=what
    )  # fmt: skip
    return text.encode()


def style() -> bytes:
    """Return the stylesheet."""
    return resources.files("sentinel.reporting").joinpath("templates", "status.css").read_bytes()


def bars(one: Service, words: StatusWords) -> Markup:
    """Draw the days of a service, the oldest first; a sentence says the same to who does not see them."""
    drawn = []
    for standing in BAR_ORDER:
        places = [number * BAR_STEP for number, day in enumerate(one.days) if day.standing == standing]
        if places:
            path = "".join(f"M{x} 0h{BAR_WIDTH}v{BAR_HEIGHT}h-{BAR_WIDTH}z" for x in places)
            drawn.append(Markup('<path class="{}" d="{}"/>').format(standing, path))
    counts = {name: sum(day.standing == name for day in one.days) for name in ("down", "degraded")}
    key = "bars" if any(counts.values()) else "bars_all_well"
    return Markup(
        '<svg class="bars" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}</svg>'
    ).format(
        words.say(key, days=len(one.days), **counts),
        max(1, len(one.days) * BAR_STEP - 1),
        BAR_HEIGHT,
        Markup("").join(drawn),
    )


def json(page: Page, language: Language, *, stale: bool = False) -> bytes:
    """Write what the page says for programs; its words are in one language."""
    words = StatusWords(page, language)
    found: dict[str, Any] = {
        "format": FORMAT,
        "page": page.wanted.name,
        "title": words.title(),
        "language": language,
        "made_at": page.made_at,
        "stale": stale,
        "state": page.standing,
        "summary": words.say(f"overall_{page.standing}"),
        "overload": page.overload,
        "services": [_service(one, words) for one in page.services],
        "incidents": [_trouble(one, words) for one in page.open],
        "maintenance": [_work(one, words) for one in page.planned],
        "past_incidents": [_trouble(one, words) for one in page.past],
        "past_maintenance": [_work(one, words) for one in page.done],
    }
    return msgspec.json.encode(found)


def atom(page: Page, language: Language, place: Place) -> bytes:
    """Write the news of the page as a feed (RFC 4287)."""
    words = StatusWords(page, language)
    feed = ET.Element("feed", {"xmlns": ATOM, "xml:lang": language})
    news = news_of(page)
    updated = max((one.at for one in news), default=page.made_at)
    for name, text in (
        ("id", _urn(place.home)),
        ("title", words.title()),
        ("updated", f"{updated.isoformat()}"),
    ):
        ET.SubElement(feed, name).text = text
    ET.SubElement(ET.SubElement(feed, "author"), "name").text = page.site
    ET.SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": place.home})
    for one in news:
        _entry(feed, one, words, place)
    written: bytes = ET.tostring(feed, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + written + b"\n"


def _entry(feed: ET.Element, news: News, words: StatusWords, place: Place) -> None:
    entry = ET.SubElement(feed, "entry")
    ET.SubElement(entry, "id").text = _urn(f"{place.home}#{news.id}")
    ET.SubElement(entry, "title").text = words.headline(news)
    ET.SubElement(entry, "updated").text = news.at.isoformat()
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": place.home})
    ET.SubElement(entry, "content", {"type": "text"}).text = "\n".join(words.sentences(news))


def _urn(name: str) -> str:
    """Return an id that is the same for ever, wherever the page is copied to."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


def _service(one: Service, words: StatusWords) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": words.service(one.id),
        "state": one.standing,
        "availability_percent": one.percent,
        "days": [
            {"day": day.day, "state": day.standing, "availability_percent": day.percent} for day in one.days
        ],
    }  # fmt: skip


def _trouble(one: Trouble, words: StatusWords) -> dict[str, Any]:
    return {
        "number": one.number,
        "service": one.service,
        "title": words.trouble(one),
        "state": one.standing,
        "began_at": one.began_at,
        "ended_at": one.ended_at,
        "taken": one.taken,
        "next_at": one.next_at,
        "messages": [{"at": message.at, "text": words.text(message)} for message in one.messages],
    }


def _work(one: Work, words: StatusWords) -> dict[str, Any]:
    return {
        "number": one.number,
        "title": words.work(one),
        "services": list(one.services),
        "state": one.phase,
        "begins_at": one.begins_at,
        "ends_at": one.ends_at,
        "ended_at": one.ended_at,
    }


def _said_of(day: Day, words: StatusWords) -> str:
    if day.standing == "degraded":
        return words.say("day_degraded")
    if day.percent is None or day.percent >= 100.0:
        return words.say("day_down_outside")
    return words.say("day_down", percent=words.percent(day.percent))
