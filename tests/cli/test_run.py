"""The daemon as a process, and the terminal as a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("sentinel"))
WITHIN_S = 60.0


def sentinel(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], cwd=folder, env=clean(), capture_output=True, text=True, timeout=WITHIN_S, check=False
    )


def clean(**more: str) -> dict[str, str]:
    """The environment, without what would lead to another daemon or change colours."""
    dropped = {
        "SENTINEL_SOCKET",
        "SENTINEL_CONFIG",
        "NO_COLOR",
        "RUNTIME_DIRECTORY",
        "STATE_DIRECTORY",
        "NOTIFY_SOCKET",
    }
    return {name: value for name, value in os.environ.items() if name not in dropped} | more


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    tmp_path.chmod(0o700)
    (tmp_path / "probes.yaml").write_text(
        f"server: {{listen: '127.0.0.1:{free_port()}'}}\n"
        "people: {amina: {name: Amina, email: amina@example.org}}\n"
        "channels: {email: {type: outbox, as: email, path: outbox}}\n"
        "escalations: {default: [{at: 0m, to: [amina]}]}\n"
        "probes: {home: {type: tcp, target: '127.0.0.1:1', interval: 1d, paused: yes}}\n"
    )
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen([PROGRAM, "run"], cwd=tmp_path, env=clean(), stdout=log, stderr=log)
    until = time.monotonic() + WITHIN_S
    while sentinel(tmp_path, "incidents").returncode != 0:
        assert daemon.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < until, (tmp_path / "log").read_text()
    yield tmp_path, daemon
    daemon.kill()
    daemon.wait()


def test_the_daemon_works_with_the_commands_and_ends_well_at_sigterm(running):
    folder, daemon = running
    raised = sentinel(folder, "raise", "Printer on fire", "--by", "amina")
    assert raised.returncode == 0, raised.stderr
    assert sentinel(folder, "ack", "1", "--by", "amina").returncode == 0
    (one,) = json.loads(sentinel(folder, "incidents", "--json").stdout)
    assert (one["state"], one["acknowledged_by"], one["level"]) == ("acknowledged", "amina", 3)
    assert sentinel(folder, "reload").returncode == 0
    (folder / "probes.yaml").write_text("probes: [")
    assert sentinel(folder, "reload").returncode == 3
    assert sentinel(folder, "resolve", "1", "put out").returncode == 0
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(WITHIN_S) == 0
    assert sentinel(folder, "incidents").returncode == 5


def test_a_second_daemon_on_the_same_folder_is_refused(running):
    folder, _ = running
    second = sentinel(folder, "run")
    assert second.returncode == 3
    assert "another Sentinel" in second.stderr


def test_a_bad_configuration_ends_the_start_with_every_mistake(tmp_path):
    (tmp_path / "probes.yaml").write_text("probes:\n  home: {type: htpp}\n")
    done = sentinel(tmp_path, "run")
    assert done.returncode == 3
    assert "probes.yaml:2:16: unknown type 'htpp' (at probes.home.type); did you mean `http`?" in done.stderr


def on_a_terminal(folder: Path, *words: str, **environ: str) -> str:
    """Call a command with a terminal for its output, and return what it wrote there."""
    master, slave = pty.openpty()
    shown = bytearray()
    environ = clean(TERM="xterm-256color", COLUMNS="120", **environ)
    with subprocess.Popen([PROGRAM, *words], cwd=folder, env=environ, stdin=slave, stdout=slave, stderr=slave) as done:
        os.close(slave)
        while select.select([master], [], [], WITHIN_S)[0]:
            try:
                shown += os.read(master, 65_536)
            except OSError:  # The last writer has gone.
                break
    os.close(master)
    assert done.returncode == 0
    return shown.decode()


def test_colours_are_for_terminals_that_want_them(running):
    folder, _ = running
    sentinel(folder, "raise", "Printer on \x1b[31mfire", "--by", "amina")
    coloured = on_a_terminal(folder, "incidents")
    assert "\x1b[1;31mP1" in coloured
    assert "INC-1" in coloured
    assert "\x1b[31mfire" not in coloured
    plain = on_a_terminal(folder, "incidents", NO_COLOR="1")
    assert "INC-1" in plain
    assert "\x1b[1;31m" not in plain
    assert "\x1b[31m" not in plain
