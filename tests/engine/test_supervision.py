"""Loops that go on, and a service manager that is told the truth."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel.engine.clock import LoopClock
from sentinel.engine.supervision import STUCK_AFTER_S, Lag, Systemd, keep, watch_tasks
from tests import virtual
from tests.engine.whole import HEARTBEAT, PEOPLE, whole

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


class Manager:
    """A service manager that listens on a socket of its own."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(address.replace("@", "\0", 1))
        self.environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}

    def told(self) -> list[str]:
        """Return what it was told since it was last asked."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@sentinel-test-{os.getpid()}")
    yield made
    made.socket.close()


def test_the_manager_is_told_that_the_daemon_is_ready_reloads_and_stops(manager: Manager):
    async def story() -> None:
        clock = LoopClock(START)
        systemd = Systemd(clock, manager.environ)
        systemd.tell("READY=1\nSTATUS=Watching 3 probes")
        systemd.reloading()
        systemd.tell("STOPPING=1")
        assert manager.told() == [
            "READY=1\nSTATUS=Watching 3 probes",
            f"RELOADING=1\nMONOTONIC_USEC={int(clock.monotonic() * 1_000_000)}",
            "STOPPING=1",
        ]

    virtual.run(story())


def test_a_loop_that_is_cut_off_by_what_it_waited_for_begins_again_and_one_that_is_told_to_end_ends():
    async def story() -> None:
        begun, bugs = [], []

        async def run() -> None:
            begun.append(1)
            waited_for = asyncio.get_running_loop().create_future()
            if len(begun) == 1:
                waited_for.cancel()
            await waited_for

        loop = asyncio.create_task(keep("tickets", run, bugs.append))
        await asyncio.sleep(10)
        assert (len(begun), bugs, loop.done()) == (2, ["tickets"], False)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert loop.cancelled()

    virtual.run(story())


@pytest.mark.fault(46)
def test_the_watchdog_is_fed_three_times_in_its_period_and_only_while_nothing_stands_still(manager: Manager):
    async def story() -> None:
        stuck: list[str] = []
        watching = asyncio.create_task(Systemd(LoopClock(START), manager.environ).watch(lambda: stuck))
        await asyncio.sleep(59)
        assert manager.told() == ["WATCHDOG=1"] * 6
        stuck.append("dispatch")
        await asyncio.sleep(60)
        assert manager.told() == []
        stuck.clear()
        await asyncio.sleep(10)
        assert manager.told() == ["WATCHDOG=1"]
        watching.cancel()

    virtual.run(story())


@pytest.mark.parametrize("change", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": ""}])
def test_a_watchdog_that_is_not_for_this_process_is_left_alone(manager: Manager, change: dict[str, str]):
    async def story() -> None:
        watching = asyncio.create_task(Systemd(LoopClock(START), {**manager.environ, **change}).watch(list))
        await asyncio.sleep(60)
        assert manager.told() == []
        watching.cancel()

    virtual.run(story())


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_without_a_manager_that_listens_everything_goes_on(address: str):
    async def story() -> None:
        Systemd(LoopClock(START), {"NOTIFY_SOCKET": address}).tell("READY=1")

    virtual.run(story())


async def test_a_manager_that_does_not_read_does_not_hold_the_loop(tmp_path: Path):
    manager = Manager(str(tmp_path / "notify"))
    systemd = Systemd(LoopClock(START), manager.environ)
    for _ in range(2_000):  # More than its queue holds.
        systemd.tell("WATCHDOG=1")
    assert manager.told()
    manager.socket.close()


def test_a_loop_with_a_bug_is_counted_and_started_again():
    async def story() -> tuple[int, list[str]]:
        started, bugs = 0, []

        async def run() -> None:
            nonlocal started
            started += 1
            if started < 4:
                raise KeyError("bug")
            await asyncio.sleep(3_600)

        kept = asyncio.create_task(keep("desk", run, bugs.append))
        await asyncio.sleep(60)
        kept.cancel()
        return started, bugs

    assert virtual.run(story()) == (4, ["desk"] * 3)


def test_an_error_that_nobody_waits_for_is_counted():
    async def story() -> list[str]:
        bugs: list[str] = []
        watch_tasks(asyncio.get_running_loop(), bugs.append)

        async def broken() -> None:
            raise KeyError("bug")

        task = asyncio.create_task(broken())
        await asyncio.sleep(1)
        del task
        gc.collect()
        await asyncio.sleep(1)
        return bugs

    assert virtual.run(story()) == ["loop"]


class Jumping:
    """A clock that a test moves on by itself, as a loop that is held up does."""

    def __init__(self) -> None:
        self._real = LoopClock(START)
        self.held_s = 0.0

    def now(self) -> datetime:
        return self._real.now()

    def monotonic(self) -> float:
        return self._real.monotonic() + self.held_s


def test_what_was_measured_while_the_loop_was_late_is_suspect_and_only_that():
    async def story() -> None:
        clock, seen = Jumping(), []
        lag = Lag(clock, 0.25, seen.append)
        measuring = asyncio.create_task(lag.run())
        await asyncio.sleep(5.5)
        assert not lag.lagging(5.0)
        clock.held_s = 3.0
        assert lag.lagging(0.1)  # Before the measurement itself has had its turn.
        await asyncio.sleep(1)
        assert max(seen) == pytest.approx(3.0)
        assert lag.lagging(0.1)
        await asyncio.sleep(5)
        assert lag.lagging(8.0)
        assert not lag.lagging(1.0)
        await asyncio.sleep(10)
        assert not lag.lagging(60.0)
        measuring.cancel()

    virtual.run(story())


def test_a_daemon_at_rest_is_not_stuck_and_one_whose_loop_stands_still_says_which(tmp_path: Path):
    async def story() -> None:
        async with whole(tmp_path, PEOPLE + HEARTBEAT) as one:
            daemon = one.daemon
            for _ in range(10):
                await asyncio.sleep(10)
                assert daemon.stuck() == []
            hang = asyncio.Event()

            async def stands_still(*_: object) -> None:
                await hang.wait()

            daemon.recorder.flush, flush = stands_still, daemon.recorder.flush
            daemon.timers._wait_s, wait_s = lambda: 3_600.0, daemon.timers._wait_s
            await asyncio.sleep(STUCK_AFTER_S + 2)
            assert daemon.stuck() == ["timers", "recorder"]
            assert [problem.split()[0] for problem in one.doors.health().problems] == ["timers", "recorder"]
            daemon.recorder.flush, daemon.timers._wait_s = flush, wait_s
            hang.set()

    virtual.run(story())
