"""A real Alertmanager's pagerduty receiver, pointed at Sentinel by nothing but its `url`."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.real.components import where
from tests.real.process import SENTINEL, answers, fetch, free_port, started
from tests.real.test_alertmanager import counted, incidents
from tests.waiting import wait_until

KEY = "0123456789abcdef0123456789abcdef"
DAEMON = f"""\
server: {{{{listen: "127.0.0.1:{{port}}"}}}}
services:
  campus:
probes:
  up: {{{{type: icmp, target: 127.0.0.1, interval: 1h, timeout: 1s}}}}
intake:
  pagerduty:
    keys:
      alertmanager: {{{{key: {KEY}, service: campus}}}}
"""
ROUTE = "route: {receiver: sentinel, group_wait: 0s, group_interval: 1s, repeat_interval: 5s, group_by: [alertname]}\n"
PAGE = Path(__file__).parents[2] / "docs" / "pagerduty.md"


def alertmanager(daemon: str) -> str:
    """Return the configuration with the receiver of our documentation, which leads to the daemon."""
    (shown,) = re.findall(r"^```yaml\n(receivers:\n.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return ROUTE + shown.replace("https://sentinel.example.org", f"http://{daemon}").replace("KEY", KEY)


@pytest.mark.rule("SRC-2")
@pytest.mark.real("alertmanager", "amtool")
def test_an_alertmanagers_pagerduty_receiver_fires_and_resolves_and_counts_no_failure(tmp_path: Path):
    folders = [tmp_path / "sentinel", tmp_path / "alertmanager"]
    for folder in folders:
        folder.mkdir(mode=0o700)
    daemon, address = f"127.0.0.1:{(port := free_port())}", f"127.0.0.1:{free_port()}"
    (folders[0] / "probes.yaml").write_text(DAEMON.format(port=port))
    (folders[1] / "am.yml").write_text(alertmanager(daemon))
    options = ["--config.file=am.yml", "--storage.path=data", f"--web.listen-address={address}"]
    command = [where("alertmanager"), *options, "--cluster.listen-address="]

    def say(*more: str, labels: tuple[str, ...] = ("DiskFull", "instance=db1", "severity=critical")) -> None:
        called = [where("amtool"), f"--alertmanager.url=http://{address}", "alert", "add", *labels, *more]
        subprocess.run(called, check=True, capture_output=True, timeout=30)

    with (
        started([SENTINEL, "-c", "probes.yaml", "run"], folders[0], lambda: answers(f"http://{daemon}/-/ready")),
        started(command, folders[1], lambda: answers(f"http://{address}/-/ready")),
    ):
        say("--end=2099-01-01T00:00:00Z")
        wait_until(lambda: [one[2:] for one in incidents(daemon)] == [("P1", "open")], "the incident opens")
        (shown,) = json.loads(fetch(f"http://{daemon}/api/v1/incidents"))
        assert (shown["service"], shown["title"]) == ("campus", "[FIRING:1] DiskFull (db1 critical)")
        say("--start=2026-01-01T00:00:00Z", "--end=2026-01-01T00:00:01Z")
        wait_until(lambda: [one[3] for one in incidents(daemon)] == ["resolved"], "the incident is resolved")
        say(labels=("Plain",))
        say(labels=("Odd", "severity=disaster"))
        wait_until(lambda: ("INC-2", "P2", "open") in [one[::2] + one[3:] for one in incidents(daemon)], "it opens too")
        wait_until(lambda: counted(daemon, "sentinel_alerts_received_total") >= 4, "all of it came")
        assert counted(address, 'alertmanager_notifications_failed_total{integration="pagerduty"}') == 0
        assert counted(address, 'alertmanager_notifications_total{integration="pagerduty"}') >= 2
        assert counted(daemon, 'sentinel_alerts_invalid_total{source="pagerduty"}') == 0
