"""Processor time a probe of the whole daemon, beside blackbox_exporter's at the same time, pace and targets.

Both work during the same windows, so that whatever else the machine does falls on both. Each case prints the median of
its windows, and the ratio with its spread. Arguments name cases: ``python -m bench.bench_engine http tcp``.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bench.figure import Figure, tell
from bench.peers import Peers, cpu_s, free_ports, get, missing, peers, running, wait_for

PROBES = 1_000
HTTPS_PROBES = 250  # More handshakes a second would leave no processor to the others on two cores.
INTERVAL_S = 6.0
WINDOWS = 5
WARM_S = 9.0
STARTS_WITHIN_S = 60.0
CONNECTIONS = 16
MANY = 10_000
MANY_INTERVAL_S = 60.0
LATE = "sentinel_probe_schedule_lag_seconds_bucket{"
CLOSED_S = 3.0
SENTINEL = Path(sys.executable).with_name("sentinel")

HEAD = """\
server:
  listen: 127.0.0.1:{port}
  probe: {{modules: {folder}/blackbox.yml, allow: [127.0.0.0/8]}}
engine: {{per_host: 2000, max_in_flight: 2000}}
services:
  campus: {{name: Campus}}
probes:
"""
OPTIONS = {
    "http": "type: http, url: '{target}/{number}'",
    "https": "type: http, url: '{target}/{number}', tls: {{ca_file: {folder}/ca.pem}}",
    "tcp": "type: tcp, target: '{target}'",
    "icmp": "type: icmp, count: 1, target: '{target}'",
    "dns": "type: dns, server: '{target}', query: www.example.org",
}


@dataclass(frozen=True)
class Case:
    """Something to measure: the goal for the ratio, and one for our own microseconds where there is one."""

    kind: str
    ratio: float
    us: float | None = None
    probes: int = PROBES


SCHEDULED = (
    Case("http", 0.30, 200.0),
    Case("https", 0.85, probes=HTTPS_PROBES),
    Case("tcp", 0.25),
    Case("icmp", 0.10),
    Case("dns", 0.40),
)
AT_ONCE = Case("http", 0.45)


@contextmanager
def daemon(folder: Path, lines: Iterator[str]) -> Iterator[tuple[int, int]]:
    """Run Sentinel on some probes; yield its process and its port."""
    (port,) = free_ports(1)
    home = Path(tempfile.mkdtemp(dir=folder))
    path = home / "probes.yaml"
    path.write_text(HEAD.format(port=port, folder=folder) + "".join(lines))
    with running("env", f"--chdir={home}", SENTINEL, "-c", path, "run") as process:
        wait_for(port, STARTS_WITHIN_S)
        yield process.pid, port


def probes(kind: str, there: Peers, count: int, interval_s: float) -> Iterator[str]:
    for number in range(count):
        options = OPTIONS[kind].format(target=there.target(kind), number=number, folder=there.folder)
        yield f"  p{number}: {{service: campus, interval: {interval_s:g}s, timeout: 5s, {options}}}\n"


class Driver:
    """Asks ``/probe`` of somebody, on sixteen kept connections: at a pace, or as fast as answers come."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.done = 0

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            self._idle.put_nowait(await asyncio.open_connection("127.0.0.1", self._port))

    async def ask(self) -> None:
        connection = await self._idle.get()
        body = await get(*connection, self._path)
        assert b"\nprobe_success 1\n" in body, body[-2000:].decode()
        self.done += 1
        self._idle.put_nowait(connection)

    async def pace(self, every_s: float) -> None:
        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(1 << 40):
                await asyncio.sleep(begun + number * every_s - time.perf_counter())
                group.create_task(self.ask())

    async def hurry(self, seconds: float) -> None:
        ends = time.perf_counter() + seconds

        async def one() -> None:
            while time.perf_counter() < ends:
                await self.ask()

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(one())


@asynccontextmanager
async def paced(driver: Driver, every_s: float) -> AsyncIterator[None]:
    await driver.open()
    task = asyncio.create_task(driver.pace(every_s))
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def asked_of(there: Peers, kind: str) -> str:
    module = "http" if kind == "https" else kind
    return f"/probe?module={module}&target={quote(there.target(kind), safe='')}"


async def scheduled(there: Peers, case: Case) -> bool:
    """Measure a kind in the daemon beside blackbox_exporter asked at the same pace."""
    with daemon(there.folder, probes(case.kind, there, case.probes, INTERVAL_S)) as (pid, port):
        driver = Driver(there.blackbox, asked_of(there, case.kind))
        ours, theirs = [], []
        async with paced(driver, INTERVAL_S / case.probes):
            await asyncio.sleep(WARM_S)
            before, begun = await counters(port), time.perf_counter()
            for _ in range(WINDOWS):
                start, mine, its, done = time.perf_counter(), cpu_s(pid), cpu_s(there.blackbox_pid), driver.done
                await asyncio.sleep(INTERVAL_S)
                runs = (time.perf_counter() - start) / INTERVAL_S * case.probes
                ours.append((cpu_s(pid) - mine) / runs * 1e6)
                theirs.append((cpu_s(there.blackbox_pid) - its) / (driver.done - done) * 1e6)
            expected = (time.perf_counter() - begun) / INTERVAL_S * case.probes
            done_share = good_runs(before, await counters(port)) / expected
        ours = [cost / done_share for cost in ours]
    return report(
        f"{case.kind}, scheduled",
        case,
        ours,
        theirs,
        f"{case.probes} targets each {INTERVAL_S:g} s, {done_share:.0%} of them run",
    )


