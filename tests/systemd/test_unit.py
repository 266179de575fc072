"""The unit as it is shipped: what systemd makes of it on paper, and how it behaves under a real systemd."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.machine import OLD_SYSTEMD, PROJECT, Machine, machine, systemd_version

on_paper = pytest.mark.real("systemd-analyze")
really_started = pytest.mark.real("systemd", "ip")

UNITS = PROJECT / "systemd"

TOKEN = "0f6a6a2c4d5e4b7cba8d"
FETCH = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9115/metrics', timeout=10).read().decode())"
CONFIGURATION = """\
probes:
  here:
    type: icmp
    target: 127.0.0.1
    interval: 2s
    timeout: 1s
  backup:
    type: heartbeat
    token: ${cred:backup-token}
    every: 1d
watchdog:
  last_gasp: {run: [/usr/bin/touch, /var/lib/sentinel/gasped]}
"""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit without its drop-ins, and with a program that exists here: systemd looks for it."""
    text = (UNITS / "sentinel.service").read_text().replace("/opt/sentinel/bin/sentinel", "/bin/true")
    path = tmp_path / "sentinel.service"
    path.write_text(text)
    return path


def add_drop_in(unit: Path, name: str) -> None:
    folder = unit.with_name("sentinel.service.d")
    folder.mkdir()
    shutil.copy(UNITS / "sentinel.service.d" / name, folder)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], check=False, capture_output=True, text=True, timeout=60)


def complaints(unit: Path) -> list[str]:
    """What systemd says of the unit, but for the line that old ones do not know and need not."""
    done = analyze("verify", "--man=no", str(unit))
    # What the system says of units of other programs that happen to be installed is not ours to mend.
    lines = [line for line in done.stderr.splitlines() if not line.startswith("/lib/systemd/")]
    if systemd_version() < 253:
        lines = [line for line in lines if not line.endswith(OLD_SYSTEMD)]
    return lines + ([f"exit status {done.returncode}"] if done.returncode else [])


@on_paper
@pytest.mark.parametrize("drop_in", [None, "before-253.conf", "icmp-raw.conf"])
def test_systemd_has_nothing_to_say_against_the_unit(unit, drop_in):
    if drop_in:
        add_drop_in(unit, drop_in)
    assert complaints(unit) == []


@on_paper
def test_the_unit_of_the_last_gasp_is_as_well_guarded_and_free_of_mistakes(tmp_path: Path):
    text = (UNITS / "sentinel-failed@.service").read_text().replace("/opt/sentinel/bin/sentinel", "/bin/true")
    for name in ("sentinel-failed@.service", "sentinel-failed@it.service"):
        (tmp_path / name).write_text(text)
    assert [line for line in complaints(tmp_path / "sentinel-failed@it.service") if "sentinel" in line] == []
    unit = str(tmp_path / "sentinel-failed@.service")
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=11", unit)
    assert done.returncode == 0, done.stdout


@on_paper
def test_systemd_would_say_so_if_a_setting_were_misspelt(unit):
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystm=strict"))
    assert any("ProtectSystm" in line for line in complaints(unit))


@on_paper
@pytest.mark.parametrize(("drop_in", "tenths"), [(None, 11), ("icmp-raw.conf", 14)])
def test_the_exposure_stays_as_low_as_it_was_when_shipped(unit, drop_in, tenths):
    if drop_in:
        add_drop_in(unit, drop_in)
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={tenths}", str(unit))
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which the service runs; its watchdog is impatient, so that nobody waits long for it."""
    settings = {
        "WatchdogSec": "6",
        "TimeoutAbortSec": "2",
        "RestartSec": "100ms",
        "LoadCredential": "backup-token:/etc/sentinel/credentials/backup-token",
    }
    files = {"etc/sentinel/probes.yaml": CONFIGURATION, "etc/sentinel/credentials/backup-token": TOKEN}
    with machine(tmp_path_factory.mktemp("machine"), files, settings) as started:
        started.wait_active()
        yield started


@really_started
def test_the_service_starts_as_its_own_user_and_keeps_its_state_to_itself(box):
    assert box.show("User") == "sentinel"
    assert box.show("StatusErrno") == "0"
    listed = box.run("stat", "-c", "%U %a", "/var/lib/sentinel", "/var/lib/sentinel/sentinel.db").stdout
    assert listed.splitlines() == ["sentinel 700", "sentinel 600"]


def probe_succeeded(box: Machine, name: str) -> bool:
    """Say whether the metrics page, seen from inside the machine, shows a good run of the probe."""
    page = box.run("/opt/sentinel/bin/python", "-c", FETCH, check=False).stdout
    lines = [line for line in page.splitlines() if line.startswith("probe_success{") and f'probe="{name}"' in line]
    return any(line.endswith(" 1") for line in lines)


@really_started
def test_an_icmp_probe_needs_no_capability(box):
    assert box.show("CapabilityBoundingSet") == ""
    box.wait("the probe has succeeded", lambda: probe_succeeded(box, "here"))


@really_started
def test_the_commands_reach_the_service_over_its_socket(box):
    assert json.loads(box.run("/opt/sentinel/bin/sentinel", "--json", "incidents").stdout) == []


@really_started
def test_the_service_feeds_its_watchdog(box):
    first = box.show("MainPID")

    def fed_at() -> int:
        return int(box.show("WatchdogTimestampMonotonic"))

    begin_us = fed_at()
    box.wait("two watchdog periods have passed, fed", lambda: fed_at() - begin_us > 12_000_000)
    assert box.show("MainPID") == first


@really_started
def test_a_reload_takes_the_new_configuration_into_the_same_process(box):
    first = box.show("MainPID")
    box.run("sed", "-i", "s/^  here:/  there:/", "/etc/sentinel/probes.yaml")
    box.run("systemctl", "reload", "sentinel.service")
    box.wait("the new probe has succeeded", lambda: probe_succeeded(box, "there"))
    box.wait_active()
    assert box.show("MainPID") == first


@pytest.mark.fault(46)
@really_started
@pytest.mark.parametrize("signal", ["STOP", "KILL"])
def test_a_daemon_that_hangs_or_dies_is_started_again(box, signal):
    first, restarts = box.show("MainPID"), int(box.show("NRestarts"))
    box.run("kill", f"-{signal}", first)
    box.wait("it was started again", lambda: int(box.show("NRestarts")) > restarts)
    box.wait_active()
    assert box.show("MainPID") not in {first, "0"}


@really_started
def test_a_daemon_that_died_has_told_who_is_left_before_it_was_started_again(box):
    told = box.run("stat", "-c", "%U", "/var/lib/sentinel/gasped", "/var/lib/sentinel/last-gasp.ended").stdout
    assert told.splitlines() == ["sentinel", "sentinel"]


@really_started
def test_the_service_stops_with_a_clean_exit_and_starts_again(box):
    box.run("systemctl", "stop", "sentinel.service")
    assert (box.show("Result"), box.show("ExecMainStatus"), box.show("ActiveState")) == ("success", "0", "inactive")
    box.run("systemctl", "start", "sentinel.service")
    assert box.show("ActiveState") == "active"
