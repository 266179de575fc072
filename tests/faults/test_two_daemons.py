"""One state folder, two daemons: the second one leaves, the first does not notice."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.daemon import Launcher, Site, site
from tests.real.process import SENTINEL

LIMIT_S = 60


async def command(practice: Site, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Sentinel, which asks the daemon over its control socket."""
    line = [SENTINEL, "-c", practice.path, *words]
    return await asyncio.to_thread(
        subprocess.run, line, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=practice.folder
    )


@pytest.mark.fault(18)
async def test_the_second_daemon_on_a_state_folder_says_why_it_leaves(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        assert practice.process is not None
        second = await command(practice, "run")
        assert second.returncode == 3
        assert f"another Sentinel, process {practice.process.pid}, works on it." in second.stderr
        assert "Traceback" not in second.stderr
        practice.target.status = 503
        await practice.until(practice.settled, "the pages of the first")
        assert (await command(practice, "incidents")).returncode == 0, "its control socket is still there"
        await practice.stop()
        assert set(practice.copies().values()) == {1}


async def test_the_port_of_another_program_is_a_clear_sentence(tmp_path: Path):
    async with site(tmp_path) as practice:
        practice.config["server"]["listen"] = f"127.0.0.1:{practice.target.port}"
        practice.write()
        ended = await command(practice, "run")
        assert ended.returncode == 3
        assert "Sentinel cannot start" in ended.stderr
        assert str(practice.target.port) in ended.stderr
        assert "Traceback" not in ended.stderr


async def test_the_control_socket_of_a_dead_daemon_is_replaced(tmp_path: Path, launcher: Launcher):
    async with site(tmp_path, launcher) as practice:
        await practice.start()
        practice.signal(signal.SIGKILL)
        await practice.killed()
        assert (tmp_path / "state" / "control.sock").is_socket()
        alone = await command(practice, "incidents")
        assert alone.returncode != 0
        assert "Traceback" not in alone.stderr
        await practice.start()
        assert (await command(practice, "incidents")).returncode == 0
        await practice.stop()
