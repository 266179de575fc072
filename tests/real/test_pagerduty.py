"""A real Alertmanager's pagerduty receiver, pointed at Sentinel by nothing but its `url`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.real.components import where
from tests.real.process import SENTINEL, answers, fetch, free_port, started, wait_until
from tests.real.test_alertmanager import counted, incidents

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
ALERTMANAGER = f"""\
route: {{{{receiver: sentinel, group_wait: 0s, group_interval: 1s, repeat_interval: 5s, group_by: [alertname]}}}}
receivers:
  - name: sentinel
    pagerduty_configs:
      - url: "http://{{daemon}}/pagerduty/v2/enqueue"
        routing_key: {KEY}
        severity: "{{{{{{{{ .CommonLabels.severity }}}}}}}}"
"""


@pytest.mark.rule("SRC-2")
@pytest.mark.real("alertmanager", "amtool")
def test_an_alertmanagers_pagerduty_receiver_fires_and_resolves_and_counts_no_failure(tmp_path: Path):
    folders = [tmp_path / "sentinel", tmp_path / "alertmanager"]
    for folder in folders:
        folder.mkdir(mode=0o700)
    daemon, address = f"127.0.0.1:{(port := free_port())}", f"127.0.0.1:{free_port()}"
    (folders[0] / "probes.yaml").write_text(DAEMON.format(port=port))
    (folders[1] / "am.yml").write_text(ALERTMANAGER.format(daemon=daemon))
    options = ["--config.file=am.yml", "--storage.path=data", f"--web.listen-address={address}"]
    command = [where("alertmanager"), *options, "--cluster.listen-address="]

    def say(*more: str) -> None:
        labels = ["alert", "add", "DiskFull", "instance=db1", "severity=critical"]
        called = [where("amtool"), f"--alertmanager.url=http://{address}", *labels, *more]
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
        assert counted(address, 'alertmanager_notifications_failed_total{integration="pagerduty"}') == 0
        assert counted(address, 'alertmanager_notifications_total{integration="pagerduty"}') >= 2
        assert counted(daemon, 'sentinel_alerts_invalid_total{source="pagerduty"}') == 0
