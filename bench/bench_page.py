"""The metrics page with 10,000 targets, as it is sent: written, compressed, and how long others wait meanwhile."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from isal import isal_zlib

from bench.figure import Figure, tell
from sentinel.core.model import Directory, Plan, Result
from sentinel.engine import series
from sentinel.engine.clock import SystemClock
from sentinel.engine.desk import Desk
from sentinel.engine.draft import Policy
from sentinel.engine.live import Live
from sentinel.metrics import Expected, Meters
from sentinel.pages import OPENMETRICS, Pages
from sentinel.probes.base import Options
from sentinel.probes.plan import ProbePlan
from sentinel.web.scrape import COMPRESSION_LEVEL, GZIP

TARGETS = 10_000
ROUNDS = 20
LIMIT_MS = 40.0
STALL_LIMIT_MS = 5.0
NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
PHASES = {"resolve": 0.001, "connect": 0.002, "tls": 0.004, "processing": 0.05, "transfer": 0.001}
CHANCE = random.Random(7)  # No two targets take the same time: that is what writing numbers costs.


def lived() -> Pages:
    """Return the page of a daemon in which every target has run once."""
    live = Live()
    live.replace(
        ProbePlan(
            name=f"web-{number}",
            type="http",
            options=Options(),
            targets=(f"https://www{number}.example.org/login",),
            interval_s=60,
            timeout_s=10,
            fingerprint="1",
            service=f"customer-{number % 100}",
        )
        for number in range(TARGETS)
    )
    for row in live.rows():
        at = NOW + timedelta(seconds=CHANCE.random() * 60)
        phases = {name: usual_s * (0.5 + CHANCE.random()) for name, usual_s in PHASES.items()}
        row.last = Result(probe=row.plan.name, target=row.target, at=at, duration_s=sum(phases.values()), ok=True)
        series.keep(row, row.last, {("probe_http_status_code", ()): 200.0}, phases)
    meters = Meters()
    meters.expect(Expected(kinds=frozenset({"http"}), channels=frozenset({"email", "sms"})))
    nobody = Directory(people={}, groups={}, channels={})
    policy = Policy(directory=nobody, plan_for=lambda *_: Plan(), close_by=lambda now: now)
    nothing: Any = None  # Neither a database nor its thread: what they know is looked up beside the page.
    desk = Desk(nothing, nothing, SystemClock(), policy, lambda *_: b"")
    return Pages(meters, live, desk, nothing, SystemClock())


def best_ms(call: Callable[[], object]) -> float:
    """Return milliseconds of processor time."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.thread_time()
        call()
        best = min(best, (time.thread_time() - begun) * 1e3)
    return best


def write(pages: Pages, accept: str) -> None:
    for _piece in pages.metrics(accept)[0]:
        pass


def compressed(page: bytes) -> bytes:
    compressor = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, GZIP)
    return compressor.compress(page) + compressor.flush()


def stall_ms(pages: Pages) -> float:
    """Return the longest time that one piece takes, compressed as it is sent: nobody else has a turn in between."""
    best = float("inf")
    for _ in range(ROUNDS):  # The best page of them: other programs on this machine hold it up, too.
        compressor = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, GZIP)
        longest, before = 0.0, time.thread_time()
        for piece in pages.metrics("")[0]:
            compressor.compress(piece)
            now = time.thread_time()
            longest, before = max(longest, now - before), now
        best = min(best, longest * 1e3)
    return best


def main() -> bool:
    pages = lived()
    gc.collect()
    gc.freeze()
    page = b"".join(pages.metrics("")[0])
    conditions = (
        f"{TARGETS} targets, {page.count(b'probe=')} series, {len(page) / 1e6:.1f} MB, processor time, best of {ROUNDS}"
    )
    kept = tell(
        Figure("metrics page", best_ms(lambda: write(pages, "")), LIMIT_MS, "ms", conditions),
        Figure("metrics page, OpenMetrics", best_ms(lambda: write(pages, OPENMETRICS)), LIMIT_MS, "ms", conditions),
        Figure("metrics page, its longest piece, compressed", stall_ms(pages), STALL_LIMIT_MS, "ms", conditions),
    )
    print(f"metrics page, compressing it: {best_ms(lambda: compressed(page)):.1f} ms more")
    return kept


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
