"""The metrics page with 10,000 targets, as a scrape sees it: written, and compressed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from isal import igzip

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

TARGETS = 10_000
ROUNDS = 20
LIMIT_MS = 40.0
NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
PHASES = {"resolve": 0.001, "connect": 0.002, "tls": 0.004, "processing": 0.05, "transfer": 0.001}


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
        row.last = Result(probe=row.plan.name, target=row.target, at=NOW, duration_s=0.0581, ok=True)
        row.chunks = series.write_lines(row, row.last, {("probe_http_status_code", ()): 200.0}, PHASES)
    meters = Meters()
    meters.expect(Expected(kinds=frozenset({"http"}), channels=frozenset({"email", "sms"})))
    nobody = Directory(people={}, groups={}, channels={})
    policy = Policy(directory=nobody, plan_for=lambda *_: Plan(), close_by=lambda now: now)
    nothing: Any = None  # Neither a database nor its thread: what they know is looked up beside the page.
    desk = Desk(nothing, nothing, SystemClock(), policy, lambda *_: b"")
    return Pages(meters, live, desk, nothing, SystemClock())


def best_ms(call: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        call()
        best = min(best, (time.perf_counter() - begun) * 1e3)
    return best


def main() -> bool:
    pages = lived()
    gc.collect()
    gc.freeze()
    page, _ = pages.metrics("")
    conditions = f"{TARGETS} targets, {page.count(b'probe=')} series, {len(page) / 1e6:.1f} MB, best of {ROUNDS}"
    kept = tell(
        Figure("metrics page", best_ms(lambda: pages.metrics("")), LIMIT_MS, "ms", conditions),
        Figure("metrics page, OpenMetrics", best_ms(lambda: pages.metrics(OPENMETRICS)), LIMIT_MS, "ms", conditions),
    )
    print(f"metrics page, compressing it: {best_ms(lambda: igzip.compress(page, 1)):.1f} ms more")
    return kept


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
