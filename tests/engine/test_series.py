"""The ``probe_*`` lines: whatever a target or a configuration says, a page that can be read."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from sentinel.core.model import Result
from sentinel.engine import series
from sentinel.engine.live import Live, Row
from sentinel.probes.help import PROBE_HELP
from sentinel.probes.plan import ProbePlan
from tests.fakes.room import plan

NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
OURS = {"probe_success", "probe_duration_seconds", "probe_timeout_seconds", "probe_last_run_timestamp_seconds"}


def seen(
    one: ProbePlan, target: str = "x", samples: series.Samples | None = None, phases: dict[str, float] | None = None
) -> Row:
    """Return a target that has just been seen to be well."""
    row = Row(plan=one, target=target)
    row.last = Result(probe=one.name, target=target, at=NOW, duration_s=0.25, ok=True, value=None)
    row.chunks = series.write_lines(row, row.last, samples or {}, phases or {})
    return row


def read(*rows: Row) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read a page as Prometheus does, in both formats: the series of each family."""
    text = b"".join(series.parts(rows)).decode()
    found = {
        family.name: [(sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }
    strict = {
        family.name: len(family.samples) for family in openmetrics.text_string_to_metric_families(f"{text}# EOF\n")
    }
    assert strict == {name: len(samples) for name, samples in found.items()}
    return found


def test_a_result_is_written_with_its_probe_its_service_its_target_and_its_site():
    found = read(seen(plan("web", "http", "x", service="campus")))
    assert found["probe_success"] == [({"probe": "web", "service": "campus", "target": "x", "site": "local"}, 1.0)]
    assert found["probe_duration_seconds"][0][1] == 0.25
    assert found["probe_last_run_timestamp_seconds"][0][1] == NOW.timestamp()


def test_families_stay_together_whatever_the_order_of_the_targets():
    rows = [seen(plan(f"p{n}", "http", "x"), phases={"connect": 0.1, "tls": 0.2}) for n in range(3)]
    text = b"".join(series.parts(rows)).decode()
    assert text.count("# TYPE probe_success gauge") == 1
    assert len(read(*rows)["probe_http_duration_seconds"]) == 6


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=500))
def test_any_text_is_a_label(text: str):
    row = seen(plan("web", "tcp", "x"), target=text, samples={("probe_expect_info", (("said", text),)): 1.0})
    ((labels, value),) = read(row)["probe_expect_info"]
    assert value == 1.0
    assert len(labels["said"]) <= series.LABEL_MAX_CHARS


@pytest.mark.parametrize("name", ["probe", "service", "target", "site", "__name__", "é", "a b", "", "1"])
def test_a_name_that_a_pattern_captures_cannot_spoil_the_line(name: str):
    row = seen(plan("web", "tcp", "x"), samples={("probe_expect_info", ((name, "v"),)): 1.0})
    ((labels, _),) = read(row)["probe_expect_info"]
    assert (labels["probe"], labels["target"]) == ("web", "x")
    assert len(labels) == 5
    assert "v" in labels.values()
    assert not any(label.startswith("__") for label in labels)


def test_what_a_kind_says_never_doubles_what_the_engine_says():
    samples: series.Samples = {(metric, ()): 7.0 for metric in OURS}
    samples["probe_http_duration_seconds", (("phase", "connect"),)] = 1.0
    found = read(seen(plan("web", "http", "x"), samples=samples, phases={"connect": 0.5}))
    assert {len(samples) for samples in found.values()} == {1}
    assert found["probe_success"][0][1] == 1.0


def test_a_metric_without_a_help_text_does_not_reach_the_page():
    row = seen(plan("web", "tcp", "x"), samples={("probe_secret", ()): 1.0})
    assert "probe_secret" not in row.chunks


def test_one_target_cannot_fill_the_page():
    samples: series.Samples = {("probe_expect_info", (("said", str(n)),)): 1.0 for n in range(10_000)}
    assert b"".join(series.parts([seen(plan("web", "tcp", "x"), samples=samples)])).count(b"\n") < 100


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, 1e300, -1.5, 2.0**53, 1e-9])
def test_every_number_is_read_back_as_it_was(value: float):
    found = read(seen(plan("web", "tcp", "x"), samples={("probe_dns_serial", ()): value}))["probe_dns_serial"][0][1]
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_after_a_restart_the_last_result_is_on_the_page_before_the_first_run():
    row = seen(plan("web", "http", "x"))
    row.chunks = {}
    assert series.write_known_lines(row).keys() >= OURS
    row.last = None
    assert series.write_known_lines(row) == {}


def test_a_probe_that_is_paused_leaves_the_page():
    live, running = Live(), plan("web", "http", "x")
    live.replace((running,))
    (row,) = live.rows()
    row.chunks = seen(running).chunks
    paused = ProbePlan(
        name="web", type="http", options=running.options, targets=("x",), interval_s=60, timeout_s=5, fingerprint="2",
        paused=True,
    )  # fmt: skip
    live.replace((paused,))
    assert series.parts(live.rows()) == []
    assert dict(live.counts()) == {("http", "paused"): 1}


def test_every_help_text_fits_on_its_line():
    assert all("\n" not in text and "\\" not in text for text in PROBE_HELP.values())
