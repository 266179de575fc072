"""A real Prometheus reads what the daemon shows, and its own checker finds no fault with it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from sentinel.probes.prometheus import KIND
from tests.probes.seeing import see
from tests.real.components import where
from tests.real.process import answers, fetch, free_port, started
from tests.waiting import wait_until

SCRAPE = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: sentinel
    static_configs: [{{targets: ["{daemon}"]}}]
"""


@pytest.fixture(scope="module")
def prometheus(daemon: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that scrapes the daemon."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "prometheus.yml").write_text(SCRAPE.format(daemon=daemon))
    address = f"127.0.0.1:{free_port()}"
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with started([where("prometheus"), *options], folder, lambda: answers(f"http://{address}/-/ready")):
        yield address


def values(prometheus: str, query: str) -> dict[str, str]:
    """What Prometheus answers to a query: the value of each series, by its probe."""
    answer = json.loads(fetch(f"http://{prometheus}/api/v1/query?query={quote(query)}"))
    return {series["metric"].get("probe", ""): series["value"][1] for series in answer["data"]["result"]}


@pytest.mark.real("prometheus")
def test_prometheus_scrapes_the_daemon_and_sees_what_its_probes_saw(prometheus):
    wait_until(lambda: values(prometheus, "up") == {"": "1"}, "the scrape succeeds")
    wait_until(lambda: values(prometheus, "probe_success") == {"up": "1", "down": "0"}, "both probes are in Prometheus")
    assert values(prometheus, "sentinel_build_info") == {"": "1"}


@pytest.mark.real("prometheus")
def test_the_prometheus_probe_judges_what_a_real_prometheus_answers(prometheus):
    wait_until(lambda: values(prometheus, "up") == {"": "1"}, "the scrape succeeds")
    asked = {"server": f"http://{prometheus}", "expect": {"value": "== 1"}}
    assert asyncio.run(see(KIND, query="up", **asked)).reason == ""
    assert asyncio.run(see(KIND, query="up - 1", **asked)).reason == "value"
    assert asyncio.run(see(KIND, query="nothing_of_this_name", **asked)).reason == "empty"
    refused = asyncio.run(see(KIND, query="up{", **asked))
    assert (refused.reason, "parse error" in refused.detail) == ("query", True)
    assert asyncio.run(see(KIND, query="up[5m]", **asked)).reason == "query"


@pytest.mark.real("promtool")
@pytest.mark.parametrize(
    "there", ["sentinel_build_info", 'probe_success{probe="down"', "sentinel_incident_opened_total{"]
)
def test_promtool_finds_no_fault_with_the_metrics_page_at_the_start_and_after_an_incident(daemon, there):
    wait_until(lambda: there in fetch(f"http://{daemon}/metrics"), f"{there} is on the page")
    page = fetch(f"http://{daemon}/metrics")
    done = subprocess.run(
        [where("promtool"), "check", "metrics"], check=False, input=page, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
