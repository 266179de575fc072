"""What `docs/migrating.md` shows is whole and valid: Sentinel's files here, those of other programs in `tests/real`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sentinel.assembly import rulebook_of
from sentinel.config.load import load
from sentinel.rules import Facts, classify
from tests.cli.conftest import run

GUIDE = Path(__file__).parents[1] / "docs" / "migrating.md"
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^( *)```yaml\n\1# (\S+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SECRET = "6b9f1e0c-5a51-4d35-9f37-{:012d}"
MODULES = Path(__file__).parents[1] / "src" / "sentinel" / "probes" / "default_modules.yml"


def shown(section: str, file: str) -> str:
    """Return what a section of the guide has of a file."""
    texts = [
        re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
        for title, content in SECTION.findall(GUIDE.read_text())
        for indent, name, text in BLOCK.findall(content)
        if (title, name) == (section, file)
    ]
    assert texts, f"{section} shows nothing of {file}"
    return "".join(texts)


BEFORE = shown("Before the first step", "probes.yaml")
STEPS = (
    "Replace Alertmanager",
    "Keep Alertmanager, replace Opsgenie",
    "Replace blackbox_exporter",
    "Replace healthchecks",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("og_alertmanager", "ping-key", "nightly-backup")):
        (tmp_path / name).write_text(SECRET.format(number))
    return tmp_path


@pytest.mark.parametrize("section", STEPS)
def test_what_a_step_adds_makes_a_whole_configuration_without_a_warning(section, folder):
    path = folder / "probes.yaml"
    path.write_text((BEFORE + shown(section, "probes.yaml")).replace("/etc/prometheus/blackbox.yml", str(MODULES)))
    done = run("check", str(path), CREDENTIALS_DIRECTORY=str(folder))
    assert (done.exit_code, done.stdout.count("is good: ")) == (0, 1), done.output


def test_every_block_says_of_which_file_it_is():
    assert len(re.findall(r"```yaml", GUIDE.read_text())) == len(BLOCK.findall(GUIDE.read_text()))


@pytest.mark.parametrize(
    ("severity", "level", "told"),
    [
        ("critical", 3, {(0, "email"), (0, "sms"), (300, "sms"), (600, "sms"), (900, "sms")}),
        ("error", 2, {(0, "email")}),
        ("warning", 2, {(0, "email")}),
        ("info", 1, {(0, "email")}),
    ],
)
def test_who_is_told_of_which_alert_is_as_the_guide_says(tmp_path, severity, level, told):
    path = tmp_path / "probes.yaml"
    path.write_text(BEFORE + shown("Replace Alertmanager", "probes.yaml"))
    done = run("explain", "-c", str(path), "--json", "alertname=DiskFull", f"severity={severity}")
    found = json.loads(done.stdout)
    assert found["level"] == level
    assert {(one["after_s"], channel) for one in found["notify"] for channel in one["channels"]} == told


def test_without_that_step_nobody_is_told_of_a_warning(tmp_path):
    path = tmp_path / "probes.yaml"
    text = BEFORE + shown("Replace Alertmanager", "probes.yaml")
    path.write_text(text.replace("    - {at: 0m, to: [alice], by: [email], min_level: 1}\n", ""))
    done = run("explain", "-c", str(path), "--json", "alertname=DiskFull", "severity=warning")
    assert json.loads(done.stdout)["notify"] == []


@pytest.mark.parametrize(("group_by", "together"), [("", True), ("group_by: [service, alertname]\n", False)])
def test_alerts_of_one_service_are_one_incident_unless_group_by_tells_their_names_apart(tmp_path, group_by, together):
    path = tmp_path / "probes.yaml"
    path.write_text(BEFORE + shown("Replace Alertmanager", "probes.yaml") + group_by)
    setup = load(path).setup
    book = rulebook_of(setup)

    def fault(name: str) -> str:
        labels = {"alertname": name, "severity": "critical"}
        facts = Facts(kind="incident", source="alert", service="campus", alert=name, title="t", labels=labels)
        verdict = classify(facts, (*book.for_alerts, *book.rules), book.group_by)
        return "" if verdict is None else verdict.dedup

    assert (fault("DiskFull") == fault("HostDown")) is together
    assert (group_by.strip() or "group_by") in GUIDE.read_text()
