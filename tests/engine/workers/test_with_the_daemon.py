"""The daemon with workers: what they see reaches its judge, its page and its store; they end when it does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.engine.whole import PEOPLE, whole
from tests.fakes.tcp_peer import TcpPeer
from tests.waiting import alive, until

SENTINEL = Path(sys.executable).with_name("sentinel")
STARTS_WITHIN_S = 90.0  # A whole program, on a machine that others use too.
PROBES = """\
engine: {{workers: {workers}}}
probes:
  port: {{type: tcp, service: campus, interval: 1s, timeout: 800ms, confirm: {{attempts: 0}}, target: "{target}"}}
  plugin: {{type: exec, service: campus, interval: 1s, timeout: 800ms, run: [/bin/true], format: exit}}
rules:
  - {{name: everything, match: {{}}, level: 1, priority: P2}}
"""


async def test_what_workers_see_is_judged_shown_and_kept(tmp_path: Path):
    async with TcpPeer() as port:
        target = port.address
        async with whole(tmp_path, PEOPLE + PROBES.format(workers=1, target=target)) as one:
            (row,) = one.daemon.live.of("port")
            await until(lambda: row.last and row.last.ok)
            assert abs((one.daemon.clock.now() - row.last.at).total_seconds()) < 60, "it has the daemon's time"
            assert one.value("probe_success", probe="port", target=target, service="campus", site="local") == 1
            assert one.value("sentinel_worker_up", worker="0") == 1
            assert one.value("sentinel_worker_targets", worker="0") == 1
            assert one.value("sentinel_worker_resident_memory_bytes", worker="0") > 0
            assert one.value("sentinel_probe_runs_total", type="tcp", result="success") >= 1
            assert one.value("sentinel_probe_schedule_lag_seconds_count") >= 1
            await until(lambda: one.daemon.live.of("plugin")[0].last)
            await port.__aexit__(None, None, None)
            await until(one.daemon.desk.open)
            assert [state.service for state in one.daemon.desk.open()] == ["campus"]
            seen = await one.doors.probe_once("port")
            assert seen is not None
            assert not seen[0].ok
            pid = one.daemon.scheduler._workers[0].pid

            one.write(one.daemon.path.read_text().replace("workers: 1", "workers: 0"))
            assert (await one.daemon.reload()).done
            await until(lambda: not alive(pid))
            before = row.last.at
            await until(lambda: row.last.at > before)
            assert "sentinel_worker_up" not in one.samples()


async def test_workers_end_with_a_daemon_that_is_killed_even_those_that_stand_still(
    tmp_path: Path, unused_tcp_port: int
):
    async with TcpPeer() as port:
        path = tmp_path / "probes.yaml"
        text = f"server: {{listen: '127.0.0.1:{unused_tcp_port}'}}\n" + PEOPLE.replace(
            "path: outbox", f"path: {tmp_path / 'outbox'}"
        )
        path.write_text(text + PROBES.format(workers=2, target=port.address))
        tmp_path.chmod(0o700)
        command = (SENTINEL, "-c", path, "run", "--socket", tmp_path / "socket")
        daemon = await asyncio.create_subprocess_exec(*command)
        try:
            await until(lambda: port.connections or daemon.returncode is not None, limit_s=STARTS_WITHIN_S)
            workers = children(daemon.pid)
            assert len(workers) == 2
            os.kill(workers[0], signal.SIGSTOP)
            daemon.kill()
            await until(lambda: not any(map(alive, workers)))
        finally:
            if daemon.returncode is None:
                daemon.kill()
            await daemon.wait()


def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that are workers."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found if b"sentinel.engine.workers" in Path(f"/proc/{one}/cmdline").read_bytes()]
