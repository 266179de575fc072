"""`docs/metrics.md` says of every metric what the table in the code says."""

from __future__ import annotations

from pathlib import Path

from sentinel.metrics import METRICS, Metric
from sentinel.probes.help import PROBE_HELP

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"


def row(metric: Metric) -> str:
    """The line that a metric has on the page."""
    kind = "gauge" if metric.kind == "state" else metric.kind
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{metric.name}` | {kind} | {labels} | {metric.help} |"


def test_every_metric_stands_on_the_page_as_it_is():
    lines = PAGE.read_text().splitlines()
    wanted = [*map(row, METRICS), *(f"| `{name}` | {text} |" for name, text in sorted(PROBE_HELP.items()))]
    assert [line for line in wanted if line not in lines] == []


def test_nothing_stands_on_the_page_that_is_not_exported():
    known = {metric.name for metric in METRICS} | PROBE_HELP.keys()
    named = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert sorted(set(named) - known) == []
    assert len(named) == len(set(named))


def test_names_follow_the_conventions():
    for metric in METRICS:
        assert (metric.kind == "counter") == metric.name.endswith("_total"), metric.name
        if metric.kind == "histogram":
            assert metric.name.endswith(("_seconds", "_bytes")), metric.name
            assert list(metric.buckets) == sorted(metric.buckets), metric.name
        assert metric.help[0].isupper() or metric.help[0].isdigit(), metric.name
        assert not metric.help.endswith("."), metric.name
