"""One launcher for all: what it forks has everything loaded."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.daemon import Launcher
from tests.faults.link import Link, linked


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """Forks daemons."""
    started = Launcher()
    yield started
    started.close()


@pytest.fixture
def link() -> Iterator[Link]:
    """A link and a server at its end. With CI=true there must be one."""
    with linked() as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB. With CI=true there must be one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", disk]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
