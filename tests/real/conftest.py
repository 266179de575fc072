"""The daemon as its users run it: a process of its own, on a configuration file, on a free port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.office import office  # noqa: F401  one mail server for all tests that need one
from tests.real.process import SENTINEL, answers, free_port, started

# A target that is always there, and one that never is: nobody listens on port 1.
CONFIGURATION = """\
server:
  listen: 127.0.0.1:{port}
probes:
  up:
    type: icmp
    target: 127.0.0.1
    interval: 2s
    timeout: 1s
  down:
    type: tcp
    target: "127.0.0.1:1"
    interval: 2s
    timeout: 1s
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address, HOST:PORT, of a daemon that runs."""
    folder: Path = tmp_path_factory.mktemp("daemon")
    address = f"127.0.0.1:{(port := free_port())}"
    (folder / "probes.yaml").write_text(CONFIGURATION.format(port=port))
    command = [SENTINEL, "-c", "probes.yaml", "run"]
    with started(command, folder, lambda: answers(f"http://{address}/-/ready")) as process:
        yield address
    assert process.returncode == 0, (folder / "sentinel.log").read_text()
