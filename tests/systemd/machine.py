"""A machine for one service: a real systemd as PID 1 in namespaces of its own, driven from outside by systemctl."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parents[2]
UNIT = "sentinel.service"
# What systemd before 253 says of the line it does not know; the one before it holds there.
OLD_SYSTEMD = "Failed to parse service type, ignoring: notify-reload"

COMMAND_LIMIT_S = 120
START_LIMIT_S = 60
STOP_LIMIT_S = 90
POLL_EVERY_S = 0.1
POWER_OFF = signal.SIGRTMIN + 4  # systemd(1), "Signals"


def systemd_version() -> int:
    """Return the version of systemd, such as 252."""
    words = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return int(words[1])


def guided() -> dict[str, str]:
    """Return which file of ours goes where, as the installation guide says."""
    guide = (PROJECT / "docs/install.md").read_text()
    places = dict(re.findall(r"^install -D -m 644 (systemd/\S+) /(etc/\S+)$", guide, re.MULTILINE))
    if systemd_version() >= 253:
        del places["systemd/sentinel.service.d/before-253.conf"]
    return places


def lay_out(files: Path, contents: dict[str, str], settings: dict[str, str]) -> None:
    """Put our files where the guide puts them, then the test's own, and its settings as the last drop-in."""
    for source, target in guided().items():
        (files / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / source, files / target)
    drop_in = "[Service]\n" + "".join(f"{key}={value}\n" for key, value in settings.items())
    for target, text in {**contents, f"etc/systemd/system/{UNIT}.d/zz-test.conf": drop_in}.items():
        (files / target).parent.mkdir(parents=True, exist_ok=True)
        (files / target).write_text(text)


def system_python() -> str:
    """Return a Python of this version that a service can reach: one under /root is hidden from it."""
    python = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    return str(python if python.exists() else Path(sys.executable).resolve())


class Machine:
    """The machine that runs; every command is bounded."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        inside = ["nsenter", "-t", str(self.pid), "-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", *command]
        done = subprocess.run(inside, check=False, capture_output=True, text=True, timeout=COMMAND_LIMIT_S)
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.journal()}"
            )
        return done

    def show(self, name: str) -> str:
        """Return one property of the unit."""
        return self.run("systemctl", "show", UNIT, "--value", "-p", name).stdout.strip()

    def journal(self) -> str:
        """Return the last lines that the unit, and systemd about it, logged."""
        return self.run("journalctl", "--no-pager", "-n", "25", "-o", "cat", "-u", UNIT, check=False).stdout

    def wait(self, what: str, holds: Callable[[], bool], limit_s: float = START_LIMIT_S) -> None:
        """Wait until something holds, and say what did not."""
        try:
            wait_until(holds, what, limit_s)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.journal()}") from None

    def wait_active(self) -> None:
        """Wait until the service has said READY=1."""
        self.wait("the service is active", lambda: self.show("ActiveState") == "active")


@contextmanager
def machine(work: Path, contents: dict[str, str], settings: dict[str, str]) -> Iterator[Machine]:
    """Boot a machine whose only purpose is sentinel.service; power it off and leave nothing behind."""
    lay_out(work / "files", contents, settings)
    log = work / "boot.log"
    arguments = [str(work), str(PROJECT), system_python(), sysconfig.get_path("purelib"), UNIT]
    with log.open("wb") as output:
        boot = subprocess.Popen(
            ["unshare", "--mount", "bash", str(Path(__file__).with_name("boot.sh")), *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    pid = 0
    try:
        pid = wait_for_systemd(boot, work / "ready", log)
        yield Machine(pid)
    finally:
        power_off(boot, pid)
        assert boot.returncode == 0, log.read_text()


def wait_for_systemd(boot: subprocess.Popen[bytes], ready: Path, log: Path) -> int:
    """Return the process id of the machine's systemd, once it answers."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and boot.poll() is None:
        if ready.exists():
            pid = int(ready.read_text())
            asked = Machine(pid).run("systemctl", "is-system-running", check=False)
            if asked.stdout.strip() in {"initializing", "starting", "running", "degraded"}:
                return pid
        time.sleep(POLL_EVERY_S)
    raise AssertionError(f"systemd did not start:\n{log.read_text()}")


def power_off(boot: subprocess.Popen[bytes], pid: int) -> None:
    """Ask systemd to end everything; after a while, end it."""
    if pid and boot.poll() is None:
        os.kill(pid, POWER_OFF)
    try:
        boot.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        if pid:
            os.kill(pid, signal.SIGKILL)
        boot.wait(STOP_LIMIT_S)
