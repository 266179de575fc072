"""The rules and dashboards that are shipped: right for Prometheus, and only about what Sentinel exports."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from sentinel.cli.export import DASHBOARDS
from sentinel.engine.series import IDENTITY
from sentinel.metrics import METRICS, Meters
from sentinel.probes.help import PROBE_HELP
from tests.cli.conftest import run
from tests.contrib.promql import legend_labels, named
from tests.real.components import where
from tools import dashboards

CONTRIB = Path(str(resources.files("sentinel"))) / "contrib"
RULES = CONTRIB / "prometheus" / "rules.yml"
SCRAPE = CONTRIB / "prometheus" / "scrape.yml"
PAGE = Path(__file__).parents[2] / "docs" / "prometheus.md"
COURSES = Path(__file__).with_name("tests.yml")
TYPE_LINE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
SHOWN = re.compile(r"^\$ sentinel export rules \| head -(\d+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAMPLES = {"histogram": ("_bucket", "_sum", "_count")}
OF_PROMETHEUS = {"up"}
LABELS_OF_PROMETHEUS = {"job", "instance"}
# Labels that some probes add to their own metrics.
PROBE_LABELS = {*IDENTITY, "phase", "step", "reason"}
LIMIT_S = 60


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, object]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard(name: str) -> dict[str, object]:
    return json.loads((CONTRIB / "grafana" / f"{name}.json").read_text())


def queries() -> Iterator[tuple[str, str, str]]:
    """Every query that is shipped: where it stands, the query, and what is written from the labels of its answer."""
    for rule in rules():
        said = " ".join(rule.get("annotations", {}).values())
        yield rule.get("alert") or rule["record"], rule["expr"], said
    for name in DASHBOARDS:
        for panel in dashboard(name)["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"], target["legendFormat"]


QUERIES = [pytest.param(query, said, id=place) for place, query, said in queries()]


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """The name of every sample that can stand on the page, or be recorded from it."""
    page = generate_latest(Meters().registry).decode()
    own = {name + end for name, kind in TYPE_LINE.findall(page) for end in SAMPLES.get(kind, ("",))}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    return own | PROBE_HELP.keys() | recorded | OF_PROMETHEUS


def labels_of(metric: str) -> set[str]:
    """The labels that a sample can have."""
    if metric in PROBE_HELP:
        return PROBE_LABELS | LABELS_OF_PROMETHEUS
    family = re.sub(r"_(bucket|sum|count)$", "", metric)
    own = {label for one in METRICS if one.name in {metric, family} for label in one.labels}
    return own | LABELS_OF_PROMETHEUS | ({"le"} if metric.endswith("_bucket") else set())


def promtool(*words: str | Path) -> tuple[int, str]:
    done = subprocess.run([where("promtool"), *words], check=False, capture_output=True, text=True, timeout=LIMIT_S)
    return done.returncode, done.stdout + done.stderr


# ------------------------------------------------------------------------------------------------ by Prometheus itself


@pytest.mark.real("promtool")
def test_prometheus_takes_the_rules_and_the_scrape_configuration():
    for kind, path in (("rules", RULES), ("config", SCRAPE)):
        code, said = promtool("check", kind, path)
        assert code == 0, said


@pytest.mark.real("promtool")
def test_the_alerts_fire_and_stay_quiet_when_they_should():
    code, said = promtool("test", "rules", COURSES)
    assert code == 0, said


@pytest.mark.real("promtool")
def test_an_alert_that_no_longer_fires_is_noticed(tmp_path):
    (tmp_path / "rules.yml").write_text(RULES.read_text().replace("> 660", "> 6600"))
    (tmp_path / "tests.yml").write_text(re.sub(r"rule_files: .*", "rule_files: [rules.yml]", COURSES.read_text()))
    code, said = promtool("test", "rules", tmp_path / "tests.yml")
    assert code != 0
    assert "SentinelNotProbing" in said


@pytest.mark.real("promtool")
@pytest.mark.parametrize(("query", "said"), QUERIES)
def test_prometheus_can_read_every_query(tmp_path, query, said):
    asked = query.replace("$__rate_interval", "5m").replace("$__range", "1d")
    path = tmp_path / "one.yml"
    path.write_text(json.dumps({"groups": [{"name": "one", "rules": [{"record": "one", "expr": asked}]}]}))
    code, answer = promtool("check", "rules", path)
    assert code == 0, answer


# -------------------------------------------------------------------------------------------------- of what they speak


@pytest.mark.parametrize(("query", "said"), QUERIES)
def test_a_query_names_only_metrics_and_labels_that_are_exported(exported, query, said):
    found = named(query)
    assert found.metrics
    assert found.metrics - exported == set()
    assert [(metric, label) for metric, label in found.chosen if label not in labels_of(metric)] == []
    possible = set().union(*map(labels_of, found.metrics))
    if not any(":" in metric or metric.startswith("process_") for metric in found.metrics):
        assert found.grouped - possible == set()
        assert set(legend_labels(said)) - possible == set()


def test_what_a_query_names_is_found():
    found = named('sum by (le, kind) (rate(a_bucket{x=~"y|z", w="v"}[1h])) / on (u) group_left () b or vector(0) > 0.5')
    assert found.metrics == {"a_bucket", "b"}
    assert found.chosen == {("a_bucket", "x"), ("a_bucket", "w")}
    assert found.grouped == {"le", "kind", "u"}
    assert list(legend_labels("{{state}} {{ $labels.rota }} {{ $value | humanize }}")) == ["state", "rota"]


def test_a_metric_that_does_not_exist_is_noticed(exported):
    assert named("rate(sentinel_probe_run_total[1h])").metrics - exported == {"sentinel_probe_run_total"}
    assert "state" in labels_of("sentinel_probes")
    assert "service" not in labels_of("sentinel_probes")


def test_every_alert_has_a_course_in_which_it_fires_and_one_in_which_it_stays_quiet():
    told = [one for course in yaml.safe_load(COURSES.read_text())["tests"] for one in course.get("alert_rule_test", [])]
    names = {alert["alert"] for alert in alerts()}
    assert len(names) == len(alerts())
    assert {one["alertname"] for one in told if one["exp_alerts"]} == names
    assert {one["alertname"] for one in told if not one["exp_alerts"]} == names


def test_every_alert_says_how_bad_it_is_what_to_do_and_that_it_goes_another_way():
    for alert in alerts():
        assert alert["labels"].keys() == {"severity", "path"}, alert["alert"]
        assert alert["labels"]["severity"] in {"critical", "warning"}, alert["alert"]
        assert alert["labels"]["path"] == "outside", alert["alert"]
        assert alert["annotations"].keys() == {"summary", "description"}, alert["alert"]


# ------------------------------------------------------------------------------------------------------- the dashboards


def test_the_dashboards_are_what_the_tool_writes():
    shipped = {path.stem: path.read_text() for path in (CONTRIB / "grafana").iterdir()}
    assert shipped == dashboards.dashboards(), "run tools/dashboards.py"
    assert shipped.keys() == set(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_panels_of_a_dashboard_have_places_of_their_own(name):
    panels = dashboard(name)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < dashboards.GRID_COLUMNS


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_chooses_its_prometheus_and_asks_for_nothing_that_it_does_not_offer(name):
    whole = dashboard(name)
    offered = {variable["name"] for variable in whole["templating"]["list"]}
    asked = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(whole["panels"])))
    assert asked == offered


# --------------------------------------------------------------------------------------------------------- the commands


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["rules"], "prometheus/rules.yml"),
        (["scrape"], "prometheus/scrape.yml"),
        *[(["dashboards", name], f"grafana/{name}.json") for name in DASHBOARDS],
    ],
)
def test_export_prints_what_is_shipped_as_it_is(words, path):
    done = run("export", *words)
    assert done.exit_code == 0
    assert done.stdout_bytes == (CONTRIB / path).read_bytes()


def test_export_dashboards_lists_their_names():
    assert run("export", "dashboards").stdout.split() == list(DASHBOARDS)


def test_a_dashboard_that_does_not_exist_is_a_usage_error_that_names_those_there_are():
    done = run("export", "dashboards", "overveiw")
    assert done.exit_code == 2
    assert "'overview', 'service'" in done.stderr


def test_the_page_shows_what_export_prints_and_names_every_rule():
    page = PAGE.read_text()
    lines, shown = SHOWN.search(page).groups()
    assert shown.splitlines() == run("export", "rules").stdout.splitlines()[: int(lines)]
    assert [name for rule in rules() if f"`{(name := rule.get('alert') or rule['record'])}`" not in page] == []
