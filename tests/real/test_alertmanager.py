"""Real Prometheus, Alertmanager and amtool talk to Sentinel as they would to an Alertmanager, and find no fault."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.real.components import where
from tests.real.process import SENTINEL, answers, fetch, free_port, started
from tests.waiting import wait_until

DAEMON = """\
server: {{listen: "127.0.0.1:{port}"}}
services:
  campus:
probes:
  up: {{type: icmp, target: 127.0.0.1, interval: 1h, timeout: 1s}}
intake:
  alertmanager: {{compat_version: 0.25.0}}
"""
RULES = """\
groups:
  - name: practice
    rules:
      - alert: Fault
        expr: fault == 1
        labels: {severity: critical, service: campus}
        annotations: {summary: "a fault at {{ $labels.instance }}", description: "value={{ $value }}"}
"""
PROMETHEUS = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: practice
    static_configs: [{{targets: ["{target}"]}}]
alerting:
  alertmanagers:
    - path_prefix: {prefix}
      static_configs: [{{targets: ["{receiver}"]}}]
"""
ALERTMANAGER = """\
route: {{receiver: sentinel, group_wait: 0s, group_interval: 1s, repeat_interval: 5s, group_by: [alertname]}}
receivers:
  - name: sentinel
    webhook_configs: [{{url: "http://{daemon}/hooks/alertmanager"}}]
"""
KEPT_ALIVE_FOR = "--rules.alert.resend-delay=1s"  # An alert then ends four seconds after its Prometheus.


class Patient:
    """Something to watch: it says on its metrics page whether it is at fault."""

    def __init__(self) -> None:
        self.fault = 1
        patient = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(f"fault {patient.fault}\n".encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def patient() -> Iterator[Patient]:
    made = Patient()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join(10)
    made.server.server_close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "sentinel"
    folder.mkdir(mode=0o700)
    address = f"127.0.0.1:{(port := free_port())}"
    (folder / "probes.yaml").write_text(DAEMON.format(port=port))
    with started(
        [SENTINEL, "-c", "probes.yaml", "run"], folder, lambda: answers(f"http://{address}/-/ready")
    ) as process:
        yield address
    assert process.returncode == 0, (folder / "sentinel.log").read_text()


@contextmanager
def prometheus(folder: Path, target: str, receiver: str, prefix: str = "/am") -> Iterator[str]:
    """Run a Prometheus that sends its alerts to a receiver."""
    folder.mkdir()
    (folder / "rules.yml").write_text(RULES)
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(target=target, receiver=receiver, prefix=prefix))
    address = f"127.0.0.1:{free_port()}"
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    command = [where("prometheus"), *options, KEPT_ALIVE_FOR]
    with started(command, folder, lambda: answers(f"http://{address}/-/ready")):
        yield address


def incidents(daemon: str) -> list[tuple[str, str, str, str]]:
    """Number, title, priority and state of every incident, oldest first."""
    found = json.loads(fetch(f"http://{daemon}/api/v1/incidents"))
    return [(one["number"], one["title"], one["priority"], one["state"]) for one in reversed(found)]


