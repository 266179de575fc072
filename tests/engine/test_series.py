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
from sentinel.engine.forms import LABEL_MAX_CHARS
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
    series.keep(row, row.last, samples or {}, phases or {})
    return row


def page(*rows: Row) -> str:
    """Return the page of these targets."""
    return b"".join(series.pieces([list(rows)])).decode()


def read(*rows: Row) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read a page as Prometheus does, in both formats: the series of each family."""
    text = page(*rows)
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
    text = page(*rows)
    assert text.count("# TYPE probe_success gauge") == 1
    assert len(read(*rows)["probe_http_duration_seconds"]) == 6


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=500))
def test_any_text_is_a_label(text: str):
    row = seen(plan("web", "tcp", "x"), target=text, samples={("probe_expect_info", (("said", text),)): 1.0})
    ((labels, value),) = read(row)["probe_expect_info"]
    assert value == 1.0
    assert len(labels["said"]) <= LABEL_MAX_CHARS


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
    assert "probe_secret" not in page(row)
    row = seen(plan("web", "tcp", "x"), samples={("probe_secret_info", ()): 1.0})
    assert "probe_secret" not in page(row)


def test_one_target_cannot_fill_the_page():
    samples: series.Samples = {("probe_expect_info", (("said", str(n)),)): 1.0 for n in range(10_000)}
    assert page(seen(plan("web", "tcp", "x"), samples=samples)).count("\n") < 100


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, 1e300, -1.5, 2.0**53, 1e-9])
def test_every_number_is_read_back_as_it_was(value: float):
    found = read(seen(plan("web", "tcp", "x"), samples={("probe_dns_serial", ()): value}))["probe_dns_serial"][0][1]
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_after_a_restart_the_last_result_is_on_the_page_before_the_first_run():
    row = Row(plan=plan("web", "http", "x"), target="x")
    series.keep_known(row)
    assert page(row) == ""
    row.last = Result(probe="web", target="x", at=NOW, duration_s=0.25, ok=True)
    series.keep_known(row)
    assert read(row).keys() >= OURS


def test_a_probe_that_is_paused_leaves_the_page():
    live, running = Live(), plan("web", "http", "x")
    live.replace((running,))
    (row,) = live.rows()
    row.last = seen(running).last
    series.keep_known(row)
    assert page(row)
    paused = ProbePlan(
        name="web", type="http", options=running.options, targets=("x",), interval_s=60, timeout_s=5, fingerprint="2",
        paused=True,
    )  # fmt: skip
    live.replace((paused,))
    assert page(*live.rows()) == ""
    assert dict(live.counts()) == {("http", "paused"): 1}


def test_labels_that_targets_choose_stay_out_of_the_form_that_others_share():
    rows = [
        seen(plan(f"p{n}", "http", "x"), samples={("probe_ssl_last_chain_info", (("serialnumber", str(n)),)): 1.0})
        for n in range(3)
    ]
    assert len({id(row.form) for row in rows}) == 1
    assert [labels["serialnumber"] for labels, _ in read(*rows)["probe_ssl_last_chain_info"]] == ["0", "1", "2"]


def test_a_muted_target_says_so_as_soon_as_it_is():
    row = seen(plan("web", "http", "x"), samples={("probe_muted", ()): 1.0})  # No kind has a say in that.
    assert "probe_muted" not in read(row)
    row.muted = "maintenance"
    ((labels, value),) = read(row)["probe_muted"]
    assert (labels["reason"], value) == ("maintenance", 1.0)


def test_targets_that_say_different_things_and_numbers_stand_on_one_page():
    rows = [
        seen(plan(f"p{number}", "http", "x"), phases={"connect": number / 7} if number % 3 else {})
        for number in range(1_200)  # More than are written at once.
    ]
    found = read(*rows)
    assert len(found["probe_success"]) == 1_200
    times = {labels["probe"]: value for labels, value in found["probe_http_duration_seconds"]}
    assert times == pytest.approx({f"p{number}": number / 7 for number in range(1_200) if number % 3}, rel=1e-8)


def test_a_page_says_what_was_known_when_it_was_begun():
    row = seen(plan("web", "http", "x"), phases={"connect": 0.5})
    begun = series.pieces([[row]])
    first = next(begun)
    series.keep(row, Result(probe="web", target="x", at=NOW, duration_s=9.0, ok=False), {}, {"connect": 9.0})
    text = (first + b"".join(begun)).decode()
    assert "probe_success{" in text
    assert not any(line.endswith((" 9", " 0")) for line in text.splitlines() if "confirmed" not in line)


def test_another_plan_brings_other_labels():
    live = Live()
    live.replace((plan("web", "http", "x", service="campus"),))
    (row,) = live.rows()
    row.last = seen(row.plan).last
    series.keep_known(row)
    live.replace((plan("web", "http", "x", service="mail"),))
    assert 'service="mail"' in page(row)
    assert "campus" not in page(row)


def test_every_help_text_fits_on_its_line():
    assert all("\n" not in text and "\\" not in text for text in PROBE_HELP.values())
