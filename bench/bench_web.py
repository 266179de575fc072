"""The pages: how long they take with 10,000 probes and 100 open incidents, how much is sent, what open pages cost."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import structlog
import uvloop

from bench.figure import Figure, tell
from sentinel.config.load import load
from sentinel.core.model import Result, Signal, Verdict
from sentinel.daemon import Daemon
from sentinel.doors import Doors
from sentinel.engine.clock import SystemClock
from sentinel.store.opening import open_store
from sentinel.web.app import build, serve
from sentinel.web.overview import FRESH_FOR
from sentinel.web.rendering import warm
from sentinel.web.sharing import AGAIN

PROBES = 10_000
SERVICES = 100
INCIDENTS = 100
FAILING = 200
ROUNDS = 20
FIRST_ROUNDS = 7
OPEN_PAGES = 200
REST_S = 30.0  # Long enough for each reader to be written to once.
LIMIT_MS = 50.0
LIST_LIMIT_MS = 100.0
LIMIT_KIB = 60.0
EVERY_LIMIT_KIB = 150.0
REST_LIMIT_PERCENT = 5.0
STORM_S = 20.0
STORM_SAYS_EVERY_S = 0.05
# What is on a page that follows what happens, of those that many have open.
TOPICS = {
    "/": "incidents messages probes rotas overload changes",
    "/incidents/INC-1": "INC-1 messages overload changes",
}
EVENTS = 5
OPENED_S = 3.0
EVENT_WITHIN_S = 20.0
EVENT_LIMIT_S = 1.0
LAG_EVERY_S = 0.005
SLOW_MS = 500.0
HELD_LIMIT_MS = 100.0
STORM_LIMIT_PERCENT = 60.0  # 40 for the pages, the rest for who reads them here.
# Pages that are looked at; those that are not there yet are left out, and said.
PAGES = (
    "/", "/incidents", "/incidents?state=all", "/incidents/INC-1", "/incidents/INC-1/crisis", "/probes", "/services",
    "/oncall", "/changes", "/silences", "/requests", "/problems", "/reports", "/people", "/configuration", "/audit",
)  # fmt: skip
BROWSER = {"Accept": "text/html", "Accept-Encoding": "gzip", "Accept-Language": "fr"}


def configuration() -> dict[str, object]:
    """Return so many probes, none of which runs while it is measured."""
    people = {"amina": {"name": "Amina Benali", "email": "amina@example.org", "mobile": "+33639980001"}}
    sla = {"calendar": "always", "ack": "15m", "resolve": {"P1": "4h", "P2": "8h", "P3": "2d"}}
    return {
        "auth": {"rate": 10_000, "burst": 10_000},
        "people": people,
        "channels": {"email": {"type": "outbox", "path": "outbox", "as": "email"}},
        "escalations": {"on-call": [{"at": "0m", "to": ["amina"], "by": ["email"]}]},
        "sla": {"gold": sla},
        "services": {
            f"service-{number}": {"name": f"Service {number}", "escalation": "on-call", "sla": "gold"}
            for number in range(SERVICES)
        },
        "defaults": {"interval": "1d"},
        "probes": {
            f"web-{number}": {
                "type": "http",
                "url": f"https://www{number}.example.org/login",
                "service": f"service-{number % SERVICES}",
                "paused": True,
            }
            for number in range(PROBES)
        },
    }


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Daemon, str]]:
    path = folder / "probes.yaml"
    path.write_text(json.dumps(configuration()))
    store, results = open_store(f"sqlite:///{folder / 'sentinel.db'}")
    built = Daemon(path, load(path).setup, store, results, SystemClock())
    await built.start()
    tasks = built.begin()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    runner = await serve(build(Doors(built).context()), listener, None)
    try:
        yield built, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        await runner.cleanup()
        await built.stop(tasks)
        results.close()
        store.close()


async def fill(built: Daemon) -> None:
    """Have every target run once, some fail, and so many incidents be open."""
    now = built.clock.now()
    for number, row in enumerate(built.live.rows()):
        ok = number % (PROBES // FAILING) != 0
        detail = "" if ok else "expected status 200, found 503 Service Unavailable"
        reason = "" if ok else "status"
        row.last = Result(
            probe=row.plan.name, target=row.target, at=now, duration_s=0.1, ok=ok, reason=reason, detail=detail
        )
    for number in range(INCIDENTS):
        title = f"The login of application {number} answers 503"
        signal = Signal(
            key=title, source="probe", title=title, at=now, since=now, service=f"service-{number}", detail="found 503"
        )
        verdict = Verdict(rule="r", level=2, severity="major", priority=f"P{number % 3 + 1}", title=title, dedup=title)  # type: ignore[arg-type]
        await built.desk.report(signal, verdict)
    await built.desk.drain()


async def look(http: aiohttp.ClientSession, path: str) -> tuple[float, int, int]:
    """Return the best time in milliseconds, the bytes sent and the bytes of the page; nothing for what is not there."""
    best, sent, plain = float("inf"), 0, 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        async with http.get(path) as answer:
            body = await answer.read()
            if answer.status != 200:
                return 0.0, 0, 0
            sent = len(body)
        best = min(best, (time.perf_counter() - began) * 1e3)
    async with http.get(path, headers={"Accept-Encoding": "identity"}) as answer:
        plain = len(await answer.read())
    return best, sent, plain


async def first_look_ms(http: aiohttp.ClientSession) -> float:
    """Return how long the first page takes when nobody has looked for a while: all targets are counted for it."""
    took = []
    for _ in range(FIRST_ROUNDS):
        await asyncio.sleep(FRESH_FOR.total_seconds() + 0.1)
        began = time.perf_counter()
        async with http.get("/") as answer:
            await answer.read()
        took.append((time.perf_counter() - began) * 1e3)
    return statistics.median(took)


async def resting(url: str) -> float:
    """Return the percent of a core that open pages cost while nothing happens, their readers in this process."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)))
        before_s = await busy(REST_S / 3)
        answers = [await stack.enter_async_context(http.get("/live")) for _ in range(OPEN_PAGES)]
        for answer in answers:
            await answer.content.readuntil(b"\n\n")
        return max(0.0, await busy(REST_S) - before_s) * 100


