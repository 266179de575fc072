"""The page of all probes: found by a word, a state, a service or a type, the worst first, with their last 90 days."""

from __future__ import annotations

from typing import Final, get_args
from urllib.parse import urlencode

from aiohttp import web
from markupsafe import Markup

from sentinel.engine.live import State
from sentinel.reporting.words import Words
from sentinel.store.base import StoreUnavailable
from sentinel.web import bodies, charts, history
from sentinel.web.board import Line, Standing, board, line_of
from sentinel.web.context import CONTEXT
from sentinel.web.guard import Route
from sentinel.web.history import DAYS_SHOWN, History
from sentinel.web.overview import WORST_FIRST
from sentinel.web.rendering import render
from sentinel.web.wording import Wording, wording

PAGE_SIZE: Final = 100
PAGES_MAX: Final = 1_000_000
STATES: Final[tuple[State, ...]] = get_args(State)


async def show(request: web.Request) -> web.Response:
    """List the probes that are asked for."""
    context = request.app[CONTEXT]
    asked = {name: bodies.line(request.query.get(name, ""), bodies.NAME_MAX_CHARS) for name in ("q", *FILTERS)}
    asked["state"] = asked["state"] if asked["state"] in STATES else ""
    seen = board(request)
    found = _found(seen.probes, asked)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    page = min(bodies.number(request, "page", 1, PAGES_MAX), pages)
    lines = [line_of(one.rows) for one in found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]]
    words = wording(request, context.settings(), context.now())

    def link(**changes: object) -> str:
        """Return this page with another choice; a new choice begins at its first page."""
        chosen = {**asked, **changes}
        kept = urlencode([(name, value) for name, value in chosen.items() if value])
        return f"/probes?{kept}" if kept else "/probes"

    return render(
        request,
        "probes.html",
        lines=lines,
        total=len(found),
        every=len(seen.probes),
        asked=asked,
        states=[(state, seen.counts[state]) for state in WORST_FIRST if seen.counts[state]],
        types=seen.types,
        page=page,
        pages=pages,
        link=link,
        bars=await _bars(request, lines, words),
    )


FILTERS: Final = ("state", "service", "type")


def _found(probes: list[Standing], asked: dict[str, str]) -> list[Standing]:
    """Return the probes that everything which is asked for holds of, in their order."""
    state, service, kind, sought = asked["state"], asked["service"], asked["type"], asked["q"].casefold()
    return [
        one
        for one in probes
        if (not state or one.state == state)
        and (not service or one.rows[0].plan.service == service)
        and (not kind or one.rows[0].plan.type == kind)
        and (not sought or one.says(sought))
    ]


async def _bars(request: web.Request, lines: list[Line], words: Wording) -> dict[str, tuple[Markup, str]]:
    """Return the bars of each probe, and how much was fine; nothing while the database does not answer."""
    try:
        found = await history.of(request, {line.name: line.rows for line in lines})
    except StoreUnavailable:
        return {}
    numbers = Words(words.language, words.zone)
    return {name: (charts.strip(one.levels, said(one, words)), _percent(one, numbers)) for name, one in found.items()}


def said(one: History, words: Wording) -> str:
    """Say what bars show."""
    if one.percent is None:
        return words.say("probes_bars_none", days=DAYS_SHOWN)
    percent = Words(words.language, words.zone).percent(one.percent)
    return words.say("probes_bars", days=DAYS_SHOWN, percent=percent, bad=one.bad_days)


def _percent(one: History, numbers: Words) -> str:
    return numbers.percent(one.percent) if one.percent is not None else ""


def routes() -> list[Route]:
    """Return the page."""
    return [Route("GET", "/probes", show)]