def counted(address: str, name: str) -> float:
    """Sum a metric of a program's page."""
    lines = [line for line in fetch(f"http://{address}/metrics").splitlines() if line.startswith(name)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.rule("SRC-2")
@pytest.mark.real("prometheus")
def test_two_prometheus_fire_and_resolve_one_incident_and_count_no_error(daemon: str, patient: Patient, tmp_path: Path):
    with ExitStack() as stack:
        both = [stack.enter_context(prometheus(tmp_path / name, patient.address, daemon)) for name in ("a", "b")]
        title = f"a fault at {patient.address}"
        wait_until(lambda: incidents(daemon) == [("INC-1", title, "P1", "open")], "the incident opens")
        for one in both:
            wait_until(lambda one=one: counted(one, "prometheus_notifications_sent_total") > 2, "alerts are sent again")
        assert incidents(daemon) == [("INC-1", title, "P1", "open")]
        patient.fault = 0
        wait_until(lambda: incidents(daemon) == [("INC-1", title, "P1", "resolved")], "the incident is resolved")
        for one in both:
            assert counted(one, "prometheus_notifications_errors_total") == 0
            assert counted(one, "prometheus_notifications_dropped_total") == 0
    assert counted(daemon, "sentinel_alerts_invalid_total") == 0


@pytest.mark.real("prometheus")
def test_the_incident_of_a_prometheus_that_dies_ends_by_itself(daemon: str, patient: Patient, tmp_path: Path):
    with prometheus(tmp_path / "a", patient.address, daemon):
        wait_until(lambda: [one[3] for one in incidents(daemon)] == ["open"], "the incident opens")
    wait_until(lambda: [one[3] for one in incidents(daemon)] == ["resolved"], "it ends without its Prometheus")


@pytest.mark.rule("SRC-2")
@pytest.mark.real("prometheus", "alertmanager")
def test_an_alertmanager_between_tells_by_its_webhook_and_counts_no_failure(
    daemon: str, patient: Patient, tmp_path: Path
):
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    (folder / "am.yml").write_text(ALERTMANAGER.format(daemon=daemon))
    address = f"127.0.0.1:{free_port()}"
    options = ["--config.file=am.yml", "--storage.path=data", f"--web.listen-address={address}"]
    command = [where("alertmanager"), *options, "--cluster.listen-address="]
    with (
        started(command, folder, lambda: answers(f"http://{address}/-/ready")),
        prometheus(tmp_path / "a", patient.address, address, prefix="/"),
    ):
        wait_until(lambda: [one[3] for one in incidents(daemon)] == ["open"], "the incident opens")
        patient.fault = 0
        wait_until(lambda: [one[3] for one in incidents(daemon)] == ["resolved"], "the incident is resolved")
        failed = 'alertmanager_notifications_failed_total{integration="webhook"}'
        assert counted(address, failed) == 0
        assert counted(address, 'alertmanager_notifications_total{integration="webhook"}') > 0


class Amtool:
    """Debian's amtool, pointed at the daemon."""

    def __init__(self, daemon: str) -> None:
        self._command = [str(where("amtool")), f"--alertmanager.url=http://{daemon}/am"]

    def __call__(self, *words: str, input_: str | None = None) -> str:
        """Run a command that works and complains of nothing, and return what it prints."""
        done = subprocess.run(
            [*self._command, *words], check=False, input=input_, capture_output=True, text=True, timeout=30
        )
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout.strip()

    def refused(self, *words: str) -> str:
        """Run a command that fails, and return why."""
        done = subprocess.run([*self._command, *words], check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 1
        return done.stderr


@pytest.fixture
def amtool(daemon: str) -> Amtool:
    return Amtool(daemon)


@pytest.mark.real("amtool")
def test_amtool_adds_and_finds_alerts(amtool: Amtool, daemon: str):
    amtool("alert", "add", "DiskFull", "instance=db1", "severity=critical", "--annotation=summary=disque plein")
    amtool("alert", "add", "foo", "node=bar", "--end=2099-01-01T00:00:00Z")
    assert incidents(daemon) == [("INC-1", "disque plein", "P1", "open"), ("INC-2", "foo", "P3", "open")]
    listed = json.loads(amtool("alert", "query", "-o", "json"))
    assert sorted(one["labels"]["alertname"] for one in listed) == ["DiskFull", "foo"]
    for words in (["DiskFull"], ["alertname=DiskFull"], ['instance=~"db.*"'], ["severity=critical", "instance!=x"]):
        assert "disque plein" in amtool("alert", "query", *words)
        assert "foo" not in amtool("alert", "query", *words)
    assert "db1" in amtool("alert", "query", "-o", "extended", "--receiver=sentinel")


@pytest.mark.real("amtool")
def test_every_word_of_amtool_about_silences_works(amtool: Amtool, tmp_path: Path):
    amtool("alert", "add", "DiskFull", "instance=db1")
    matchers = ["alertname=DiskFull", "instance=~db.*", "severity!=info", "x!~y"]
    name = amtool("silence", "add", *matchers, "--author=ops", "--comment=maintenance planifiée", "-d", "2h")
    assert amtool("silence", "query", "-q") == name
    assert "maintenance planifiée" in amtool("silence", "query", "-o", "extended", "alertname=DiskFull")
    assert "DiskFull" not in amtool("alert", "query")
    assert "DiskFull" in amtool("alert", "query", "--silenced")
    assert name in amtool("silence", "update", "-d", "3h", "--comment=prolong", name)
    saved = tmp_path / "silences.json"
    saved.write_text(amtool("silence", "query", "-o", "json"))
    amtool("silence", "expire", name)
    assert amtool("silence", "query", "-q") == ""
    assert amtool("silence", "query", "-q", "--expired") == name
    assert "DiskFull" in amtool("alert", "query")
    again = amtool("silence", "import", str(saved))
    assert again != name
    assert amtool("silence", "query", "-q") == again
    assert "404" in amtool.refused("silence", "expire", "00000000-0000-0000-0000-000000000000")


@pytest.mark.real("amtool")
def test_amtool_reads_the_configuration_that_sentinel_publishes(amtool: Amtool, daemon: str, tmp_path: Path):
    published = tmp_path / "am.yml"
    published.write_text(json.loads(fetch(f"http://{daemon}/am/api/v2/status"))["config"]["original"])
    assert "SUCCESS" in amtool("check-config", str(published))
    assert "receiver: sentinel" in amtool("config", "show")
    assert "receiver: sentinel" in amtool("config", "routes", "show")
    assert amtool("config", "routes", "test", "severity=critical") == "sentinel"
    assert "disabled" in amtool("cluster", "show")
    assert "sentinel" in fetch(f"http://{daemon}/am/api/v2/receivers")


@pytest.mark.real("amtool")
def test_amtool_sees_a_silence_that_comes_again_in_force_and_pending(amtool: Amtool, daemon: str, tmp_path: Path):
    path = tmp_path / "sentinel" / "probes.yaml"
    entry = "{match: alertname=DiskFull, cron: '0 */12 * * *', lasts: 12h, timezone: UTC, comment: the copy}"
    path.write_text(f"{path.read_text()}silences: {{often: {entry}}}\n")
    amtool("alert", "add", "DiskFull", "instance=db1")
    for _ in range(2):
        subprocess.run([SENTINEL, "-c", path, "reload"], check=True, cwd=path.parent, timeout=30)
        wait_until(lambda: len(json.loads(amtool("silence", "query", "-o", "json"))) == 2, "both are there")
    found = json.loads(amtool("silence", "query", "-o", "json"))
    assert [one["status"]["state"] for one in found] == ["active", "pending"]
    assert "often: the copy" in amtool("silence", "query", "-o", "extended")
    assert "DiskFull" not in amtool("alert", "query")
    assert "DiskFull" in amtool("alert", "query", "--silenced")
