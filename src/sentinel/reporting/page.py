"""A report as one HTML file: its own stylesheet inside, nothing to be fetched, readable on paper and in the dark."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sentinel.core.model import Language
from sentinel.core.report.model import Cell, On, Report, ServiceReport
from sentinel.messages.clean import clean
from sentinel.reporting import chart
from sentinel.reporting.words import Words

SHOWN_MAX_CHARS: Final = 2000


def html(
    report: Report,
    language: Language,
    *,
    url: str | None = None,
    stylesheet: str = "",
    back: tuple[tuple[str, str], ...] = (),
) -> str:
    """Write a report as HTML. ``url`` is where incidents are found: a site, or empty for this one.

    With ``stylesheet`` the page refers to that instead of holding its own; ``back`` are links put above it.
    """
    words = Words(language, ZoneInfo(report.timezone))
    return (
        templates()
        .get_template("report.html.j2")
        .render(
            report=report,
            words=words,
            say=words.say,
            css=Markup(style()),  # noqa: S704  our own file
            stylesheet=stylesheet,
            back=back,
            url=None if url is None else url.rstrip("/"),
            strip=chart.strip,
            days=chart.days,
            bar=chart.bar,
            verdict=lambda one: verdict(one, words),
            written=lambda cell: written(cell, words),
        )
    )


def style() -> str:
    """Return the stylesheet."""
    return resources.files("sentinel.reporting").joinpath("templates", "report.css").read_text("utf-8")


def verdict(one: ServiceReport, words: Words) -> Markup:
    """Say whether what was promised was kept, by a sign and a word: colour is never all that tells."""
    available = one.availability
    if available.target_percent is None:
        return Markup('<span class="dim">{}</span>').format(words.say("no_target"))
    promised = words.say("target", percent=words.percent(available.target_percent))
    if available.met is None:
        return Markup('<span class="dim">{}</span>').format(promised)
    key = "met" if available.met else "missed"
    return Markup('<span class="{}">{}</span> <span class="dim">{}</span>').format(key, words.say(key), promised)


def written(cell: Cell, words: Words) -> str:
    """Write a cell of another subject's rows."""
    match cell:
        case None:
            return ""
        case On(at=at):
            return words.moment(at)
        case float():
            return f"{cell:g}"
    return str(cell)


@cache
def templates() -> Environment:
    """Return what all documents are written with: whatever they show is escaped, and cleaned before that."""
    return Environment(
        loader=PackageLoader("sentinel.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )


def _harmless(value: Any) -> Any:
    """Make whatever is shown harmless: titles come from outside."""
    return clean(value, SHOWN_MAX_CHARS) if isinstance(value, str) and not isinstance(value, Markup) else value
