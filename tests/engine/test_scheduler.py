"""The scheduler on virtual time: spread, phase, overruns, limits, reload."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

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
        assert all(round(b - a, 2) == 300 for a, b in itertools.pairwise(kept[1:]))
        assert before in kept
        assert max(watched.times("gone")) <= 700
        for name in ("new", "changed"):
            assert any(700 <= at <= 702 for at in watched.times(name))

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


class Wall:
    """A clock of which somebody sets the time of day; the one that never jumps goes on."""

    def __init__(self) -> None:
        self._real = LoopClock(START)
        self.step_s = 0.0

    def now(self) -> datetime:
        return self._real.now() + timedelta(seconds=self.step_s)

    def monotonic(self) -> float:
        return self._real.monotonic()


@pytest.mark.parametrize("step_s", [3_600.0, -3_600.0, 1_234.5, -0.2, -299.9, 86_400 * 365])
def test_setting_the_time_neither_stalls_nor_bunches_the_runs(step_s: float) -> None:
    async def story() -> None:
        watched = Watched()
        watched.scheduler._clock = wall = Wall()
        watched.use(*(plan(f"p{n}", interval_s=300) for n in range(20)))
        await asyncio.sleep(1_000)
        wall.step_s = step_s
        await asyncio.sleep(1_000)
        for n in range(20):
            runs = watched.times(f"p{n}")[1:]
            assert {round(b - a, 2) for a, b in itertools.pairwise(runs)} == {300}

    virtual.run(story())


def test_what_a_reload_retired_while_it_waited_never_starts_and_holds_up_nobody() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=100.0, limits=Limits(in_flight=100, per_host=1))
        plans = [plan(name, "one.example.org:80", interval_s=3_600) for name in ("a", "b", "c", "d")]
        watched.use(*plans)
        await asyncio.sleep(5)
        (running,) = {name for _, name, _ in watched.starts}
        waits = [watched.scheduler.hurry(one.name)[0] for one in plans if one.name != running]
        kept = [one for one in plans if one.name in {running, "d" if running != "d" else "c"}]
        watched.use(*kept)
        await asyncio.sleep(250)
        assert {name for _, name, _ in watched.starts} == {one.name for one in kept}
        assert all(wait.done() for wait in waits)

    virtual.run(story())


def test_more_room_for_a_host_is_used_at_once() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=1_000.0, limits=Limits(in_flight=100, per_host=1))
        plans = [plan(f"p{n}", "one.example.org:80", interval_s=3_600) for n in range(8)]
        watched.use(*plans)
        await asyncio.sleep(5)
        assert watched.running == 1
        watched.limits = Limits(in_flight=100, per_host=5)
        watched.use(*plans)
        await asyncio.sleep(1)
        assert watched.running == 5

    virtual.run(story())


def test_the_delay_that_is_told_counts_the_wait_for_a_free_place() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=30.0, limits=Limits(in_flight=1, per_host=10))
        lags: list[float] = []
        watched.scheduler.lagged = lags.append
        watched.use(plan("a", "one:1", interval_s=3_600), plan("b", "two:1", interval_s=3_600))
        await asyncio.sleep(100)
        assert lags == [pytest.approx(0, abs=1), pytest.approx(30, abs=2)]
        await watched.scheduler.run_now("a")
        assert len(lags) == 2

    virtual.run(story())


def test_who_asks_for_a_probe_that_runs_hears_of_that_run() -> None:
    async def story() -> None:
        watched = Watched(lasts_s=10.0)
        watched.use(plan("a", interval_s=3_600))
        await asyncio.sleep(3)
        assert watched.running == 1
        assert await watched.scheduler.run_now("a")
        assert len(watched.starts) == 1

    virtual.run(story())
