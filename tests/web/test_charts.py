"""What drawings say: to eyes by shape, to others by words, and to nobody a script."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from lxml import etree

from sentinel.web import charts
from sentinel.web.charts import Bar, Frame, Measure, Part

BEGIN = datetime(2026, 11, 20, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(markup: str) -> etree._Element:
    """Parse what was drawn, as XML: a drawing that is not well formed is none."""
    return etree.fromstring(str(markup).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def frame(begins_at: datetime = BEGIN, ends_at: datetime = BEGIN + 10 * HOUR, **changes: object) -> Frame:
    wanted: dict[str, object] = {
        "piece": HOUR,
        "zone": UTC,
        "title": "Latency",
        "description": "ten runs",
        "when": lambda at, _every: f"{at:%H:%M}",
        "how_long": lambda seconds: f"{seconds * 1000:g} ms",
    }
    return Frame(begins_at=begins_at, ends_at=ends_at, **{**wanted, **changes})


def test_equal_days_make_one_line_so_that_a_list_of_hundreds_stays_small():
    found = drawn(charts.strip(["fine"] * 89 + ["bad"], "90 days: 99.1 %"))
    assert [path.get("class") for path in found] == ["bar-fine", "bar-bad"]
    assert [path.get("d") for path in found] == ["M0 10h355", "M356 16h3"]
    assert found.get("viewBox") == "0 0 359 20"
    assert len(charts.strip(["fine"] * 90, "90 days: 100 %")) < 200


def test_a_drawing_of_bars_says_in_words_what_it_shows():
    assert drawn(charts.strip([], "no days")).get("aria-label") == "no days"
    found = drawn(
        charts.bars([Bar("part", "20 Nov: 3 < 4 failed", "/x?from=1&to=2"), Bar("none", "21 Nov")], "two days")
    )
    assert found.get("role") == "group", "what holds links is no picture"
    assert drawn(charts.bars([Bar("none", "21 Nov")], "one day")).get("role") == "img"
    assert found.get("aria-label") == "two days"
    assert [title.text for title in found.iter(f"{SVG}title")] == ["20 Nov: 3 < 4 failed", "21 Nov"]
    assert [link.get("href") for link in found.iter(f"{SVG}a")] == ["/x?from=1&to=2"]


def test_bars_differ_in_height_so_that_colour_is_never_all_that_tells():
    found = drawn(charts.bars([Bar(level, level) for level in ("fine", "part", "bad", "none")], "all"))
    heights = [int(rect.get("height")) for rect in found.iter(f"{SVG}rect")]
    assert heights == sorted(set(heights), reverse=True)


def test_a_day_is_fine_only_when_all_of_it_was():
    assert [charts.level_of(percent) for percent in (100.0, 99.99, 95.0, 94.9, 0.0, None)] == [
        "fine",
        "part",
        "part",
        "bad",
        "bad",
        "none",
    ]


def test_a_line_breaks_where_nothing_ran_and_failures_are_marked():
    measures = [
        Measure(BEGIN, 0.1, 0.2),
        Measure(BEGIN + HOUR, 0.1, 0.2),
        Measure(BEGIN + 2 * HOUR, None, None, "3 failed"),
        Measure(BEGIN + 8 * HOUR, 0.1, 0.4),
    ]
    found = drawn(charts.latency(frame(), measures))
    assert len(found.xpath("//*[@class='chart-median']")) == 2
    (mark,) = found.xpath("//*[@class='chart-failed']")
    assert mark[0].text == "3 failed"
    assert found[0].text == "Latency"
    assert found[1].text == "ten runs"


def test_the_axis_ends_at_a_round_number_that_everything_fits_under():
    found = drawn(charts.latency(frame(), [Measure(BEGIN, 0.1, 0.41)]))
    assert [text.text for text in found.xpath("//*[@class='chart-y']")] == [
        "0 ms",
        "125 ms",
        "250 ms",
        "375 ms",
        "500 ms",
    ]
    drawn(charts.latency(frame(), []))


def test_times_under_the_axis_are_full_ones_of_the_wall_clock_also_when_clocks_change():
    paris = ZoneInfo("Europe/Paris")
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC)  # Midnight; at three in the morning clocks go back.
    every, found = charts.ticks(begin, begin + timedelta(hours=25), paris)
    assert every == 6 * HOUR
    assert [f"{at.astimezone(paris):%H:%M}" for at in found] == ["00:00", "06:00", "12:00", "18:00"]
    assert charts.ticks(begin, begin + timedelta(days=90), paris)[0] == timedelta(days=14)


def test_parts_are_as_long_as_each_took():
    found = drawn(charts.stack([Part("dns", 0.1, "100 ms"), Part("tls", 0.3, "300 ms")], "dns 100 ms, tls 300 ms"))
    assert [rect.get("width") for rect in found] == ["200.0", "600.0"]
    assert found[0][0].text == "dns: 100 ms"


def test_what_comes_from_outside_does_no_harm():
    hostile = '"><script>alert(1)</script>'
    for markup in (
        charts.strip(["fine"], hostile),
        charts.bars([Bar("fine", hostile, hostile)], hostile),
        charts.latency(frame(title=hostile, description=hostile), [Measure(BEGIN, 0.1, 0.1, hostile)]),
        charts.stack([Part(hostile, 1.0, hostile)], hostile),
    ):
        assert not list(drawn(markup).iter(f"{SVG}script"))
        assert "<script" not in markup
        assert "style=" not in markup
