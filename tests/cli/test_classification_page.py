"""The page on classification says what the commands say."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.config.load import load
from sentinel.rules import FROM_IMPACT, words
from tests.cli.conftest import run

PAGE = Path(__file__).parent.parent.parent / "docs" / "classification.md"
TEXT = PAGE.read_text()
CONFIGURATION, RULES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
TAIL = re.compile(r"(.*) \| tail -n (\d+)")


def examples() -> Iterator[tuple[str, str]]:
    """Yield each command of the page with what it is said to print."""
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        for example in block.removeprefix("$ ").split("\n$ "):
            command, _, printed = example.partition("\n")
            yield command, printed.strip()


@pytest.mark.parametrize(("command", "printed"), list(examples()))
def test_an_example_prints_what_the_page_says(tmp_path, monkeypatch, command, printed):
    monkeypatch.chdir(tmp_path)
    Path("probes.yaml").write_text(CONFIGURATION)
    tail = TAIL.fullmatch(command)
    _, *given = shlex.split(tail[1] if tail else command)
    lines = run(*given).output.splitlines()
    assert "\n".join(lines[-int(tail[2]) :] if tail else lines) == printed


def test_the_rules_of_the_page_can_be_used(tmp_path):
    path = tmp_path / "probes.yaml"
    path.write_text(CONFIGURATION + RULES)
    loaded = load(path)
    assert len(loaded.setup.rules) == 4
    assert loaded.warnings == []


def test_every_word_of_a_report_is_on_the_page():
    code = set(re.findall(r"`([^`\n]+)`", TEXT))
    closed = {value for label, values in words.CLOSED.items() if label != "priority" for value in values}
    known = {*words.LABELS, *closed, *words.OPEN["asset"], *words.REQUESTED}
    assert known - code == set()


def test_the_table_of_impact_and_urgency_is_the_one_in_use():
    rows = re.findall(r"^\| (high|medium|low) \| (P\d) \| (P\d) \| (P\d) \|$", TEXT, re.MULTILINE)
    written = {
        (impact, urgency): priority
        for impact, *priorities in rows
        for urgency, priority in zip(words.GRADES, priorities, strict=True)
    }
    assert written == FROM_IMPACT
