"""Alerts through ``/am/api/v2`` beside Debian's prometheus-alertmanager: the same bytes in turn, in one run.

Each row prints the median of its turns; the ratio is of neighbouring turns, so that what else the machine does falls
on both. Arguments name rows: ``python -m bench.bench_alerts handed resent new held``.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.figure import Figure, tell
from bench.peers import free_ports, running, wait_for

BATCH = 64
KNOWN = 6_400
NEW = 1_280  # a turn
CONNECTIONS = 4
TURN_S = 2.0
TURNS = 5
HANDED_OVER = 60
HELD = 100_000
SERVICES = 100
RATE = 10_000  # Requests a second that one client may make; 100 unless the configuration says so.
STARTS_WITHIN_S = 60.0
SENTINEL = Path(sys.executable).with_name("sentinel")
DAEMON = """\
server: {{listen: "127.0.0.1:{port}"}}
people: {{amina: {{email: amina@example.org}}}}
channels: {{hook: {{type: webhook, url: "http://127.0.0.1:{sink}/"}}}}
escalations: {{default: [{{at: 0m, to: [amina], by: [hook]}}]}}
services: {{{services}}}
probes: {{up: {{type: icmp, target: 127.0.0.1, interval: 1h}}}}
intake: {{alertmanager: {{enabled: yes}}}}
auth: {{rate: {rate}, burst: {rate}}}
"""
ALERTMANAGER = """\
route: {{receiver: hook, group_wait: 0s, group_interval: 1h, group_by: [alertname]}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://127.0.0.1:{sink}/"}}]}}]
"""


def alert(number: int, name: str) -> dict[str, object]:
    """Return an alert as Prometheus sends it."""
    now = datetime.now(UTC)
    return {
        "labels": {
            "alertname": name, "instance": f"db{number}.example.org:9100", "job": "node", "severity": "critical",
            "service": f"s{number % SERVICES}", "env": "production",
        },
        "annotations": {"summary": f"the disk of db{number} is full", "description": "less than 5 % are free"},
        "startsAt": now.isoformat(), "endsAt": (now + timedelta(minutes=30)).isoformat(),
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=disk_free+%3C+5",
    }  # fmt: skip


def bodies(numbers: range, name: str, batch: int) -> Iterator[bytes]:
    for begin in range(numbers.start, numbers.stop, batch):
        yield json.dumps([alert(number, name) for number in range(begin, min(begin + batch, numbers.stop))]).encode()


@dataclass
class Receiver:
    """One that takes alerts."""

    port: int
    path: str
    pid: int
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=asyncio.Queue)

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            self.idle.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))

    async def post(self, body: bytes) -> None:
        reader, writer = connection = await self.idle.get()
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        self.idle.put_nowait(connection)

    async def send(self, wanted: list[bytes], seconds: float = 0.0) -> float:
        """Send all once, or again and again for some time; return posts per second."""
        began, posts = time.perf_counter(), 0
        rest = iter(wanted)

        async def one() -> None:
            nonlocal posts, rest
            while True:
                body = next(rest, None)
                if body is None:
                    if time.perf_counter() - began >= seconds:
                        return
                    rest = iter(wanted)
                    continue
                await self.post(body)
                posts += 1
                if seconds and time.perf_counter() - began >= seconds:
                    return

        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
        return posts / (time.perf_counter() - began)

    def memory_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


class Sink:
    """Takes webhooks, and knows when the last one came."""

    def __init__(self) -> None:
        self.told = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(int(one.split(b":")[1]) for one in head.lower().split(b"\r\n") if b"content-length" in one)
                await reader.readexactly(size)
                self.told.set()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def both(folder: Path, sink: int) -> AsyncIterator[tuple[Receiver, Receiver]]:
    ours, theirs = free_ports(2)
    services = ", ".join(f"s{number}: " for number in range(SERVICES))
    (folder / "probes.yaml").write_text(DAEMON.format(port=ours, sink=sink, services=services, rate=RATE))
    (folder / "am.yml").write_text(ALERTMANAGER.format(sink=sink))
    program = shutil.which("prometheus-alertmanager") or "prometheus-alertmanager"
    options = (f"--config.file={folder}/am.yml", f"--storage.path={folder}/am", "--cluster.listen-address=")
    with ExitStack() as held:
        daemon = held.enter_context(running("env", f"--chdir={folder}", SENTINEL, "-c", folder / "probes.yaml", "run"))
        other = held.enter_context(running(program, *options, f"--web.listen-address=127.0.0.1:{theirs}"))
        for port in (ours, theirs):
            wait_for(port, STARTS_WITHIN_S)
        pair = Receiver(ours, "/am/api/v2/alerts", daemon.pid), Receiver(theirs, "/api/v2/alerts", other.pid)
        for one in pair:
            await one.open()
        yield pair


async def against(pair: tuple[Receiver, Receiver], what: str, turns: list[list[bytes]], least: float) -> Figure:
    """Give both the same turns; return how many times as long we take for an alert."""
    alerts = statistics.mean(body.count(b'"alertname"') for turn in turns for body in turn)
    seconds = TURN_S if turns[0] is turns[-1] else 0.0
    rates = [[await one.send(turn, seconds) * alerts for one in pair] for turn in turns]
    ours, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    spread = [mine / other for mine, other in rates]
    said = f"{ours:,.0f} alerts/s against {theirs:,.0f}; ratio {min(spread):.2f} to {max(spread):.2f}"
    return Figure(f"{what}: time of an alert, times theirs", 1 / statistics.median(spread), 1 / least, "", said)


async def handed_over(one: Receiver, sink: Sink, name: str) -> float:
    """Return the median of milliseconds from a POST to the webhook about it."""
    taken = []
    for number in range(HANDED_OVER):
        single = alert(number, f"{name}{number}")
        del single["labels"]["service"]  # type: ignore[attr-defined]  # Each is an incident of its own.
        body = json.dumps([single]).encode()
        sink.told.clear()
        began = time.perf_counter()
        await one.post(body)
        async with asyncio.timeout(30):
            await sink.told.wait()
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.05)
    return statistics.median(taken)


async def resent(pair: tuple[Receiver, Receiver], _sink: Sink) -> bool:
    where = f"{CONNECTIONS} connections, {TURNS} turns each"
    again = list(bodies(range(KNOWN), "Known", BATCH))
    for one in pair:
        await one.send(again)
    kept = tell(await against(pair, f"re-sent, batches of {BATCH}, {where}", [again] * TURNS, 0.9))
    single = list(bodies(range(KNOWN // 4), "Known", 1))
    return tell(await against(pair, f"re-sent, one at a time, {where}", [single] * TURNS, 0.5)) and kept


async def handed(pair: tuple[Receiver, Receiver], sink: Sink) -> bool:
    mine, theirs = [await handed_over(one, sink, "Handed") for one in pair]
    return tell(Figure("POST to webhook, p50", mine, 5.0, "ms", f"theirs {theirs:.2f} ms, group_wait 0"))


async def new(pair: tuple[Receiver, Receiver], _sink: Sink) -> bool:
    turns = [list(bodies(range(NEW), f"New{turn}", BATCH)) for turn in range(TURNS)]
    rates = [[await one.send(turn) * BATCH for one in pair] for turn in turns]
    mine, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
    said = f"{mine:,.0f} alerts/s on disk before the 200, theirs {theirs:,.0f} in memory"
    return tell(Figure(f"new, batches of {BATCH}: time of an alert", 1e6 / mine, 100.0, "us", said))


async def held(pair: tuple[Receiver, Receiver], _sink: Sink) -> bool:
    for one in pair:
        await one.send(list(bodies(range(HELD), "Held", BATCH)))
    mine, theirs = (one.memory_mib() for one in pair)
    return tell(Figure(f"memory with {HELD:,} alerts more", mine, 0.8 * theirs, "MiB", f"theirs {theirs:.0f} MiB"))


ROWS = {"handed": handed, "resent": resent, "new": new, "held": held}


async def measure(wanted: list[str], folder: Path) -> bool:
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    async with both(folder, server.sockets[0].getsockname()[1]) as pair:
        kept = [await ROWS[name](pair, sink) for name in wanted]
    server.close()
    return all(kept)


def main() -> int:
    if shutil.which("prometheus-alertmanager") is None:
        print("prometheus-alertmanager is not here: nothing to compare with", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-alerts-") as name:
        return 0 if asyncio.run(measure(sys.argv[1:] or list(ROWS), Path(name))) else 1


if __name__ == "__main__":
    raise SystemExit(main())
