"""Ten thousand targets fail at once: how soon each person on call has the first page, and what it costs the daemon.

The whole daemon on a file with FULL, a gateway and a relay that take everything. All verdicts are there in the same
moment, as after the loss of a data centre; who is on call is told by SMS and mail. How many messages a person gets in a
quarter of an hour is told on virtual time, by tests/engine/test_storm.py: here the first minutes are lived through.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvloop
from aiohttp import web

from bench.bench_page_latency import daemon
from bench.figure import Figure, tell
from sentinel.core.model import Signal, Verdict
from sentinel.daemon import Daemon
from tests.fakes.http_peer import HttpPeer
from tests.fakes.smtp_server import SmtpServer

FAILURES = 10_000
PEOPLE = 3
FIRST_PAGE_LIMIT_S = 3.0
LAG_LIMIT_MS = 250.0
RSS_LIMIT_MIB = 200.0
PAGES_MAX = 5  # a person and channel, in a quarter of an hour
WAIT_MAX_S = 1_500.0
LOOK_EVERY_S = 0.005
MIB = 1024 * 1024


class Gateway(HttpPeer):
    """Takes each text, and knows when."""

    def respond(self) -> web.Response:
        self.taken.append((time.perf_counter(), json.loads(self.received[-1].body)["to"]))
        return web.json_response({"id": f"sms-{len(self.received)}"})

    taken: list[tuple[float, str]]


def configuration(gateway: HttpPeer, relay: SmtpServer) -> dict[str, object]:
    people = {
        f"p{number:02}": {"name": f"P{number}", "mobile": f"+336399800{number:02}", "email": f"p{number}@example.org"}
        for number in range(PEOPLE)
    }
    sms = {
        "type": "http-sms",
        "preset": "custom",
        "url": f"{gateway.url}/send",
        "json": {"to": "{mobile}", "text": "{text}", "ref": "{id}"},
        "expect": {"status": 200, "id": "id"},
    }
    email = {
        "type": "smtp",
        "host": "127.0.0.1",
        "port": relay.port,
        "security": "none",
        "from": "sentinel@example.org",
    }
    return {
        "people": people,
        "channels": {"email": email, "sms": sms},
        "escalations": {"on-call": [{"at": "0m", "to": [*people], "by": ["sms", "email"]}]},
        "services": {"campus": {"name": "Campus", "escalation": "on-call"}},
        "probes": {"contract": {"type": "expiry", "ends": "2099-01-01"}},
    }


async def fail(built: Daemon, number: int) -> None:
    now, title = built.clock.now(), f"host {number} is down"
    signal = Signal(key=f"probe:web/h{number}", source="probe", title=title, at=now, since=now, service="campus")
    verdict = Verdict(rule="r", level=3, severity="blocking", priority="P1", title=title, dedup=signal.key)
    await built.desk.report(signal, verdict)


@dataclass
class Lag:
    """By how much the loop came late at worst, and at worst while this process itself had a processor.

    On a machine that others use, whoever waits for a processor is late too: the second is at most the processor time
    that all threads of this process took between two looks.
    """

    wall_s: float = 0.0
    own_s: float = 0.0

    async def measure(self) -> None:
        while True:
            due, worked_s = time.perf_counter() + LOOK_EVERY_S, time.process_time()
            await asyncio.sleep(LOOK_EVERY_S)
            late_s = time.perf_counter() - due
            self.wall_s = max(self.wall_s, late_s)
            self.own_s = max(self.own_s, min(late_s, time.process_time() - worked_s))


def owed(folder: Path) -> Counter[str]:
    """Return how many messages are in which state."""
    with sqlite3.connect(f"file:{folder / 'sentinel.db'}?mode=ro", uri=True) as connection:
        query = "SELECT state, count(*) FROM outbox WHERE kind = 'message' GROUP BY state"
        return Counter(dict(connection.execute(query).fetchall()))


def named(folder: Path) -> int:
    """Return how many incidents stand in a message that a carrier took."""
    with sqlite3.connect(f"file:{folder / 'sentinel.db'}?mode=ro", uri=True) as connection:
        query = "SELECT count(DISTINCT incident) FROM outbox WHERE kind = 'message' AND state IN ('done', 'delivered')"
        return int(connection.execute(query).fetchone()[0])


async def told(folder: Path) -> Counter[str]:
    """Wait until carriers have taken everything."""
    while True:
        states = await asyncio.to_thread(owed, folder)
        if not set(states) - {"done", "delivered"}:
            return states
        await asyncio.sleep(1.0)


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def storm(folder: Path) -> dict[str, Any]:
    async with Gateway() as gateway, SmtpServer() as relay:
        gateway.taken = []
        async with daemon(folder, configuration(gateway, relay)) as built:
            await asyncio.sleep(1.0)
            gc.collect()
            before, worst = rss_mib(), Lag()
            measuring = asyncio.create_task(worst.measure())
            began, worked = time.perf_counter(), time.process_time()
            await asyncio.gather(*(fail(built, number) for number in range(FAILURES)))
            opened_s = time.perf_counter() - began
            async with asyncio.timeout(WAIT_MAX_S):
                states = await told(folder)
            told_s, peak, after = time.perf_counter() - began, peak_mib(), rss_mib()
            measuring.cancel()
            worked_s = time.process_time() - worked
        assert named(folder) == FAILURES, "an incident stands in no message"
        texts, first = Counter(to for _, to in gateway.taken), defaultdict(lambda: float("inf"))
        for at, to in gateway.taken:
            first[to] = min(first[to], at - began)
        return {
            "opened_s": opened_s,
            "told_s": told_s,
            "rss": peak - before,
            "after": after - before,
            "lag": worst,
            "worked_s": worked_s,
            "texts": texts,
            "first": sorted(first.values()),
            "states": states,
        }


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        seen = uvloop.run(storm(Path(folder)))
    first, states = seen["first"], seen["states"]
    lived = (
        f"{FAILURES} incidents, {PEOPLE} people, {states.total()} messages, all told within {seen['told_s']:.0f} s, "
        f"{seen['worked_s']:.0f} s of processor time"
    )
    p99 = first[min(len(first) - 1, round(0.99 * len(first)))] if len(first) == PEOPLE else float("inf")
    return tell(
        Figure("verdict to the first page of each person, p99", p99, FIRST_PAGE_LIMIT_S, "s", f"best {first[0]:.2f} s"),
        Figure("most texts a person got", max(seen["texts"].values()), PAGES_MAX, "texts", lived),
        Figure(
            "memory at its peak",
            seen["rss"],
            RSS_LIMIT_MIB,
            "MiB",
            f"afterwards {seen['after']:.0f} MiB, both fakes in it",
        ),
        Figure(
            "worst lag of the loop by its own work",
            seen["lag"].own_s * 1e3,
            LAG_LIMIT_MS,
            "ms",
            f"{seen['lag'].wall_s * 1e3:.0f} ms by the clock; opened in {seen['opened_s']:.1f} s",
        ),
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        FAILURES = int(sys.argv[1])
    raise SystemExit(0 if main() else 1)
