"""The scheduler on virtual time: spread, phase, overruns, limits, reload."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from sentinel.engine.clock import LoopClock
from sentinel.engine.scheduler import Limits, Scheduler
from sentinel.probes.base import Options
from sentinel.probes.plan import ProbePlan
from tests import virtual

START = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)


def plan(name: str, *targets: str, interval_s: float = 300.0, fingerprint: str = "1") -> ProbePlan:
    """Return a plan whose options do not matter."""
    return ProbePlan(
        name=name,
        type="tcp",
        options=Options(),
        targets=targets or ("host:80",),
        interval_s=interval_s,
        timeout_s=10.0,
        fingerprint=fingerprint,
    )


class Watched:
    """A scheduler whose runs last as long as told, and what it started when."""

    def __init__(self, lasts_s: float = 0.0, limits: Limits | None = None) -> None:
        self.clock = LoopClock(START)
        self.starts: list[tuple[float, str, str]] = []
        self.skips: Counter[str] = Counter()
        self.running = self.most = 0
        self.lasts_s = lasts_s
        self.limits = limits or Limits()
        self.scheduler = Scheduler(self.clock, self.run, self.limits)
        self.scheduler.skipped = lambda reason: self.skips.update([reason])
        self.began = self.clock.monotonic()

    async def run(self, probe: ProbePlan, target: str) -> None:
        self.starts.append((round(self.clock.monotonic() - self.began, 3), probe.name, target))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.lasts_s)
        finally:
            self.running -= 1

    def use(self, *plans: ProbePlan, last: dict[Any, float] | None = None) -> None:
        self.scheduler.replace(plans, self.limits, last or {})

    def times(self, name: str) -> list[float]:
        return [at for at, probe, _ in self.starts if probe == name]


def test_a_new_probe_runs_soon_and_then_in_its_own_phase() -> None:
    async def story() -> None:
        watched = Watched()
        watched.use(plan("a"))
        await asyncio.sleep(1_600)
        first, *rest = watched.times("a")
        assert first <= 1.0
        assert all(round(later - earlier, 2) == 300 for earlier, later in itertools.pairwise(rest))
        assert rest[0] - first <= 300.01

    virtual.run(story())


def test_probes_are_spread_over_their_interval_and_all_run_within_it() -> None:
    async def story() -> None:
        watched = Watched()
        watched.use(*(plan(f"p{n}", interval_s=60) for n in range(600)))
        await asyncio.sleep(180)
        second_minute = [at for at, *_ in watched.starts if 60 <= at < 120]
        assert len(second_minute) == 600
        a_second = Counter(int(at) for at in second_minute)
        assert len(a_second) == 60
        assert max(a_second.values()) < 30

    virtual.run(story())


def test_a_restart_keeps_the_phase_and_runs_what_is_overdue_at_once() -> None:
    async def story() -> None:
        wall = START.timestamp()
        watched = Watched()
        watched.use(
            plan("fresh", interval_s=3_600),
            plan("overdue", interval_s=3_600),
            last={("fresh", "host:80"): wall - 1, ("overdue", "host:80"): wall - 7_200},
        )
        await asyncio.sleep(2)
        assert watched.times("overdue")
        assert not watched.times("fresh")

    virtual.run(story())


def test_a_run_that_overruns_lets_its_next_turn_go() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=150)
        watched.use(plan("slow", interval_s=60))
        await asyncio.sleep(600)
        starts = watched.times("slow")
        assert min(later - earlier for earlier, later in itertools.pairwise(starts)) >= 150
        assert watched.skips["overrun"] >= 4
        assert watched.most == 1

    virtual.run(story())


def test_no_more_run_at_once_than_allowed_and_none_is_forgotten() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=1.0, limits=Limits(in_flight=5, per_host=100))
        watched.use(*(plan(f"p{n}", f"h{n}:80", interval_s=300) for n in range(40)))
        await asyncio.sleep(30)
        assert watched.most == 5
        assert len({name for _, name, _ in watched.starts}) == 40

    virtual.run(story())


def test_one_host_is_not_asked_by_more_than_its_share_and_does_not_hold_up_others() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=10.0, limits=Limits(in_flight=100, per_host=2))
        watched.use(
            *(plan(f"same{n}", "https://busy.example.org/x", interval_s=300) for n in range(6)),
            plan("other", "idle.example.org:22", interval_s=300),
        )
        await asyncio.sleep(5)
        assert watched.running <= 3
        assert watched.times("other")
        await asyncio.sleep(60)
        assert len({name for _, name, _ in watched.starts}) == 7

    virtual.run(story())


def test_a_reload_leaves_alone_what_did_not_change() -> None:
    async def story() -> None:
        watched = Watched()
        watched.use(plan("kept"), plan("changed"), plan("gone"))
        await asyncio.sleep(700)
        before = watched.times("kept")[-1]
        watched.use(plan("kept"), plan("changed", fingerprint="2"), plan("new"))
        await asyncio.sleep(900)
        kept = watched.times("kept")
        assert all(round(b - a, 2) == 300 for a, b in itertools.pairwise(kept))
        assert before in kept
        assert max(watched.times("gone")) <= 700
        assert any(700 <= at <= 702 for at in watched.times("new"))

    virtual.run(story())


def test_a_probe_can_be_run_now() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=1.0)
        watched.use(plan("a", "x:1", "y:1", interval_s=3_600))
        await asyncio.sleep(100)
        before = len(watched.starts)
        assert await watched.scheduler.run_now("a")
        assert len(watched.starts) == before + 2
        assert not await watched.scheduler.run_now("nobody")

    virtual.run(story())


def test_stopping_ends_what_runs() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=1_000)
        watched.use(plan("a"))
        await asyncio.sleep(5)
        assert watched.running == 1
        await watched.scheduler.stop()
        assert watched.running == 0
        await asyncio.sleep(1_000)
        assert len(watched.starts) == 1

    virtual.run(story())
