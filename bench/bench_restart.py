"""From `sentinel run` to the first page a carrier takes: 10,000 probes, 10,000 messages owed, an hour of samples."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bench.figure import Figure, tell
from bench.peers import cpu_s, free_ports
from sentinel.core.model import Result
from sentinel.messages.notice import Notice
from sentinel.rules import Track
from sentinel.store.base import OutboxRow, ProbeState, Sample
from sentinel.store.opening import open_store

PROBES = 10_000
ROWS = 10_000
PEOPLE = 500
ROUNDS = 3
LIMIT_S = 2.0
WAIT_MAX_S = 60.0
SENTINEL = Path(sys.executable).with_name("sentinel")


def configuration(folder: Path, carrier: int, target: int) -> Path:
    path = folder / "probes.yaml"
    people = "".join(f"  p{n}: {{name: P{n}, mobile: '+336399800{n % 100:02}'}}\n" for n in range(PEOPLE))
    send = {"to": "{mobile}", "text": "{text}", "ref": "{id}"}
    probes = "".join(
        f"  w{n}: {{type: http, service: campus, url: 'http://127.0.0.1:{target}/{n}', interval: 60s, timeout: 5s}}\n"
        for n in range(PROBES)
    )
    path.write_text(
        f"server: {{listen: 127.0.0.1:{free_ports(1)[0]}}}\nengine: {{per_host: 2000}}\n"
        f"people:\n{people}channels:\n  sms: {{type: http-sms, preset: custom, json: {json.dumps(send)}, "
        f"url: 'http://127.0.0.1:{carrier}/send', expect: {{status: 200, id: id}}}}\n"
        f"services:\n  campus: {{name: Campus}}\nprobes:\n{probes}"
    )
    return path


def lived(folder: Path, target: int) -> None:
    """Leave what a daemon leaves that was killed: rows not sent yet, states, an hour of samples."""
    store, results = open_store(f"sqlite:///{folder}/sentinel.db")
    now = datetime.now(UTC)
    store.owe_once([row(number, now) for number in range(ROWS)])
    names = [(f"w{number}", f"http://127.0.0.1:{target}/{number}") for number in range(PROBES)]
    since = now - timedelta(hours=2)
    track = msgspec.json.encode(Track(since=since, last_good_at=since))
    first = [Result(probe=probe, target=there, at=since, duration_s=0.1, ok=True) for probe, there in names]
    results.record([ProbeState(probe=one.probe, target=one.target, track=track, last=one) for one in first], [], [])
    for minute in range(60, 0, -1):
        at = now - timedelta(minutes=minute)
        results.record([], [], [Sample(probe, there, at, True, 0.1) for probe, there in names])
        if minute == 5:
            results.keep_newest([Sample(probe, there, at, True, 0.1) for probe, there in names], at)
    results.close()
    store.close()


def row(number: int, now: datetime) -> OutboxRow:
    notice = Notice(id=f"m{number}", kind="opened", at=now, title=f"fault {number}", priority="P1", level=3)
    return OutboxRow(
        id=f"m{number}",
        kind="message",
        incident="",
        sequence=0,
        person=f"p{number % PEOPLE}",
        channel="sms",
        urgency=3,
        body=msgspec.json.encode(notice),
        created_at=now,
        due_at=now,
        give_up_at=now + timedelta(hours=4),
    )


class Carrier:
    """Takes every message, and remembers when the first came."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.at = 0.0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
        if not self.first.is_set():
            self.at = time.perf_counter()
            self.first.set()
        body = b'{"id": "1"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()


async def restarted() -> tuple[float, float]:
    """Start it once; return the seconds to the first page, and those of processor time until then."""
    carrier, target = Carrier(), free_ports(1)[0]  # Where probes go nobody listens, and it is refused at once.
    server = await asyncio.start_server(carrier.answer, "127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = configuration(folder, server.sockets[0].getsockname()[1], target)
        lived(folder, target)
        began = time.perf_counter()
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                SENTINEL, "-c", path, "run", cwd=folder, stdout=subprocess.DEVNULL, stderr=log
            )
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                await carrier.first.wait()
            used_s = cpu_s(process.pid)
        except TimeoutError:
            print((folder / "log").read_text()[-2000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            await process.wait()
    server.close()
    return carrier.at - began, used_s


def main() -> bool:
    took, used = zip(*(asyncio.run(restarted()) for _ in range(ROUNDS)), strict=True)
    conditions = (
        f"{PROBES} probes, {ROWS} rows owed, {60 * PROBES} samples not packed, median of {ROUNDS}, "
        f"best {min(took):.2f} s, processor time {statistics.median(used):.2f} s"
    )
    return tell(Figure("restart to the first page", statistics.median(took), LIMIT_S, "s", conditions))


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
