"""The page of a probe: its targets, its days, how long its runs took, and what the last ones saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from urllib.parse import quote, urlencode

from aiohttp import web
from markupsafe import Markup

from sentinel.core.probe_days import Pace
from sentinel.core.state import Incident
from sentinel.engine.live import Row
from sentinel.engine.phases import phases
from sentinel.messages.catalogue import Voice
from sentinel.reporting.words import Words
from sentinel.store.base import ProbeEvent, Sample, StoreUnavailable
from sentinel.web import bodies, charts, history, probes_page, spans
from sentinel.web.board import RANK, line_of
from sentinel.web.charts import Bar, Frame, Measure, Part
from sentinel.web.context import CONTEXT, Context
from sentinel.web.guard import Route
from sentinel.web.history import History, percent_of
from sentinel.web.problem import Problem
from sentinel.web.rendering import render
from sentinel.web.rights import GRANTS
from sentinel.web.spans import Span
from sentinel.web.wording import Wording, wording

TARGETS_MAX: Final = 100  # On one page; the others are a link away.
PAGES_MAX: Final = 1_000_000
RUNS_SHOWN: Final = 20
RUNS_REACH: Final = 30  # So many intervals back are looked through for them, and an hour at least.
EVENTS_MAX: Final = 500
INCIDENTS_MAX: Final = 20
PIECES_MAX: Final = 200
PIECES_MIN: Final = 10
DAY: Final = timedelta(days=1)


class Run(NamedTuple):
    """One run, and what it saw where that is known: failures and recoveries say more than that it was fine."""

    at: datetime
    ok: bool
    duration_s: float
    reason: str = ""
    detail: str = ""


class Past(NamedTuple):
    """What is read of a probe's past, for one target and one time."""

    history: History
    paces: Sequence[Pace]
    runs: Sequence[Run]
    failure: ProbeEvent | None


