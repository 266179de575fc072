"""Mails a second: an outbox of 20,000 rows drained to an SMTP server on this machine, everything on disk."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog
import uvloop

from bench.figure import Figure, tell
from sentinel.config.load import load
from sentinel.daemon import Daemon
from sentinel.engine.clock import SystemClock
from sentinel.messages.notice import Notice
from sentinel.store.base import OutboxRow
from sentinel.store.opening import open_store

MAILS = 20_000
PEOPLE = 200
WANTED_PER_S = 200.0
WAIT_MAX_S = 900.0


def configuration(port: int) -> dict[str, object]:
    smtp = {"type": "smtp", "host": "127.0.0.1", "port": port, "security": "none", "from": "sentinel@example.org"}
    return {
        "people": {f"p{one}": {"name": f"Person {one}", "email": f"p{one}@example.org"} for one in range(PEOPLE)},
        "channels": {"email": smtp},
        "probes": {"contract": {"type": "expiry", "ends": "2099-01-01"}},
    }


@asynccontextmanager
async def daemon(folder: Path, config: dict[str, object]) -> AsyncIterator[Daemon]:
    path = folder / "probes.yaml"
    path.write_text(json.dumps(config))
    store, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    built = Daemon(path, load(path).setup, store, results, SystemClock())
    store.owe_once(list(owed(built)))
    await built.start()
    try:
        yield built
    finally:
        results.close()
        store.close()


def owed(built: Daemon) -> list[OutboxRow]:
    now = built.clock.now()
    found = []
    for number in range(MAILS):
        person = f"p{number % PEOPLE}"
        notice = Notice(id=f"bench/{number}/{person}", kind="handover", at=now, title="Technical", since=now, until=now)
        found.append(
            OutboxRow(
                id=notice.id,
                kind="message",
                incident="",
                sequence=0,
                person=person,
                channel="email",
                urgency=1,
                body=msgspec.json.encode(notice),
                created_at=now,
                due_at=now,
                give_up_at=now + timedelta(hours=4),
            )
        )
    return found


async def drain(folder: Path, port: int) -> tuple[float, float]:
    """Return how many seconds, and how many of them on the processor, until nothing is owed."""
    async with daemon(folder, configuration(port)) as built:
        began, worked = time.perf_counter(), time.process_time()
        tasks = built.begin()
        try:
            async with asyncio.timeout(WAIT_MAX_S):
                while await built.read(built.store.queue):  # noqa: ASYNC110  what is measured is how long this holds
                    await asyncio.sleep(0.25)
            return time.perf_counter() - began, time.process_time() - worked
        finally:
            await built.stop(tasks)


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    command = [sys.executable, "-m", "bench.mail_relay"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdin is not None
        assert relay.stdout is not None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o700)
            took_s, worked_s = uvloop.run(drain(folder, int(relay.stdout.readline())))
        relay.stdin.close()
        taken, connections = map(int, relay.stdout.readline().split())
    assert taken == MAILS, f"{taken} mails arrived"
    conditions = (
        f"{MAILS} rows, one relay in a process of its own, no TLS, {connections} connections, SQLite FULL; "
        f"{MAILS / took_s:.0f} mails a second, {worked_s / MAILS * 1e3:.2f} ms of processor time each"
    )
    return tell(
        Figure("draining the outbox by mail, for each mail", took_s / MAILS * 1e3, 1e3 / WANTED_PER_S, "ms", conditions)
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        MAILS = int(sys.argv[1])
    raise SystemExit(0 if main() else 1)
