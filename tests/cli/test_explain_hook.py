"""``sentinel explain --hook``: what a body says, what follows from it, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import run

HOUSE = """\
people:
  amina: {name: Amina Benali, email: amina@example.org}
channels:
  email: {type: outbox, as: email, path: outbox}
services:
  campus: {name: Campus, escalation: p1}
escalations:
  p1:
    - {at: 0m, to: [amina], by: [email]}
probes:
  home: {type: http, service: campus, url: https://campus.example.org/}
intake:
  map:
    - {match: {env: test}, ignore: yes}
    - {match: {severity: critical}, level: 3, priority: P1}
  hooks:
    zabbix:
      key: zabbix-0123456789abcdef
      many: problems
      id: "{id}"
      firing: {value: "1"}
      resolved: {value: "0"}
      ignore: {value: test}
      title: "{$.host}: {name|unknown}"
      since: clock
      labels: {severity: "{severity|}", env: "{env|}"}
      translate: {severity: {High: critical}}
      service: campus
"""
BODY = {
    "host": "db1",
    "problems": [
        {"id": 1, "value": 1, "name": "Disk", "severity": "High", "clock": "soon"},
        {"id": 2, "value": 0},
        {"value": "test"},
        {"id": 3, "value": 1, "env": "test"},
        {"value": 1},
    ],
}


def asked(folder: Path, body: Any, *words: str, hook: str = "zabbix") -> Any:
    """Call the command on a body."""
    (folder / "probes.yaml").write_text(HOUSE)
    (folder / "body.json").write_text(body if isinstance(body, str) else json.dumps(body))
    config, file = str(folder / "probes.yaml"), str(folder / "body.json")
    return run("explain", "-c", config, "--hook", hook, "--body", file, *words)


def test_each_part_of_a_body_is_told_with_its_labels_and_what_would_follow(tmp_path: Path):
    done = asked(tmp_path, BODY)
    assert done.exit_code == 1  # One of them cannot be read.
    first, second, third, fourth, fifth = done.output.split("problems[")[1:]
    assert "It fires: db1: Disk" in first
    assert "since: 'soon' is no moment; it counts from now" in first
    assert "label severity=critical" in first
    assert "The rule 'map 2' decides: level 3, P1" in first
    assert "amina" in first
    assert "It is over: db1: unknown" in second
    assert "decides" not in second
    assert "It is ignored." in third
    assert "Nothing would be opened: `intake.map` ignores it." in fourth
    assert "It cannot be read: `id` is not there" in fifth


def test_programs_are_told_the_same(tmp_path: Path):
    done = asked(tmp_path, {**BODY, "problems": BODY["problems"][:2]}, "--json")
    assert done.exit_code == 0
    said = json.loads(done.output)
    first, second = said["parts"]
    assert (said["hook"], first["where"], first["service"]) == ("zabbix", "problems[0]", "campus")
    assert first["verdict"]["priority"] == "P1"
    assert [one["who"] for one in first["verdict"]["notify"]] == ["amina"]
    assert (second["meaning"], second["verdict"]) == ("resolved", None)


@pytest.mark.parametrize(
    ("body", "why"),
    [("{", "the body is no JSON"), ("{}", "`problems` is null, not the list"), ("[" * 9999, "nested too deep")],
)
def test_what_is_no_body_is_refused_with_the_reason(tmp_path: Path, body: str, why: str):
    done = asked(tmp_path, body)
    assert (done.exit_code, why in done.output) == (1, True)


def test_a_hook_or_a_file_that_is_not_there_is_told(tmp_path: Path):
    done = asked(tmp_path, BODY, hook="zabix")
    assert (done.exit_code, "did you mean `zabbix`?" in done.output) == (1, True)
    config = str(tmp_path / "probes.yaml")
    done = run("explain", "-c", config, "--hook", "zabbix", "--body", str(tmp_path / "none"))
    assert (done.exit_code, "No such file" in done.output) == (1, True)
    assert run("explain", "-c", config, "--hook", "zabbix").exit_code == 2
    assert run("explain", "-c", config, "--hook", "zabbix", "--body", "-", "severity=critical").exit_code == 2