async def many(there: Peers) -> bool:
    """Measure ten thousand targets each minute: the share of a core, memory, late starts, what the disk takes."""
    with daemon(there.folder, probes("http", there, MANY, MANY_INTERVAL_S)) as (pid, port):
        begun = time.perf_counter()
        await asyncio.sleep(MANY_INTERVAL_S + WARM_S)
        before, cpu, size = await counters(port), cpu_s(pid), written_bytes(there.folder)
        covered = good_runs({}, before)
        start = time.perf_counter()
        await asyncio.sleep(MANY_INTERVAL_S)
        took_s = time.perf_counter() - start
        share, grown = (cpu_s(pid) - cpu) / took_s, written_bytes(there.folder) - size
        after = await counters(port)
        memory = resident_mib(pid)
    conditions = (
        f"{MANY} http targets each {MANY_INTERVAL_S:g} s, {good_runs(before, after):.0f} runs in {took_s:.0f} s"
    )
    print(f"covered after {start - begun:.0f} s: {covered:.0f} runs of {MANY} targets")
    return tell(
        Figure("ten thousand targets, share of a core", share * 100, 8.0, "%", conditions),
        Figure("ten thousand targets, memory", memory, 130.0, "MiB", "resident"),
        Figure("ten thousand targets, start jitter p99", late_ms(before, after), 3.0, "ms", "upper end of its bucket"),
        Figure("ten thousand targets, growth of the databases", grown / (1 << 20), 2.0, "MiB", "in a minute, unpacked"),
    )


def resident_mib(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / (1 << 20)


def written_bytes(folder: Path) -> int:
    """Return the size of the databases, their logs aside, which are written over again and again."""
    return sum(path.stat().st_size for path in folder.glob("*/*.db"))


def late_ms(before: dict[str, float], after: dict[str, float]) -> float:
    """Return the upper end of the bucket in which the 99th of a hundred starts lies."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items() if name.startswith(LATE)}
    buckets = [(float(name.split('"')[1]), value) for name, value in grown.items()]
    whole = max(value for _, value in buckets)
    return min(end for end, value in buckets if value >= 0.99 * whole) * 1e3


async def counters(port: int) -> dict[str, float]:
    """Return the daemon's own metrics; what a page costs is paid between windows."""
    connection = await asyncio.open_connection("127.0.0.1", port)
    page = (await get(*connection, "/metrics")).decode()
    connection[1].close()
    lines = (line.rpartition(" ") for line in page.splitlines() if line.startswith("sentinel_"))
    return {name: float(value) for name, _, value in lines}


def good_runs(before: dict[str, float], after: dict[str, float]) -> float:
    """Return how many good runs there were; say so when there were others: a starved machine is too slow for some."""
    grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
    runs = {name: value for name, value in grown.items() if name.startswith("sentinel_probe_runs_total{") and value}
    good = sum(value for name, value in runs.items() if 'result="success"' in name)
    if good < sum(runs.values()):
        print(f"NOT ALL GOOD: {sum(runs.values()) - good:.0f} of {sum(runs.values()):.0f} runs failed")
    return good


async def at_once(there: Peers, case: Case) -> bool:
    """Measure ``/probe``, sixteen at once, in turns."""
    with daemon(there.folder, probes("http", there, 1, 3600)) as (pid, port):
        path = asked_of(there, case.kind)
        sides = ((Driver(port, path), pid), (Driver(there.blackbox, path), there.blackbox_pid))
        costs: tuple[list[float], list[float]] = ([], [])
        for driver, _ in sides:
            await driver.open()
            await driver.hurry(CLOSED_S / 3)
        for _ in range(WINDOWS):
            for (driver, process), cost in zip(sides, costs, strict=True):
                before, done = cpu_s(process), driver.done
                await driver.hurry(CLOSED_S)
                cost.append((cpu_s(process) - before) / (driver.done - done) * 1e6)
    return report(f"{case.kind} by /probe", case, *costs, f"{CONNECTIONS} at once")


def report(what: str, case: Case, ours: list[float], theirs: list[float], conditions: str) -> bool:
    ratios = sorted(mine / its for mine, its in zip(ours, theirs, strict=True))
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    figures = [
        Figure(
            f"{what}, against blackbox_exporter",
            statistics.median(ratios),
            case.ratio,
            "",
            f"{spread}; {statistics.median(ours):.0f} and {statistics.median(theirs):.0f} µs of processor time, "
            f"{conditions}, {len(ours)} windows",
        )
    ]
    if case.us is not None:
        figures.append(
            Figure(f"{what}, a probe", statistics.median(ours), case.us, "µs", f"{min(ours):.0f} to {max(ours):.0f}")
        )
    return tell(*figures)


def main(wanted: list[str]) -> bool:
    if name := missing():
        print(f"{name} is not installed: the engine cannot be measured against it.", file=sys.stderr)
        return False
    cases: dict[str, Callable[[Peers], bool]] = {}
    for case in SCHEDULED:
        cases[case.kind] = lambda there, case=case: asyncio.run(scheduled(there, case))
    cases["probe"] = lambda there: asyncio.run(at_once(there, AT_ONCE))
    cases["many"] = lambda there: asyncio.run(many(there))
    with tempfile.TemporaryDirectory() as folder, peers(Path(folder)) as there:
        kept = [cases[name](there) for name in wanted or cases]
        return all(kept)


if __name__ == "__main__":
    raise SystemExit(0 if main(sys.argv[1:]) else 1)
