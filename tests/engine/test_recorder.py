"""What probes saw is kept: over restarts, and while the disk takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from sentinel.core.model import Result
from sentinel.engine import recorder
from sentinel.engine.clock import LoopClock
from sentinel.engine.live import Live
from sentinel.engine.recorder import Recorder
from sentinel.rules import Track, judge
from sentinel.store.base import ProbeEvent, StoreUnavailable
from sentinel.store.opening import open_store
from tests import virtual
from tests.fakes.room import plan
from tests.new_store import new_store

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


class Sick:
    """A store of results that takes nothing while it is full."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.full = False
        self.states_written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def record(self, states: Any, events: Any, samples: Any) -> None:
        if self.full:
            raise StoreUnavailable("the disk is full")
        self.states_written += len(states)
        self._real.record(states, events, samples)


class Kept:
    """A recorder with a real store, and a live table to fill."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        self.store, real = open_store(new_store(folder))
        self.results = Sick(real)
        self.clock = LoopClock(START)
        self.live = Live()
        self.live.replace((plan("web", "http", "a", "b"),))
        self.pool = ThreadPoolExecutor(1)
        self.recorder = Recorder(self.results, self.pool, self.clock, timedelta(days=90))

    def see(self, target: str, ok: bool = True) -> None:
        row = self.live.row("web", target)
        assert row is not None
        at = self.clock.now()
        row.last = Result(probe="web", target=target, at=at, duration_s=0.1, ok=ok, reason="" if ok else "status")
        row.track = Track(failing=not ok, since=at)
        self.recorder.add(row, row.last)
        if not ok:
            self.recorder.event(
                ProbeEvent(probe="web", target=target, at=at, ok=ok, reason="status", detail="", duration_s=0.1)
            )

    def judge(self, target: str, ok: bool, value: float | None = None) -> None:
        """Take a result as the daemon does, whose failures are all alike."""
        row = self.live.row("web", target)
        assert row is not None
        at, reason = self.clock.now(), "" if ok else "status"
        # To the microsecond, as samples are kept.
        result = Result(probe="web", target=target, at=at, duration_s=0.25, ok=ok, reason=reason, value=value)
        row.track, _ = judge(row.track, ok, at, need=2 if ok else 1)
        row.last = result
        self.recorder.add(row, result)

    def samples(self, target: str) -> int:
        return len(self.results.samples("web", target, START - timedelta(days=365)))


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[Kept]:
    one = Kept(folder)
    running = asyncio.create_task(one.recorder.run())
    try:
        yield one
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        one.pool.shutdown()
        one.results.close()
        one.store.close()


def test_a_restart_finds_every_target_as_it_was(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as before:
            before.see("a")
            before.see("b", ok=False)
            await asyncio.sleep(1.5)
        async with kept(tmp_path) as after:
            after.recorder.restore(after.live, after.results.states())
            assert [(row.target, row.state, row.last) for row in after.live.rows()] == [
                (row.target, row.state, row.last) for row in before.live.rows()
            ]

    virtual.run(story())


def test_a_target_that_stays_as_it_is_is_written_once_however_often_it_runs(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as one:
            for ok in [True] * 20 + [False] * 20 + [True] * 20:
                one.judge("a", ok)
                await asyncio.sleep(60)
            # Fine, failing, recovering, fine: a recovery takes two good runs.
            assert one.results.states_written == 4
            assert one.samples("a") == 60

    virtual.run(story())


@pytest.mark.parametrize(
    "runs",
    ["+" * 30, "+" * 30 + "-", "+++---", "+++---+", "+++---+-", "+++---++", "---", "-" * 20 + "++" + "+" * 20],
)
@pytest.mark.parametrize("kept_after", [None, 0, 3], ids=["never", "first", "between"])
def test_a_start_after_a_kill_goes_on_as_if_there_had_been_none(tmp_path: Path, runs: str, kept_after: int | None):
    """The state on disk is older than the last run; what follows from the next runs must not show it."""

    async def story() -> None:
        async with kept(tmp_path) as before:
            await before.recorder.load(before.live)
            for number, run in enumerate(runs):
                before.judge("a", run == "+")
                await asyncio.sleep(2)  # Within this it is written.
                if number == kept_after:
                    await before.recorder.finish()
        async with kept(tmp_path) as after:
            await after.recorder.load(after.live)
            (old, _), (new, never) = list(before.live.rows()), list(after.live.rows())
            assert never.last is None
            assert (new.track, new.state, new.last) == (old.track, old.state, old.last)
            for ok in (True, True, False):
                at = after.clock.now()
                assert judge(old.track, ok, at, need=2 if ok else 1) == judge(new.track, ok, at, need=2 if ok else 1)

    virtual.run(story())


def test_what_a_good_run_measured_before_the_kill_is_not_said_to_be_of_now(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as before:
            before.judge("a", True, value=7.0)
            before.judge("b", True, value=7.0)
            await asyncio.sleep(60)
            before.judge("a", True, value=8.0)
            await asyncio.sleep(2)
        async with kept(tmp_path) as after:
            await after.recorder.load(after.live)
            assert [row.last and row.last.value for row in after.live.rows()] == [None, 7.0]

    virtual.run(story())


def test_after_packing_a_start_still_knows_when_each_target_was_last_seen(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as before:
            await before.recorder.load(before.live)
            before.judge("a", True)
            await asyncio.sleep(60)
            before.judge("a", True)
            seen_at = before.clock.now()
            await asyncio.sleep(3 * 3_600)
            await before.recorder.tidy(before.live)
        async with kept(tmp_path) as after:
            await after.recorder.load(after.live)
            assert after.live.last_runs() == {("web", "a"): seen_at.timestamp()}

    virtual.run(story())


def test_a_state_that_cannot_be_read_is_as_if_there_were_none(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as before:
            before.see("a")
            before.see("b")
            await asyncio.sleep(1.5)
            states = before.results.states()
            states[0] = changed(states[0], track=b'{"failing": "of another version"}')
            before.live.replace(())
            before.live.replace((plan("web", "http", "a", "b"),))
            before.recorder.restore(before.live, states)
            assert sorted(row.state for row in before.live.rows()) == ["ok", "unknown"]

    virtual.run(story())


def test_nothing_is_lost_while_the_disk_is_full_for_a_while(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as one:
            one.results.full = True
            for _ in range(120):
                one.see("a", ok=False)
                await asyncio.sleep(1)
            assert one.samples("a") == 0
            one.results.full = False
            await asyncio.sleep(2)
            assert one.samples("a") == 120
            assert len(one.results.events("web", limit=500)) == 120
            assert len(one.results.states()) == 1

    virtual.run(story())


def test_what_waits_for_a_full_disk_has_a_limit_and_the_oldest_goes_first(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr(recorder, "PENDING_MAX", 10)

    async def story() -> None:
        async with kept(tmp_path) as one:
            one.results.full = True
            for _ in range(30):
                one.see("a", ok=False)
                await asyncio.sleep(1)
            one.results.full = False
            await asyncio.sleep(2)
            assert 10 <= one.samples("a") <= 12
            assert one.results.samples("web", "a", START)[-1].at >= START + timedelta(seconds=29)

    virtual.run(story())


def test_tidying_packs_full_hours_and_forgets_who_is_configured_no_more(tmp_path: Path):
    async def story() -> None:
        async with kept(tmp_path) as one:
            for _ in range(120):
                one.see("a")
                one.see("b")
                await asyncio.sleep(60)
            one.live.replace((plan("web", "http", "a"),))
            await one.recorder.tidy(one.live)
            assert one.samples("a") == 120
            assert [state.target for state in one.results.states()] == ["a"]
            one.recorder.keep = timedelta(minutes=30)
            await one.recorder.tidy(one.live)
            assert 0 < one.samples("a") < 120

    virtual.run(story())
