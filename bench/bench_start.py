"""From `sentinel run` with 1,000 probes to the first run, and to the last first run; `sentinel check` of them."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.figure import Figure, tell

PROBES = 1_000
FEW = 4
ROUNDS = 5
START_LIMIT_S = 1.5
CHECK_LIMIT_S = 1.0
FEW_LIMIT_S = 0.5
WAIT_MAX_S = 30.0
SENTINEL = Path(sys.executable).with_name("sentinel")

HEAD = """\
server: {{listen: 127.0.0.1:{port}}}
engine: {{per_host: 1000}}
services:
  campus: {{name: Campus}}
probes:
"""
PROBE = """\
  web-{number}:
    type: http
    service: campus
    url: http://127.0.0.1:{target}/{number}
    interval: 60s
    timeout: 5s
    labels: {{team: web, rack: r{number}}}
"""


def free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def compiled(folder: Path) -> dict[str, str]:
    """Return an environment in which modules are compiled already, as they are where Sentinel is installed."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    checked(environ, 1)
    return environ


def configuration(folder: Path, target: int, count: int = PROBES) -> Path:
    path = folder / "probes.yaml"
    probes = "".join(PROBE.format(number=number, target=target) for number in range(count))
    path.write_text(HEAD.format(port=free_port()) + probes)
    return path


class Target:
    """Answers every request, and remembers when the first and the thousandth came."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.pid = 0
        self.cpu_s = 0.0
        self.all_seen = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.moments:
            self.cpu_s = used_s(self.pid)
        self.moments.append(time.perf_counter())
        if len(self.moments) == PROBES:
            self.all_seen.set()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()


def used_s(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def started(environ: dict[str, str]) -> tuple[float, float, float]:
    """Start it once; return the seconds to the first probe, of processor time until then, and to the thousandth."""
    target = Target()
    server = await asyncio.start_server(target.answer, "127.0.0.1", 0, backlog=2_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = configuration(folder, server.sockets[0].getsockname()[1])
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            SENTINEL,
            *("-c", path, "run"),
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        target.pid = process.pid
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await target.all_seen.wait()
        finally:
            process.terminate()
            await process.wait()
    server.close()
    return target.moments[0] - began, target.cpu_s, target.moments[PROBES - 1] - began


def checked(environ: dict[str, str], count: int) -> tuple[float, float]:
    """Check so many probes once; return the seconds, and those of processor time."""
    with tempfile.TemporaryDirectory() as name:
        path = configuration(Path(name), 8080, count)
        began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [SENTINEL, "check", path], cwd=name, env=environ, capture_output=True, text=True, check=False
        )
        took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode in {0, 4}, done.stdout + done.stderr
        return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def figure(what: str, seconds: Sequence[float], cpu: Sequence[float], limit_s: float, count: int = PROBES) -> Figure:
    spread = f"best {min(seconds):.2f} s, worst {max(seconds):.2f} s"
    conditions = f"{count} http probes, median of {ROUNDS}, {spread}, processor time {statistics.median(cpu):.2f} s"
    return Figure(what, statistics.median(seconds), limit_s, "s", conditions)


def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        environ = compiled(Path(name))
        asyncio.run(started(environ))  # Compiles the rest.
        first, cpu, last = zip(*(asyncio.run(started(environ)) for _ in range(ROUNDS)), strict=True)
        checks, check_cpu = zip(*(checked(environ, PROBES) for _ in range(ROUNDS)), strict=True)
        few, few_cpu = zip(*(checked(environ, FEW) for _ in range(ROUNDS)), strict=True)
    kept = tell(
        figure("start to the first run", first, cpu, START_LIMIT_S),
        figure("check", checks, check_cpu, CHECK_LIMIT_S),
        figure("check of a few", few, few_cpu, FEW_LIMIT_S, FEW),
    )
    print(f"start to the last of the first {PROBES} runs: {statistics.median(last):.2f} s")
    return kept


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