async def show(request: web.Request) -> web.Response:
    """Show one probe."""
    context, name = request.app[CONTEXT], request.match_info["name"]
    line = line_of(_rows(context, name))
    rows = sorted(line.rows, key=lambda row: RANK[row.state])
    row = _chosen(rows, request.query.get("target", ""))
    now = context.now()
    asked = request.query
    span = spans.read(asked.get("span", ""), asked.get("from", ""), asked.get("to", ""), now)
    pieces = _pieces(span, row)
    words = wording(request, context.settings(), now)
    try:
        past: Past | None = await _past(request, row, line.rows, span, pieces)
    except StoreUnavailable:
        past = None
    stack, keys = _parts(row, words)
    pages = -(-len(rows) // TARGETS_MAX)
    page = min(bodies.number(request, "page", 1, PAGES_MAX), pages)
    return render(
        request,
        "probe.html",
        line=line,
        plan=row.plan,
        row=row,
        rows=rows[(page - 1) * TARGETS_MAX : page * TARGETS_MAX],
        page=page,
        pages=pages,
        span=span,
        span_words=tuple(spans.WORDS),
        beside=span.beside(now),
        link=lambda **changes: _link(name, row, changes),
        past=past,
        bars=_bars(past.history, words, _Days(name, row, words)) if past else "",
        said=probes_page.said(past.history, words) if past else "",
        first_day=date.fromordinal(past.history.days[0].day) if past else None,
        last_day=date.fromordinal(past.history.days[-1].day) if past else None,
        chart=_chart(past.paces, span, pieces, row, words) if past else "",
        described=_described(past.paces, span, words) if past else "",
        stack=stack,
        keys=keys,
        incidents=_incidents(context.desk.open(), name),
        ran=bool(request.query.get("ran")),
        length=lambda seconds: Voice(words.language, words.zone).duration(timedelta(seconds=seconds)),
        silences="GET /silences" in GRANTS,
    )


async def run(request: web.Request) -> web.Response:
    """Run a probe now, and go back to its page, which shows what it saw."""
    name = request.match_info["name"]
    if await request.app[CONTEXT].probe_once(name) is None:
        raise Problem(404, f"There is no probe `{bodies.line(name)}`.")
    return web.Response(status=303, headers={"Location": f"/probes/{quote(name, safe='')}?ran=1"})


def _rows(context: Context, name: str) -> list[Row]:
    """Return the targets of a probe.

    Raises:
        Problem: 404 there is no such probe.
    """
    rows = context.live.of(name)
    if not rows:
        raise Problem(404, f"There is no probe `{bodies.line(name)}`.")
    return rows


def _chosen(rows: Sequence[Row], target: str) -> Row:
    """Return the target that is asked for, or the worst.

    Raises:
        Problem: 404 there is no such target.
    """
    if not target:
        return rows[0]
    found = next((row for row in rows if row.target == target), None)
    if found is None:
        raise Problem(404, f"The probe has no target `{bodies.line(target)}`.")
    return found


def _link(name: str, row: Row, changes: dict[str, str]) -> str:
    asked = {"target": row.target, **changes} if len(row.plan.targets) > 1 else changes
    kept = urlencode([(key, value) for key, value in asked.items() if value])
    return f"/probes/{quote(name, safe='')}{'?' if kept else ''}{kept}"


# ------------------------------------------------------------------------------------------------------------ its past


async def _past(request: web.Request, row: Row, rows: list[Row], span: Span, pieces: int) -> Past:
    """Read what is kept of a probe.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    context, name = request.app[CONTEXT], row.plan.name
    reach = max(timedelta(hours=1), timedelta(seconds=RUNS_REACH * row.plan.interval_s))
    samples: list[Sample] = await context.read(context.results.samples, name, row.target, context.now() - reach)
    events: list[ProbeEvent] = await context.read(context.results.events, name, limit=EVENTS_MAX)
    mine = [event for event in events if event.target == row.target]
    return Past(
        history=(await history.of(request, {name: rows}))[name],
        paces=await context.read(context.results.paces, name, row.target, (span.begins_at, span.ends_at), pieces),
        runs=_runs(samples[-RUNS_SHOWN:], mine, row),
        failure=next((event for event in mine if not event.ok), None),
    )


def _runs(samples: Iterable[Sample], events: Iterable[ProbeEvent], row: Row) -> list[Run]:
    """Return runs with what is known of what they saw, the newest first."""
    seen = {event.at: (event.reason, event.detail) for event in events}
    if row.last is not None:
        seen[row.last.at] = (row.last.reason, row.last.detail)
    found = [Run(one.at, one.ok, one.duration_s, *seen.get(one.at, ())) for one in samples]
    return found[::-1]


def _incidents(unfinished: Iterable[Incident], name: str) -> list[Incident]:
    """Return the incidents in progress that a signal of the probe is part of."""
    return [
        state
        for state in unfinished
        if state.active and any(one.signal.labels.get("probe") == name for one in state.signals.values())
    ][:INCIDENTS_MAX]


# ---------------------------------------------------------------------------------------------------------- its charts


class _Days(NamedTuple):
    """Where the days of a probe lead, and how they are said."""

    name: str
    row: Row
    words: Wording

    def bar(self, number: int, runs: int, failed: int, percent: float | None) -> Bar:
        day = date.fromordinal(number)
        begins_at = datetime(day.year, day.month, day.day, tzinfo=self.words.zone)
        written = self.words.day(day)
        if percent is None:
            return Bar("none", self.words.say("probe_day_none", day=written))
        values = {"day": written, "failed": failed, "runs": runs}
        if not failed:
            text = self.words.say("probe_day_fine", **values)
        else:
            exact = Words(self.words.language, self.words.zone).percent(percent)
            text = self.words.say("probe_day", percent=exact, **values)
        return Bar(charts.level_of(percent), text, _link(self.name, self.row, Span(begins_at, begins_at + DAY).asked()))


def _bars(found: History, words: Wording, days: _Days) -> Markup:
    bars = [days.bar(one.day, one.runs, one.failed, percent_of(one)) for one in found.days]
    return charts.bars(bars, probes_page.said(found, words))


def _pieces(span: Span, row: Row) -> int:
    """Return into how many pieces a time is cut: not into more than it has runs, or a line would be all gaps."""
    return max(PIECES_MIN, min(PIECES_MAX, int(span.length.total_seconds() / row.plan.interval_s)))


def _chart(paces: Sequence[Pace], span: Span, pieces: int, row: Row, words: Wording) -> Markup:
    measures = [
        Measure(one.at, one.median_s, one.longest_s, _failed(one, words) if one.failed else "") for one in paces
    ]
    frame = Frame(
        begins_at=span.begins_at,
        ends_at=span.ends_at,
        piece=span.length / pieces,
        zone=words.zone,
        title=words.say("probe_latency_of", target=row.target),
        description=_described(paces, span, words),
        when=lambda at, every: words.day(at.astimezone(words.zone).date()) if every >= DAY else words.hour(at),
        how_long=lambda seconds: brief(seconds, words),
    )
    return charts.latency(frame, measures)


def _failed(one: Pace, words: Wording) -> str:
    return words.say("probe_failed_at", moment=words.moment(one.at), failed=one.failed, runs=one.runs)


def brief(seconds: float, words: Wording) -> str:
    """Write how long something took, in three figures at most: parts of a millisecond tell runs apart too."""
    number, unit = (seconds * 1000, "ms") if seconds < 1 else (seconds, "s")
    text = f"{number:.3g}" if number < 1000 else f"{number:.0f}"
    return f"{text.replace('.', ',') if words.language == 'fr' else text}\u00a0{unit}"


def _whole(at: datetime, words: Wording) -> str:
    """Write a moment with its day, also when that is today: beside another one it would be missed."""
    return f"{words.day(at.astimezone(words.zone).date())} {words.hour(at)}"


def _described(paces: Sequence[Pace], span: Span, words: Wording) -> str:
    medians = sorted(one.median_s for one in paces if one.median_s is not None)
    ends = {"begin": _whole(span.begins_at, words), "end": _whole(span.ends_at, words)}
    if not medians:
        return words.say("probe_latency_none", **ends)
    return words.say(
        "probe_latency_desc",
        runs=sum(one.runs for one in paces),
        failed=sum(one.failed for one in paces),
        median=brief(medians[len(medians) // 2], words),
        longest=brief(max(one.longest_s or 0.0 for one in paces), words),
        **ends,
    )


def _parts(row: Row, words: Wording) -> tuple[Markup, list[tuple[int, str, str]]]:
    """Return how the last run was spent: a drawing, and for each part its colour, its name and how long it took."""
    parts = [Part(name, seconds, brief(seconds, words)) for name, seconds in phases(row).items()]
    if not parts:
        return Markup(""), []
    label = ", ".join(f"{part.name} {part.text}" for part in parts)
    keys = [(place % charts.PART_COLOURS, part.name, part.text) for place, part in enumerate(parts)]
    return charts.stack(parts, label), keys


def routes() -> list[Route]:
    """Return the page and what it asks for."""
    return [Route("GET", "/probes/{name}", show), Route("POST", "/probes/{name}/run", run)]
