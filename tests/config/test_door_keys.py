"""How much a key can hold: a link that could be guessed is told of, whatever its length."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel.config.door_keys import bits_of
from sentinel.config.load import load

FILE = """\
support: {key: "${env:KEY}"}
services: {campus: {name: Campus}}
probes:
  web: {type: tcp, target: "192.0.2.1:443"}
"""


@pytest.mark.parametrize(
    ("key", "bits"),
    [
        ("c3f1e0aa-1b2c-4d5e-8f90-123456789abc", 128),
        ("0123456789abcdef0123456789abcdef", 128),
        ("1234567890123456", 53),
        ("abcdef0123456789", 64),
        ("correct-horse-battery", 98),
        ("Zk3v9QpX7mRt2LwY8sNd1g", 130),
        ("", 0),
    ],
)
def test_a_key_holds_what_its_signs_can_say(key: str, bits: int) -> None:
    assert bits_of(key) == bits


@pytest.mark.parametrize(("key", "told"), [("abcdef0123456789", 1), ("c3f1e0aa-1b2c-4d5e-8f90-123456789abc", 0)])
def test_the_link_of_the_support_entry_is_told_of_when_it_could_be_guessed(tmp_path: Path, key: str, told: int) -> None:
    file = tmp_path / "probes.yaml"
    file.write_text(FILE)
    warnings = [str(one) for one in load(file, environ={"KEY": key}).warnings if "support.key" in str(one)]
    assert len(warnings) == told
    assert not any(key in one for one in warnings)
    assert all("probes.yaml:1:" in one and "64 bits" in one for one in warnings)
