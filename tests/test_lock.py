"""The lock is what pyproject.toml asks for, holds a hash for everything, and names no place to fetch it from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED_TO_RUN = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
EXTRAS = PROJECT["project"]["optional-dependencies"]
NEEDED_TO_TEST = [
    *NEEDED_TO_RUN,
    *(line for lines in EXTRAS.values() for line in lines),
    *(line for lines in PROJECT["dependency-groups"].values() for line in lines),
]
LOCKS = {
    "run.txt": NEEDED_TO_RUN,
    "test.txt": NEEDED_TO_TEST,
    **{f"{extra}.txt": lines for extra, lines in EXTRAS.items()},
}


def entries(lock: str) -> list[str]:
    """The lock's entries, their continued lines joined."""
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def pins(lock: str) -> dict[str, str]:
    """The version of each locked package."""
    found = [Requirement(entry.partition(" --hash")[0]) for entry in entries(lock)]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_satisfies_the_ranges_of_pyproject(lock):
    locked = pins(lock)
    unmet = [
        line
        for line in LOCKS[lock]
        if not (need := Requirement(line)).specifier.contains(locked.get(canonicalize_name(need.name), "0"))
    ]
    assert unmet == [], "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_is_one_version_with_hashes_and_nothing_else(lock):
    shape = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+( *;[^-]*?)?( +--hash=sha256:[0-9a-f]{64})+ *")
    assert [entry[:80] for entry in entries(lock) if not shape.fullmatch(entry)] == []
    assert "://" not in (ROOT / "requirements" / lock).read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_what_runs_is_what_was_tested(lock):
    tested = pins("test.txt")
    assert {name: version for name, version in pins(lock).items() if tested.get(name) != version} == {}
