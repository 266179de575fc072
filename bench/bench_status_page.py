"""The public status page: how much of a core one request takes, with 20 services, 90 days of incidents, a whole daemon.

Another process asks, over connections that stay open, as fifty addresses behind a trusted proxy would. The processor
time of this process counts, all of it: what the daemon does beside is in it.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import structlog
import uvloop

from bench.figure import Figure, tell
from sentinel.config.load import load
from sentinel.core import commands as c
from sentinel.core.model import Signal, Verdict
from sentinel.daemon import Daemon
from sentinel.doors import Doors
from sentinel.engine.clock import SystemClock
from sentinel.store.opening import open_store
from sentinel.web.app import build, serve

SERVICES = 20
INCIDENTS = 60
CONNECTIONS = 50
REQUESTS = 10_000
ROUNDS = 3
GOAL_PER_S = 1_000.0
LOOKS = {
    "HTML, compressed": ("/status/all?lang=fr", "Accept-Encoding: gzip\r\n"),
    "HTML": ("/status/all?lang=fr", ""),
    "JSON, compressed": ("/status/all.json", "Accept-Encoding: gzip\r\n"),
}


def configuration() -> dict[str, object]:
    names = [f"service-{number}" for number in range(SERVICES)]
    return {
        "services": {name: {"name": f"Service {name}"} for name in names},
        "status_pages": {"all": {"title": "All services", "services": names, "public": "yes"}},
        "probes": {"contract": {"type": "expiry", "ends": "2099-01-01"}},
        "auth": {"trusted_proxies": ["127.0.0.0/8"]},
    }


@asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[Daemon]:
    path = folder / "probes.yaml"
    path.write_text(json.dumps(configuration()))
    store, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    built = Daemon(path, load(path).setup, store, results, SystemClock())
    await built.start()
    tasks = built.begin()
    try:
        yield built
    finally:
        await built.stop(tasks)
        results.close()
        store.close()


async def live(built: Daemon) -> None:
    """Have some incidents, of which most are over."""
    for number in range(INCIDENTS):
        now = built.clock.now()
        title = f"fault {number}"
        since = now - timedelta(days=number)
        service = f"service-{number % SERVICES}"
        signal = Signal(key=title, source="probe", title=title, at=now, since=since, service=service)
        verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title=title, dedup=title)
        state = await built.desk.report(signal, verdict)
        if number % 10:
            await built.desk.order(state.number, c.Resolve(by="bench", text="done", close_by=now))
    await built.portal.look()


async def ask(port: int, look: tuple[str, str], count: int, client: int) -> int:
    """Ask again and again over one connection; return how many bytes an answer has."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    path, more = look
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 192.0.2.{client}\r\n{more}\r\n".encode()
    length = 0
    for _ in range(count):
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:200]
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    return length


def client(pipe: Connection) -> None:
    """Be the other process."""

    async def all_of(port: int, look: tuple[str, str]) -> int:
        each = REQUESTS // CONNECTIONS
        return max(await asyncio.gather(*(ask(port, look, each, number + 1) for number in range(CONNECTIONS))))

    while (told := pipe.recv()) is not None:
        pipe.send(uvloop.run(all_of(*told)))


async def measure(folder: Path, pipe: Connection) -> list[Figure]:
    loop, found = asyncio.get_running_loop(), []
    async with daemon(folder) as built:
        await live(built)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        runner = await serve(build(Doors(built).context()), listener, None)
        for name, look in LOOKS.items():
            best_s, best_wall_s, size = float("inf"), float("inf"), 0
            for _ in range(ROUNDS):
                begun, begun_s = time.perf_counter(), time.process_time()
                pipe.send((listener.getsockname()[1], look))
                size = await loop.run_in_executor(None, pipe.recv)
                best_s = min(best_s, time.process_time() - begun_s)
                best_wall_s = min(best_wall_s, time.perf_counter() - begun)
                await asyncio.sleep(REQUESTS / 1_800)  # What one address, and all of them, may ask fills up again.
            each_ms = best_s / REQUESTS * 1e3
            conditions = (
                f"{1e3 / each_ms:.0f} a second on one core, goal {GOAL_PER_S:g}; {SERVICES} services,"
                f" {INCIDENTS} incidents, {size / 1e3:.1f} kB, {CONNECTIONS} connections, {REQUESTS} requests,"
                f" best of {ROUNDS}, processor time;"
                f" by the clock {REQUESTS / best_wall_s:.0f} a second, load {os.getloadavg()[0]:.1f}"
            )
            found.append(Figure(f"status page, {name}", each_ms, 1e3 / GOAL_PER_S, "ms", conditions))
        await runner.cleanup()
    return found


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    ours, theirs = multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=client, args=(theirs,), daemon=True)
    other.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        found = uvloop.run(measure(folder, ours))
    ours.send(None)
    other.join(10)
    return tell(*found)


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
