"""One run of a probe: its confirmation, its limits, and where our own bugs end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel import probes
from sentinel.core.pings import NOTHING
from sentinel.engine.clock import LoopClock
from sentinel.engine.prober import Outcome, Prober, Surroundings
from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import Confirm, ProbePlan
from tests import virtual
from tests.engine.trivial import Play, TrivialOptions, ill, well
from tests.fakes.names import Names

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _trivial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.KINDS, "trivial", "tests.engine.trivial")


class Bench:
    """A prober on virtual time whose kind plays a list of attempts, the last one for ever."""

    def __init__(self, *plays: Play, confirm: Confirm | None = None, lagging: bool = False) -> None:
        self.plays = list(plays)
        self.at: list[float] = []
        self.bugs: list[str] = []
        self.clock = LoopClock(START)
        self.began = self.clock.monotonic()
        self.prober = Prober(
            Surroundings(
                clock=self.clock,
                resolver=Names({}),
                policy=TargetPolicy(),
                since=lambda _name: START,
                heard=lambda _name: NOTHING,
                lagging=lambda _over_s: lagging,
                bug=self.bugs.append,
            )
        )
        self.plan = ProbePlan(
            name="p",
            type="trivial",
            options=TrivialOptions(play=self.play),
            targets=("x",),
            interval_s=60,
            timeout_s=5,
            fingerprint="1",
            confirm=confirm or Confirm(),
        )

    async def play(self, sight: Sight) -> None:
        self.at.append(self.clock.monotonic() - self.began)
        play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
        await play(sight)

    async def run(self, **options: Any) -> Outcome:
        return await self.prober.run(self.plan, "x", **options)


def outcome(*plays: Play, confirm: Confirm | None = None, confirmed: bool = True) -> tuple[Outcome, list[float]]:
    """Run once; return what came of it, and when each attempt began."""

    async def story() -> tuple[Outcome, list[float]]:
        bench = Bench(*plays, confirm=confirm)
        return await bench.run(confirm=confirmed), [round(at, 3) for at in bench.at]

    return virtual.run(story())


async def hang(_sight: Sight) -> None:
    await asyncio.sleep(3_600)


def test_a_good_run_is_one_attempt():
    found, at = outcome(well)
    assert (found.result.ok, found.verdict, found.result.attempts, at) == (True, "success", 1, [0])


@pytest.mark.rule("SRC-1")
def test_a_failure_is_confirmed_inside_the_run():
    found, at = outcome(ill)
    assert (found.result.ok, found.result.reason, found.result.detail) == (False, "refused", "it refuses")
    assert (found.result.attempts, at, found.result.at) == (3, [0, 2, 4], START)


def test_a_failure_that_does_not_repeat_is_a_good_run():
    found, at = outcome(ill, well)
    assert (found.result.ok, found.result.attempts, at) == (True, 2, [0, 2])


@pytest.mark.parametrize(
    ("plays", "ok", "attempts"),
    [
        ((ill, ill, ill), False, 3),
        ((ill, ill, well, ill), False, 4),
        ((ill, well, ill, ill), False, 4),
        ((ill, well, well), True, 3),
        ((ill, ill, well, well), True, 4),
    ],
)
def test_a_failure_is_believed_when_so_many_of_the_further_attempts_fail(
    plays: tuple[Play, ...], ok: bool, attempts: int
):
    found, at = outcome(*plays, confirm=Confirm(attempts=3, every_s=1, need=2))
    assert (found.result.ok, len(at)) == (ok, attempts)


@pytest.mark.parametrize(("confirm", "confirmed"), [(Confirm(attempts=0), True), (Confirm(), False)])
def test_without_confirmation_the_first_attempt_decides(confirm: Confirm, confirmed: bool):
    found, at = outcome(ill, well, confirm=confirm, confirmed=confirmed)
    assert (found.result.ok, at) == (False, [0])


def test_a_target_that_hangs_ends_with_its_time_limit_and_is_a_time_out():
    found, at = outcome(hang)
    assert (found.verdict, found.result.reason, found.result.detail) == ("timeout", "timeout", "no end within 5 s")
    assert at == [0, 7, 14]


def test_a_confirmation_that_takes_too_long_ends_and_what_was_seen_stands():
    found, at = outcome(ill, hang, confirm=Confirm(attempts=5, every_s=2, need=5, within_s=10))
    assert (found.result.ok, found.result.reason, found.result.attempts) == (False, "refused", 1)
    assert at == [0, 2, 9]


def test_a_bug_of_ours_is_counted_and_is_a_suspect_error():
    async def broken(_sight: Sight) -> None:
        raise KeyError("no such field")

    async def story() -> tuple[Outcome, list[str]]:
        bench = Bench(broken, confirm=Confirm(attempts=0))
        return await bench.run(), bench.bugs

    found, bugs = virtual.run(story())
    assert (found.verdict, found.result.ok, found.result.suspect, bugs) == ("error", False, True, ["probe"])
    assert found.result.detail == "Sentinel itself failed: KeyError"


def test_what_is_seen_while_the_loop_is_late_is_suspect():
    async def story() -> Outcome:
        return await Bench(ill, confirm=Confirm(attempts=0), lagging=True).run()

    assert virtual.run(story()).result.suspect


def test_a_run_that_is_cancelled_ends_at_once_and_leaves_nothing():
    ended: list[str] = []

    async def tidy(_sight: Sight) -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            ended.append("tidied")

    async def story() -> None:
        task = asyncio.create_task(Bench(tidy).run())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual.run(story())
    assert ended == ["tidied"]


def test_what_a_target_says_can_always_be_written_down():
    async def hostile(_sight: Sight) -> None:
        raise Failed("refused", "it says \ud800")

    assert outcome(hostile)[0].result.detail == "it says ?"
