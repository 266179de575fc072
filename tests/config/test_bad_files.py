"""One bad file for each kind of mistake, beside what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.config.errors import ConfigError
from sentinel.config.load import load

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_mistake_is_told_with_its_place(file, monkeypatch):
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigError) as refusal:
        load(Path(file.name), environ={"CANARY": "canary"})
    assert str(refusal.value) == file.with_suffix(".txt").read_text().rstrip("\n")


def test_no_message_holds_a_secret():
    assert not [file.name for file in BAD.glob("*.txt") if "canary" in file.read_text()]


def test_all_mistakes_are_there_even_when_only_twenty_are_shown(monkeypatch):
    monkeypatch.chdir(BAD)
    with pytest.raises(ConfigError) as refusal:
        load(Path("many.yaml"), environ={})
    assert len(refusal.value.mistakes) == 23
    assert str(refusal.value).endswith("and 3 more mistakes")
