"""What the documentation shows of hooks is true: each example reads the body that stands below it."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent

import pytest

from sentinel.config.hooks import mapping_of
from sentinel.config.load import load
from sentinel.core.mapping import Said
from sentinel.intake.hooks import decode, read

PAGE = (Path(__file__).parents[2] / "docs/hooks.md").read_text()
EXAMPLE = re.compile(r"```yaml\n((\w+):\n(?:(?!```).)*)```\n\n```json\n(.*?)```", re.DOTALL)
EXAMPLES = {name: (entry, body) for entry, name, body in EXAMPLE.findall(PAGE)}
HOUSE = "services: {campus: {name: Campus}}\nprobes:\n  up: {type: icmp, target: 127.0.0.1}\nintake:\n  hooks:\n"


def said(folder: Path, name: str, body: str) -> Said:
    """Read a body by an example."""
    text = re.sub(r"\$\{cred:(\w+)\}", r"\1-0123456789abcdef", EXAMPLES[name][0])
    path = folder / "probes.yaml"
    path.write_text(HOUSE + indent(text, "    "))
    mapping = mapping_of(name, load(path).setup.intake.hooks[name])
    found, wrong = read(mapping, decode(body.encode()))
    assert wrong == []
    return found[0]


@pytest.mark.parametrize(
    ("name", "named", "title", "severity"),
    [
        ("kuma", "3", "Campus: connect ECONNREFUSED 192.0.2.7:443", "error"),
        ("grafana", "c6eadffa33fcdf37", "load of db1 is 17", "critical"),
        ("zabbix", "4711", "db1: Disk is full", "error"),
        ("builds", "example/portal 42", "example/portal: nightly fails", "warning"),
    ],
)
def test_every_example_reads_the_body_below_it(tmp_path: Path, name: str, named: str, title: str, severity: str):
    found = said(tmp_path, name, EXAMPLES[name][1])
    assert (found.meaning, found.id, found.title, found.labels["severity"]) == ("firing", named, title, severity)
    assert found.unread_since == ""


def test_every_example_is_tried():
    assert set(EXAMPLES) == {"kuma", "grafana", "zabbix", "builds"}


@pytest.mark.parametrize(
    ("name", "body"), [("kuma", '{"heartbeat": null, "monitor": null, "msg": "Testing"}'), ("builds", '{"zen": "Hm."}')]
)
def test_what_tools_send_to_try_the_address_is_ignored(tmp_path: Path, name: str, body: str):
    assert said(tmp_path, name, body).meaning == "ignored"
