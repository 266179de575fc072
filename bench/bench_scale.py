"""Ten thousand HTTP targets each 60 s in the whole daemon: its share of a core, memory, late starts; some may hang.

A run takes five minutes. ``python -m bench.bench_scale healthy`` or ``hanging`` measures one of the two alone.
"""

from __future__ import annotations

import asyncio
import re
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.bench_engine import daemon
from bench.figure import Figure, tell
from bench.peers import cpu_s, get, missing, peers

TARGETS = 10_000
INTERVAL_S = 60.0
HANGING = 10  # One in so many.
SHARE_LIMIT = 8.0
MEMORY_LIMIT_MIB = 130.0
LATE_LIMIT_MS = 3.0
PAGE_LIMIT_MS = 40.0
# Nothing to be seen: what two windows without any hanging target differ by, too.
CHANGE_LIMIT = 1.25
SCRAPES = 5
PROBE = (
    "  p{number}: {{service: campus, interval: 60s, timeout: 5s, type: http, url: 'http://{host}:{port}/{number}'}}\n"
)
LINE = re.compile(r'^(probe_success|probe_duration_seconds)\{probe="p(\d+)".*\} (\S+)$', re.MULTILINE)
LATE = "sentinel_probe_schedule_lag_seconds_bucket{"


@dataclass(frozen=True)
class Seen:
    """What a window of one interval showed. ``well`` counts the good runs of the targets that do not hang."""

    covered: float
    share: float
    memory_mib: float
    late_ms: float
    well: float
    skipped: float
    took_ms: float
    page_ms: float


@contextmanager
def black_hole() -> Iterator[int]:
    """Listen, and answer nobody: the system accepts, and nothing ever comes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.2", 0))
        listener.listen(4096)
        yield int(listener.getsockname()[1])


def probes(port: int, hole: int, hanging: bool) -> Iterator[str]:
    for number in range(TARGETS):
        hangs = hanging and number % HANGING == 0
        host, there = ("127.0.0.2", hole) if hangs else ("127.0.0.1", port)
        yield PROBE.format(number=number, host=host, port=there)


async def page_of(port: int, pid: int) -> tuple[str, float]:
    """Return the page, and the milliseconds of processor time that the daemon used for it and for probing beside it."""
    connection = await asyncio.open_connection("127.0.0.1", port)
    begun = cpu_s(pid)
    page = await get(*connection, "/metrics")
    took_ms = (cpu_s(pid) - begun) * 1e3
    connection[1].close()
    return page.decode(), took_ms


def own(page: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in page.splitlines() if line.startswith("sentinel_"))
    return {name: float(value) for name, _, value in lines}


async def watch(pid: int, port: int, hanging: bool) -> Seen:
    """Wait for the first interval to pass, and measure the second."""
    await asyncio.sleep(INTERVAL_S)
    first, _ = await page_of(port, pid)
    covered = sum(metric == "probe_success" for metric, _, _ in LINE.findall(first))
    before, cpu, begun = own((await page_of(port, pid))[0]), cpu_s(pid), time.perf_counter()
    await asyncio.sleep(INTERVAL_S)
    share, took_s = cpu_s(pid) - cpu, time.perf_counter() - begun
    memory_mib = resident_mib(pid)  # With two scrapes so far.
    page, _ = await page_of(port, pid)
    after = own(page)
    scrapes = [(await page_of(port, pid))[1] for _ in range(SCRAPES)]
    well = [
        float(value)
        for metric, number, value in LINE.findall(page)
        if metric == "probe_duration_seconds" and not (hanging and int(number) % HANGING == 0)
    ]
    return Seen(
        covered=covered,
        share=share / took_s * 100,
        memory_mib=memory_mib,
        late_ms=late_ms(before, after),
        well=grown(before, after, "sentinel_probe_runs_total{", 'result="success"') / took_s * INTERVAL_S,
        skipped=grown(before, after, "sentinel_probe_runs_skipped_total{", ""),
        took_ms=statistics.quantiles(well, n=100)[-1] * 1e3,
        page_ms=min(scrapes),
    )


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def grown(before: dict[str, float], after: dict[str, float], name: str, having: str) -> float:
    return sum(value - before.get(one, 0.0) for one, value in after.items() if one.startswith(name) and having in one)


def late_ms(before: dict[str, float], after: dict[str, float]) -> float:
    """Return the upper end of the bucket in which the 99th of a hundred starts lies."""
    buckets = [(float(name.split('"')[1]), after[name] - before.get(name, 0.0)) for name in after if LATE in name]
    whole = max(value for _, value in buckets)
    return min(end for end, value in buckets if value >= 0.99 * whole) * 1e3


def measure(folder: Path, port: int, *, hanging: bool) -> Seen:
    with black_hole() as hole, daemon(folder, probes(port, hole, hanging)) as (pid, page_port):
        return asyncio.run(watch(pid, page_port, hanging))


def healthy(seen: Seen) -> bool:
    kind = f"{TARGETS} http targets each {INTERVAL_S:g} s"
    ran = f"{seen.well:.0f} good runs a minute, {seen.skipped:.0f} skipped"
    return tell(
        Figure(f"{kind}, not seen in the first interval", TARGETS - seen.covered, 0.5, "targets", ""),
        Figure(f"{kind}, share of a core", seen.share, SHARE_LIMIT, "%", ran),
        Figure(f"{kind}, memory", seen.memory_mib, MEMORY_LIMIT_MIB, "MiB", "resident, after two scrapes"),
        Figure(f"{kind}, start jitter p99", seen.late_ms, LATE_LIMIT_MS, "ms", "upper end of its bucket"),
        Figure(
            "a scrape of all of it",
            seen.page_ms,
            PAGE_LIMIT_MS,
            "ms",
            f"processor time, best of {SCRAPES}, probing goes on",
        ),
    )


def with_hanging(seen: Seen, beside: Seen) -> bool:
    share = 1 - 1 / HANGING
    ran = f"{seen.well:.0f} good runs a minute of {TARGETS * share:.0f}; start jitter p99 {seen.late_ms:g} ms"
    return tell(
        Figure("one in ten hangs, runs that are missing", max(0.0, beside.well * share / seen.well), 1.01, "", ran),
        Figure("one in ten hangs, p99 of the others' runs", seen.took_ms / beside.took_ms, CHANGE_LIMIT, "",
               f"{seen.took_ms:.2f} ms, {beside.took_ms:.2f} ms without"),
    )  # fmt: skip


def main(wanted: list[str]) -> bool:
    if name := missing():
        print(f"{name} is not installed.", file=sys.stderr)
        return False
    kept = True
    with tempfile.TemporaryDirectory() as folder, peers(Path(folder)) as there:
        alone = measure(Path(folder), there.http, hanging=False)
        kept = healthy(alone)
        if "healthy" not in wanted:
            kept = with_hanging(measure(Path(folder), there.http, hanging=True), alone) and kept
    return kept


if __name__ == "__main__":
    raise SystemExit(0 if main(sys.argv[1:]) else 1)
