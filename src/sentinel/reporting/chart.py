"""Drawings as SVG, without a script, a font or a colour of their own: the stylesheet paints them, on paper too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup, escape

from sentinel.core.report.model import Outage, ServiceReport
from sentinel.reporting.words import Words

WIDTH: Final = 1000
BAR_HEIGHT: Final = 28
TICKS_MAX: Final = 12
LEAST_WIDTH: Final = 1.5  # A minute of a month must still be seen.
BAR_WIDTH: Final = 120


def strip(report: ServiceReport, words: Words) -> Markup:
    """Draw the period as a strip, with what was planned, the outages and where it is not over yet."""
    begins_at, ends_at = report.begins_at, report.ends_at
    whole_s = (ends_at - begins_at).total_seconds()

    def place(at: datetime) -> float:
        return min(max((at - begins_at).total_seconds() / whole_s, 0.0), 1.0) * WIDTH

    parts = [Markup('<rect class="ground" x="0" y="0" width="{}" height="{}"/>').format(WIDTH, BAR_HEIGHT)]
    for window in report.planned:
        text = f"{words.say('planned_one')} {window.title}".strip()
        parts.append(_block("planned", place(window.begins_at), place(window.ends_at), text))
    parts += [
        _block("down", place(outage.begins_at), place(outage.ends_at or report.until), _text(outage, words))
        for outage in report.outages
    ]
    if report.until < ends_at:
        parts.append(_block("future", place(report.until), WIDTH, ""))
    parts += _ticks(begins_at, words, whole_s)
    label = words.say("strip")
    return Markup('<svg class="strip" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, BAR_HEIGHT + 22, label, Markup("").join(parts)
    )


def bar(percent: float | None) -> Markup:
    """Draw a part of a hundred; the figure beside it says the same."""
    if percent is None:
        return Markup("")
    return Markup(
        '<svg class="bar" viewBox="0 0 {} 10" aria-hidden="true"><rect class="ground" width="{}" height="10"/>'
        '<rect class="{}" width="{}" height="10"/></svg>'
    ).format(BAR_WIDTH, BAR_WIDTH, "good" if percent >= 100 else "part", f"{BAR_WIDTH * percent / 100:.1f}")


def _block(kind: str, start: float, end: float, text: str) -> Markup:
    width = max(end - start, LEAST_WIDTH)
    start = min(start, WIDTH - width)
    title = Markup("<title>{}</title>").format(text) if text else Markup("")
    return Markup('<rect class="{}" x="{}" y="0" width="{}" height="{}">{}</rect>').format(
        kind, f"{start:.1f}", f"{width:.1f}", BAR_HEIGHT, title
    )


def _text(outage: Outage, words: Words) -> str:
    lasted = words.duration(outage.lasted_s)
    return f"{words.say('outage_one')} {outage.number}, {words.moment(outage.begins_at)}, {lasted}"


def _ticks(begins_at: datetime, words: Words, whole_s: float) -> Iterable[Markup]:
    """Write the days of the month under the strip, not more than can be read."""
    first = begins_at.astimezone(words.zone)
    days = max(1, round(whole_s / 86_400))
    every = max(1, -(-days // TICKS_MAX))
    for number in range(0, days, every):
        at = first + timedelta(days=number)  # Wall-clock days: the same local time, also where clocks change.
        x = (at.timestamp() - begins_at.timestamp()) / whole_s * WIDTH
        yield Markup('<text x="{}" y="{}">{}</text>').format(f"{x:.1f}", BAR_HEIGHT + 17, escape(f"{at.day}"))