class Looks:
    """How often open pages looked, and whether each of them has since the beginning."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.times, self.by_all = 0, asyncio.Event()

    def count(self) -> None:
        self.times += 1
        if self.times == OPEN_PAGES:
            self.by_all.set()


@asynccontextmanager
async def open_pages(url: str, page: str) -> AsyncIterator[Looks]:
    """Have a page open many times, each of which looks again whenever it is told; yield how often they have."""
    looked = Looks()

    async def follow(http: aiohttp.ClientSession) -> None:
        async with http.get("/live", params={"topics": TOPICS[page], "page": page}) as stream:
            while True:
                if (await stream.content.readuntil(b"\n\n")).startswith(b"event: changed"):
                    async with http.get(page, headers={AGAIN: "1"}) as answer:
                        await answer.read()
                    looked.count()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, connector=connector, auto_decompress=False, headers=BROWSER) as http:
        pages = [asyncio.create_task(follow(http)) for _ in range(OPEN_PAGES)]
        try:
            yield looked
        finally:
            for one in pages:
                one.cancel()
            await asyncio.wait(pages)


async def appearing(built: Daemon, url: str, page: str) -> tuple[float, float]:
    """Return how long it takes until an event is on all of many open pages, and how long the loop is held meanwhile."""
    took_s, held_s = [], [0.0]

    async def hold() -> None:
        while True:  # By our own work: what other programs on this machine took is not in the time of the thread.
            began = time.thread_time()
            await asyncio.sleep(LAG_EVERY_S)
            held_s.append(time.thread_time() - began)

    async with open_pages(url, page) as looked:
        await asyncio.sleep(OPENED_S)
        watched = asyncio.create_task(hold())
        for _ in range(EVENTS):
            looked.begin()
            began = time.perf_counter()
            built.news.say("incidents", "INC-1")
            async with asyncio.timeout(EVENT_WITHIN_S):
                await looked.by_all.wait()
            took_s.append(time.perf_counter() - began)
            await asyncio.sleep(1)
        watched.cancel()
    return statistics.median(took_s), statistics.quantiles(held_s, n=1000)[-1]


async def storming(built: Daemon, url: str) -> tuple[float, int]:
    """Return the percent of a core that pages cost which look again whenever they are told, and how often they did."""
    before_s = await busy(STORM_S / 4)
    async with open_pages(url, "/") as looked:
        await asyncio.sleep(1)
        measured = asyncio.create_task(busy(STORM_S))
        while not measured.done():
            built.news.say("probes")
            await asyncio.sleep(STORM_SAYS_EVERY_S)
        looks = looked.times
    return max(0.0, measured.result() - before_s) * 100, looks


async def busy(for_s: float) -> float:
    """Return the share of a core that this process needs."""
    began, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(for_s)
    return (time.process_time() - used) / (time.perf_counter() - began)


async def measure(folder: Path) -> bool:
    async with served(folder) as (built, url):
        await fill(built)
        gc.collect()
        gc.freeze()
        found: dict[str, tuple[float, int, int]] = {}
        await asyncio.to_thread(warm, threading.Event())  # As the daemon does once it is ready.
        async with aiohttp.ClientSession(url, auto_decompress=False, headers=BROWSER) as http:
            began = time.perf_counter()
            async with http.get("/probes") as answer:
                await answer.read()
            started_ms = (time.perf_counter() - began) * 1e3
            for path in PAGES:
                began = time.perf_counter()
                async with http.get(path) as answer:
                    await answer.read()
                if (first := (time.perf_counter() - began) * 1e3) > SLOW_MS:
                    print(f"{path}: {first:.0f} ms the first time")
                found[path] = await look(http, path)
            first_ms = await first_look_ms(http)
            extra = sum([(await look(http, f"/static/{name}"))[1] for name in ("style.css", "script.js")])
        rest_percent = await resting(url)
        events = {page: await appearing(built, url, page) for page in TOPICS}
        storm_percent, looks = await storming(built, url)
    there = {path: one for path, one in found.items() if one[1]}
    for path, (took_ms, sent, plain) in there.items():
        print(f"{path}: {took_ms:.1f} ms, {sent / 1024:.1f} KiB sent, {plain / 1024:.0f} KiB as it is")
    if len(there) < len(found):
        print(f"not there: {', '.join(path for path in found if path not in there)}")
    largest = max(there, key=lambda path: there[path][1])
    conditions = f"{PROBES} probes, {INCIDENTS} open incidents, client in the same process, best of {ROUNDS}"
    listed = {path: one for path, one in there.items() if path == "/probes"}
    return tell(
        Figure("first page", there["/"][0], LIMIT_MS, "ms", conditions),
        Figure("first page, nobody looked for a second", first_ms, LIMIT_MS, "ms", f"median of {FIRST_ROUNDS}"),
        Figure("first page, compressed", there["/"][1] / 1024, LIMIT_KIB, "KiB", conditions),
        Figure("list of probes, first look after a start", started_ms, LIST_LIMIT_MS, "ms", "once"),
        *(Figure("list of probes", one[0], LIST_LIMIT_MS, "ms", conditions) for one in listed.values()),
        Figure(
            f"largest page, {largest}, with stylesheet and script",
            (there[largest][1] + extra) / 1024,
            EVERY_LIMIT_KIB,
            "KiB",
            conditions,
        ),
        Figure(
            "open pages at rest",
            rest_percent,
            REST_LIMIT_PERCENT,
            "% of a core",
            f"{OPEN_PAGES} pages, {REST_S:g} s, daemon and readers in one process, less what it costs without them",
        ),
        *(
            Figure(
                f"an event on all open pages of {page}", took_s, EVENT_LIMIT_S, "s", f"{OPEN_PAGES}, median of {EVENTS}"
            )
            for page, (took_s, _) in events.items()
        ),
        *(
            Figure(
                f"loop held meanwhile, {page}",
                held_s * 1e3,
                HELD_LIMIT_MS,
                "ms",
                "processor time without a turn for others, p99.9, readers in the process",
            )
            for page, (_, held_s) in events.items()
        ),
        Figure(
            "open pages in a storm",
            storm_percent,
            STORM_LIMIT_PERCENT,
            "% of a core",
            f"{OPEN_PAGES} pages that looked {looks} times in {STORM_S:g} s, as above",
        ),
    )


def main() -> bool:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o700)
        return uvloop.run(measure(folder))


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
