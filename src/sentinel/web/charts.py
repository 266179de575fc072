"""Drawings as SVG: numbers in, markup out. The stylesheet paints them by class, in light and dark and on paper.

No drawing says anything by colour alone: bars differ in height too, and each drawing carries its words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Final, Literal, NamedTuple

from markupsafe import Markup, escape

Level = Literal["fine", "part", "bad", "none"]

# ---------------------------------------------------------------------------------------------------------------- bars

STEP: Final = 4  # From one bar to the next, of which one is the gap.
BARS_HEIGHT: Final = 20
HEIGHT_OF: Final[dict[Level, int]] = {"fine": 20, "part": 14, "bad": 8, "none": 2}
PART_FROM_PERCENT: Final = 95.0  # Less than that was fine, and the day was a bad one.
WHOLE_PERCENT: Final = 100.0


class Bar(NamedTuple):
    """A day: how it was, in words too, and where more of it stands."""

    level: Level
    text: str
    href: str = ""


def level_of(percent: float | None) -> Level:
    """Return how a day was, of which so much was fine; nothing is known without a number."""
    if percent is None:
        return "none"
    if percent >= WHOLE_PERCENT:
        return "fine"
    return "part" if percent >= PART_FROM_PERCENT else "bad"


def strip(levels: Sequence[Level], label: str) -> Markup:
    """Draw bars as small as can be, one line for as many equal days as follow each other: for lists of hundreds.

    The dashes of the lines are the bars; the stylesheet sets them, and so the least of a page.
    """
    lines, place = [], 0
    for level, group in groupby(levels):
        days = sum(1 for _ in group)
        middle = BARS_HEIGHT - HEIGHT_OF[level] // 2
        lines.append(f'<path class="bar-{level}" d="M{place * STEP} {middle}h{days * STEP - 1}"/>')
        place += days
    # Put together from our own words and numbers, which need no escaping: a page has a hundred of these.
    return Markup(  # noqa: S704
        f'<svg class="bars" viewBox="0 0 {max(1, place * STEP - 1)} {BARS_HEIGHT}" preserveAspectRatio="none"'
        f' role="img" aria-label="{escape(label)}">{"".join(lines)}</svg>'
    )


def bars(days: Sequence[Bar], label: str) -> Markup:
    """Draw bars that each say their day, and lead to it where they have an address."""
    drawn = []
    for place, day in enumerate(days):
        height = HEIGHT_OF[day.level]
        one = Markup('<rect class="day-{}" x="{}" y="{}" width="3" height="{}"><title>{}</title></rect>').format(
            day.level, place * STEP, BARS_HEIGHT - height, height, day.text
        )
        # Whoever goes through the page by keys is not led through ninety days: the words beside say the same.
        link = Markup('<a href="{}" tabindex="-1" aria-hidden="true">{}</a>')
        drawn.append(link.format(day.href, one) if day.href else one)
    role = "group" if any(day.href for day in days) else "img"  # What holds links is no picture.
    return Markup(
        '<svg class="bars wide" viewBox="0 0 {} {}" preserveAspectRatio="none" role="{}" aria-label="{}">{}</svg>'
    ).format(max(1, len(days) * STEP - 1), BARS_HEIGHT, role, label, Markup("").join(drawn))


# ------------------------------------------------------------------------------------------------------------- latency

WIDTH: Final = 800
HEIGHT: Final = 240
LEFT: Final = 64
RIGHT: Final = 12
TOP: Final = 10
BOTTOM: Final = 40  # The times, and above them the marks of what failed.
MARK: Final = 8
LINES_MAX: Final = 4
GAP_FACTOR: Final = 2.5  # A line does not go on over a time of so many pieces without a run.
TICKS_MAX: Final = 7
TICKS_EVERY: Final = tuple(
    timedelta(minutes=minutes)
    for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 4320, 10_080, 20_160, 43_200)
)
NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


class Measure(NamedTuple):
    """A piece of time that begins at ``at``: how long the runs in it took, and in words what of it failed."""

    at: datetime
    median_s: float | None
    longest_s: float | None
    failed: str = ""


class Frame(NamedTuple):
    """What a chart shows: from when until when, in how long pieces, in which zone, and its words."""

    begins_at: datetime
    ends_at: datetime
    piece: timedelta
    zone: tzinfo
    title: str
    description: str
    when: Callable[[datetime, timedelta], str]
    how_long: Callable[[float], str]


def latency(frame: Frame, measures: Sequence[Measure]) -> Markup:
    """Draw how long runs took: their middle, the longest, and where some failed."""
    top_s = _ceiling(max((one.longest_s for one in measures if one.longest_s is not None), default=0.0))
    plot = _Plot(frame, top_s)
    parts = [*plot.levels(), *plot.times()]
    for run in _unbroken(measures, frame.piece * GAP_FACTOR):
        parts += [plot.area(run), plot.line(run)]
    parts += plot.marks(measures)
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="chart-title chart-desc"'
        ' data-chart="" data-begins="{}" data-ends="{}" data-left="{}" data-right="{}">'
        '<title id="chart-title">{}</title><desc id="chart-desc">{}</desc>{}</svg>'
    ).format(
        WIDTH,
        HEIGHT,
        round(frame.begins_at.timestamp()),
        round(frame.ends_at.timestamp()),
        LEFT,
        WIDTH - RIGHT,
        frame.title,
        frame.description,
        Markup("").join(parts),
    )


class _Plot:
    """Where a moment and a duration stand in the drawing."""

    def __init__(self, frame: Frame, top_s: float) -> None:
        self._frame = frame
        self._top_s = top_s
        self._whole_s = max(1.0, (frame.ends_at - frame.begins_at).total_seconds())
        self._floor = HEIGHT - BOTTOM

    def x(self, at: datetime) -> float:
        share = (at - self._frame.begins_at).total_seconds() / self._whole_s
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def y(self, seconds: float) -> float:
        return self._floor - min(1.0, seconds / self._top_s) * (self._floor - TOP)

    def levels(self) -> Iterable[Markup]:
        for part in range(LINES_MAX + 1):
            seconds = self._top_s * part / LINES_MAX
            y = self.y(seconds)
            yield Markup('<path class="chart-grid" d="M{} {:.1f}H{}"/>').format(LEFT, y, WIDTH - RIGHT)
            yield Markup('<text class="chart-y" x="{}" y="{:.1f}">{}</text>').format(
                LEFT - 6, y + 4, self._frame.how_long(seconds)
            )

    def times(self) -> Iterable[Markup]:
        every, found = ticks(self._frame.begins_at, self._frame.ends_at, self._frame.zone)
        for at in found:
            x = self.x(at)
            yield Markup('<path class="chart-grid" d="M{:.1f} {}V{}"/>').format(x, TOP, self._floor)
            yield Markup('<text class="chart-x" x="{:.1f}" y="{}">{}</text>').format(
                x, HEIGHT - 8, self._frame.when(at, every)
            )

    def area(self, run: Sequence[Measure]) -> Markup:
        upper = [(self._middle(one), self.y(one.longest_s or 0.0)) for one in run]
        lower = [(self._middle(one), self.y(one.median_s or 0.0)) for one in reversed(run)]
        return Markup('<path class="chart-longest" d="M{}Z"/>').format(_joined([*upper, *lower]))

    def line(self, run: Sequence[Measure]) -> Markup:
        points = [(self._middle(one), self.y(one.median_s or 0.0)) for one in run]
        # One that stands alone is a dot: a line of no length, with round ends.
        return Markup('<path class="chart-median" d="M{}"/>').format(_joined(points if len(points) > 1 else points * 2))

    def marks(self, measures: Iterable[Measure]) -> Iterable[Markup]:
        for one in measures:
            if one.failed:
                x = self.x(one.at)
                width = max(2.0, self.x(one.at + self._frame.piece) - x)
                yield Markup(
                    '<rect class="chart-failed" x="{:.1f}" y="{}" width="{:.1f}" height="{}"><title>{}</title></rect>'
                ).format(x, self._floor + 4, width, MARK, one.failed)

    def _middle(self, one: Measure) -> float:
        return self.x(one.at + self._frame.piece / 2)


def ticks(
    begins_at: datetime, ends_at: datetime, zone: tzinfo, most: int = TICKS_MAX
) -> tuple[timedelta, list[datetime]]:
    """Return the moments under a time axis, full ones on the wall clock, and how far they are apart."""
    span = ends_at - begins_at
    every = next((one for one in TICKS_EVERY if span / one <= most), TICKS_EVERY[-1])
    local = begins_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    found, number = [], 0
    while (at := (local + number * every).replace(tzinfo=zone).astimezone(UTC)) < ends_at:
        if at >= begins_at:
            found.append(at)
        number += 1
    return every, found


def _unbroken(measures: Sequence[Measure], gap: timedelta) -> list[list[Measure]]:
    """Return the stretches over which a line may be drawn."""
    found: list[list[Measure]] = []
    for one in measures:
        if one.median_s is None:
            continue
        if not found or one.at - found[-1][-1].at > gap:
            found.append([])
        found[-1].append(one)
    return found


def _ceiling(longest_s: float) -> float:
    """Return the number at the top of the axis: a round one, at which everything fits."""
    power = 1e-3
    while power * NICE[-1] < longest_s:
        power *= 10
    return next(power * nice for nice in NICE if power * nice >= longest_s or nice == NICE[-1])


def _joined(points: Iterable[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


# -------------------------------------------------------------------------------------------------------------- phases


class Part(NamedTuple):
    """A part of a whole, its name and how long it took in words."""

    name: str
    seconds: float
    text: str


def stack(parts: Sequence[Part], label: str) -> Markup:
    """Draw parts one after the other, as long as each took."""
    whole_s = sum(part.seconds for part in parts) or 1.0
    drawn, x = [], 0.0
    for place, part in enumerate(parts):
        width = part.seconds / whole_s * WIDTH
        drawn.append(
            Markup(
                '<rect class="part-{}" x="{:.1f}" y="0" width="{:.1f}" height="{}"><title>{}: {}</title></rect>'
            ).format(place % PART_COLOURS, x, max(1.0, width), BARS_HEIGHT, part.name, part.text)
        )
        x += width
    return Markup(
        '<svg class="stack" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, BARS_HEIGHT, label, Markup("").join(drawn))


PART_COLOURS: Final = 6
