"""Fifty thousand HTTP targets each minute, probed by worker processes: what is missed, and how late runs start.

One nginx answers on a hundred addresses of the loopback, as its own witness: its log tells for each target when it was
asked. Arguments are numbers of targets: ``python -m bench.bench_workers 10000``.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bench.bench_engine import STARTS_WITHIN_S, WARM_S, counters, good_runs, late_ms, resident_mib
from bench.figure import Figure, tell
from bench.peers import PAGE_BYTES, cpu_s, free_ports, running, wait_for

INTERVAL_S = 60.0
ROUNDS = 2  # Measured, after a first one in which everything starts.
HOSTS = 100
PROBES_A_FILE = 10_000
WORKERS = 2
PROGRAM = Path(sys.executable).with_name("sentinel")
LATE_HERE_MS = 20.0
MISSED_S = 36.0  # A gap of 66 s is late, one of 96 s and more is a miss.

NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{
  log_format when '$msec $request_uri'; access_log {folder}/access.log when buffer=256k flush=1s;
  server_tokens off; default_type text/html;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ {listens} root {folder}; location / {{ try_files /page.html =404; }} }}
}}
"""
HEAD = """\
server: {{listen: '127.0.0.1:{port}'}}
engine: {{workers: {workers}, per_host: 200, max_in_flight: 4000}}
include: [probes-*.yaml]
services:
  campus: {{name: Campus}}
"""
PROBE = "  p{n}: {{service: campus, interval: {every:g}s, timeout: 5s, type: http, url: 'http://127.0.1.{host}:{port}/{n}'}}\n"


@dataclass(frozen=True)
class Case:
    """So many targets, shared out to so many workers; none of them means in the daemon's own process."""

    targets: int
    workers: int = WORKERS


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Run it; yield its port."""
    (port,) = free_ports(1)
    (folder / "page.html").write_bytes(b"<p>" + b"x" * (PAGE_BYTES - 8) + b"</p>\n")
    listens = " ".join(f"listen 127.0.1.{host}:{port} backlog=8192;" for host in range(1, HOSTS + 1))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, listens=f"listen 127.0.0.1:{port}; {listens}"))
    with running("/usr/sbin/nginx", "-c", folder / "nginx.conf", "-p", folder):
        wait_for(port)
        yield port


def configure(home: Path, case: Case, server: int, port: int) -> Path:
    """Write the configuration, in files that are small enough each; return its path."""
    for first in range(0, case.targets, PROBES_A_FILE):
        some = range(first, min(first + PROBES_A_FILE, case.targets))
        lines = (PROBE.format(n=number, every=INTERVAL_S, host=number % HOSTS + 1, port=server) for number in some)
        (home / f"probes-{first}.yaml").write_text("probes:\n" + "".join(lines))
    path = home / "sentinel.yaml"
    path.write_text(HEAD.format(port=port, workers=case.workers))
    return path


async def measure(case: Case) -> bool:
    """Run the daemon for some rounds and ask everybody how it went."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (port,) = free_ports(1)
        with nginx(folder) as server:
            home = folder / "home"
            home.mkdir(mode=0o700)
            path = configure(home, case, server, port)
            with running("env", f"--chdir={home}", PROGRAM, "-c", path, "run") as process:
                wait_for(port, STARTS_WITHIN_S + case.targets / 200)
                seen = await watched(process.pid, port)
        asked = arrivals(folder / "access.log", seen.begun, seen.ended)
    return report(case, seen, asked)


@dataclass(frozen=True)
class Seen:
    """What the daemon said at the begin and the end of the measured time, and what its processes took."""

    begun: float
    ended: float
    before: dict[str, float]
    after: dict[str, float]
    shares: list[float]
    memory: list[float]


async def watched(pid: int, port: int) -> Seen:
    await asyncio.sleep(INTERVAL_S + WARM_S)
    pids = [pid, *children(pid)]
    before, cpu, begun, start = await counters(port), [cpu_s(one) for one in pids], time.time(), time.perf_counter()
    await asyncio.sleep(ROUNDS * INTERVAL_S)
    took_s = time.perf_counter() - start
    shares = [(cpu_s(one) - was) / took_s for one, was in zip(pids, cpu, strict=True)]
    memory = [resident_mib(one) for one in pids]
    return Seen(begun, begun + took_s, before, await counters(port), shares, memory)


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def arrivals(log: Path, begun: float, ended: float) -> dict[str, list[float]]:
    """Return when each target was asked within the measured time."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for line in log.read_text().splitlines():
        at, _, uri = line.partition(" ")
        if begun <= float(at) < ended:
            found[uri].append(float(at))
    return found


def misses(moments: list[float], begun: float, ended: float) -> int:
    """Count the turns that a target was not asked at, the begin and the end of the time included."""
    gaps = [late - early for early, late in pairwise([begun, *moments, ended])]
    return sum(max(0, round((gap - MISSED_S) / INTERVAL_S)) for gap in gaps)


def report(case: Case, seen: Seen, asked: dict[str, list[float]]) -> bool:
    gaps = [late - early for moments in asked.values() for early, late in pairwise(moments)]
    missed = sum(misses(asked.get(f"/{number}", []), seen.begun, seen.ended) for number in range(case.targets))
    off_ms = sorted(abs(gap - INTERVAL_S) * 1e3 for gap in gaps)
    overrun = sum(
        value - seen.before.get(name, 0.0)
        for name, value in seen.after.items()
        if name.startswith("sentinel_probe_runs_skipped_total")
    )
    runs = good_runs(seen.before, seen.after)
    where = f"{case.workers} workers" if case.workers else "in the daemon's process"
    what = f"{case.targets} http targets each {INTERVAL_S:g} s, {where}"
    shares = " + ".join(f"{share * 100:.0f}" for share in seen.shares)
    print(
        f"{what}: {runs:.0f} good runs in {seen.ended - seen.begun:.0f} s; daemon and workers took {shares} % "
        f"of a core, {' + '.join(f'{mib:.0f}' for mib in seen.memory)} MiB; load {os.getloadavg()[0]:.1f}"
    )
    p99 = off_ms[int(0.99 * len(off_ms))] if off_ms else float("inf")
    half = f"median {statistics.median(off_ms):.1f} ms, worst {off_ms[-1]:.0f} ms" if off_ms else "nothing was asked"
    return tell(
        Figure("missed, by the server's log", missed, 0, "runs", what),
        Figure("runs not started, by the daemon", overrun, 0, "runs", what),
        Figure(
            "start jitter p99, by the daemon",
            late_ms(seen.before, seen.after),
            LATE_HERE_MS,
            "ms",
            "upper end of its bucket",
        ),
        Figure(
            "time between two requests, p99 of what it is off",
            p99,
            2 * LATE_HERE_MS,
            "ms",
            f"{half}, by the server's log",
        ),
    )


def main(wanted: list[str]) -> bool:
    if not Path("/usr/sbin/nginx").exists():
        print("nginx is not installed: there is nothing to be asked.", file=sys.stderr)
        return False
    cases = [Case(int(one)) for one in wanted] or [Case(10_000, 0), Case(10_000), Case(50_000)]
    kept = [asyncio.run(measure(case)) for case in cases]  # Each of them, whatever the one before.
    return all(kept)


if __name__ == "__main__":
    raise SystemExit(0 if main(sys.argv[1:]) else 1)
