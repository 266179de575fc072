"""A real Alertmanager and Opsgenie's own library talk to Sentinel as they would to Opsgenie, and find no fault."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.components import HERE, where
from tests.real.process import SENTINEL, answers, fetch, free_port, started
from tests.waiting import wait_until

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
DAEMON = """\
server: {{listen: "127.0.0.1:{port}"}}
services:
  campus:
probes:
  up: {{type: icmp, target: 127.0.0.1, interval: 1h, timeout: 1s}}
intake:
  opsgenie: {{enabled: yes, keys: {{am: {key}}}, services: {{am: campus}}}}
"""
ALERTMANAGER = """\
route: {{receiver: sentinel, group_wait: 0s, group_interval: 1s, repeat_interval: 1h, group_by: [alertname]}}
receivers:
  - name: sentinel
    opsgenie_configs:
      - api_url: http://{daemon}/opsgenie/
        api_key: {key}
        message: '{{{{ .CommonAnnotations.summary }}}}'
        priority: P1
        update_alerts: true
        tags: 'a, {{{{ .CommonLabels.site }}}}'
        responders: [{{type: team, name: N2}}]
"""
CALL_LIMIT_S = 60


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "sentinel"
    folder.mkdir(mode=0o700)
    address = f"127.0.0.1:{(port := free_port())}"
    (folder / "probes.yaml").write_text(DAEMON.format(port=port, key=KEY))
    (folder / "probes.yaml").chmod(0o600)
    command = [SENTINEL, "-c", "probes.yaml", "run"]
    with started(command, folder, lambda: answers(f"http://{address}/-/ready")) as process:
        yield address
    assert process.returncode == 0, (folder / "sentinel.log").read_text()


def incidents(daemon: str) -> list[tuple[str, str, str]]:
    """Title, priority and state of every incident, oldest first."""
    found = json.loads(fetch(f"http://{daemon}/api/v1/incidents"))
    return [(one["title"], one["priority"], one["state"]) for one in reversed(found)]


def failed(address: str) -> float:
    """Return how many notifications an Alertmanager could not hand over."""
    lines = fetch(f"http://{address}/metrics").splitlines()
    return sum(
        float(line.rpartition(" ")[2])
        for line in lines
        if line.startswith(
            ("alertmanager_notifications_failed_total", "alertmanager_notification_requests_failed_total")
        )
    )


@pytest.mark.rule("SRC-2")
@pytest.mark.real("alertmanager", "amtool")
def test_an_alertmanager_fires_and_resolves_by_its_opsgenie_receiver(daemon: str, tmp_path: Path):
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(daemon=daemon, key=KEY))
    address = f"127.0.0.1:{free_port()}"
    options = ["--config.file=alertmanager.yml", "--storage.path=data", f"--web.listen-address={address}"]
    command = [where("alertmanager"), *options, "--cluster.listen-address="]
    with started(command, folder, lambda: answers(f"http://{address}/-/ready")):
        amtool = [where("amtool"), f"--alertmanager.url=http://{address}", "alert", "add", "DiskFull", "site=paris"]
        subprocess.run([*amtool, "--annotation=summary=disque plein"], check=True, timeout=CALL_LIMIT_S)
        wait_until(lambda: incidents(daemon) == [("disque plein", "P1", "open")], "the incident opens")
        ended = [*amtool, "--start=2026-01-01T00:00:00Z", "--end=2026-01-01T00:01:00Z"]
        subprocess.run(ended, check=True, timeout=CALL_LIMIT_S)
        wait_until(lambda: incidents(daemon) == [("disque plein", "P1", "resolved")], "the incident is resolved")
        assert failed(address) == 0
        log = (folder / f"{Path(command[0]).name}.log").read_text()
        assert "level=error" not in log
        assert "level=warn" not in log


@pytest.mark.real("opsgenie-sdk")
def test_every_call_of_opsgenies_library_is_answered_as_it_expects(daemon: str):
    command = [where("opsgenie-sdk"), "-W", "ignore", HERE / "opsgenie_calls.py", daemon, KEY]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=CALL_LIMIT_S)
    assert run.returncode == 0, run.stderr
    came = json.loads(run.stdout)
    assert [name for name, said in came.items() if said.startswith(("failed", "error"))] == []
    assert (came["create"], came["close"], came["snooze"]) == ("Created alert", "Alert closed", "Alert snoozed")
    assert set(incidents(daemon)) == {("An example", "P2", "resolved"), ("with a file", "P3", "open")}
