"""Drawings as SVG, without a script, a font or a colour of their own: the stylesheet paints them, on paper too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup, escape

from sentinel.core.report.model import DayFigure, Outage, ServiceReport
from sentinel.reporting.words import Words

WIDTH: Final = 1000
BAR_HEIGHT: Final = 28
TICKS_MAX: Final = 12
LEAST_WIDTH: Final = 1.5  # A minute of a month must still be seen.
BAR_WIDTH: Final = 120
DAYS_MAX: Final = 100  # More than that are drawn by month.
DAYS_HEIGHT: Final = 40
LEAST_SHARE: Final = 0.1
NOT_WHOLE: Final = 0.8  # A day that lost a minute is as low as that: by colour alone nobody would see it.

Drawn = tuple[float, str, str, str]  # Its height and class, its words, and what stands under it.


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


def days(report: ServiceReport, words: Words) -> Markup:
    """Draw how much the service was there on each day, or month of a long period; nothing where none is known."""
    found = _months(report, words) if len(report.days) > DAYS_MAX else [_whole(day, words) for day in report.days]
    if not any(height for height, *_ in found):
        return Markup("")
    step = WIDTH / len(found)
    parts = []
    for number, (height, kind, text, under) in enumerate(found):
        parts.append(
            Markup(
                '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
            ).format(kind, number * step, DAYS_HEIGHT - height, step * 0.8, height, text)
        )
        if number % max(1, -(-len(found) // TICKS_MAX)) == 0:
            parts.append(Markup('<text x="{:.1f}" y="{}">{}</text>').format(number * step, DAYS_HEIGHT + 17, under))
    return Markup('<svg class="strip" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, DAYS_HEIGHT + 22, words.say("by_day"), Markup("").join(parts)
    )


def _months(report: ServiceReport, words: Words) -> list[Drawn]:
    """Put the days of each month together."""
    by_month: dict[str, list[DayFigure]] = {}
    for day in report.days:
        by_month.setdefault(f"{day.begins_at.astimezone(words.zone):%Y-%m}", []).append(day)
    found = []
    for month, some in by_month.items():
        counted_s, down_s = sum(day.accountable_s for day in some), sum(day.downtime_s for day in some)
        percent = 100 * (counted_s - down_s) / counted_s if counted_s else None
        found.append(_drawn(percent, down_s, month, month, words))
    return found


def _whole(day: DayFigure, words: Words) -> Drawn:
    local = day.begins_at.astimezone(words.zone)
    return _drawn(day.percent, day.downtime_s, words.moment(day.begins_at, "date"), f"{local.day}", words)


def _drawn(percent: float | None, down_s: float, name: str, under: str, words: Words) -> Drawn:
    """Return a bar: its height from what of the time the service was there, so that an hour of a day is seen too."""
    if percent is None:
        return 0.0, "future", name, under
    text = f"{name}{words.say('colon')}{words.percent(percent)}" + (
        f", {words.say('downtime')} {words.hours(down_s)}" if down_s else ""
    )
    height = DAYS_HEIGHT * max(LEAST_SHARE, percent / 100 if percent >= 100 else percent / 100 * NOT_WHOLE)
    return height, "good" if percent >= 100 else "down", text, under


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
