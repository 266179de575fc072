"""Runs on virtual time: what the short cut skips changes nothing, and a run lasts as long as a real one."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from datetime import UTC, datetime, timedelta

import pytest

from sentinel import probes
from sentinel.cli.simulate import quiet, setting_of
from sentinel.core.events import Event
from sentinel.core.pings import NOTHING
from sentinel.engine.clock import LoopClock
from sentinel.engine.live import Row
from sentinel.engine.prober import Prober, Surroundings
from sentinel.probes.base import Failed, Options, Sight
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import Confirm, ProbePlan
from sentinel.simulation.driver import World
from sentinel.simulation.watch import NEVER, Fault, Watch, Watched, confirmed
from tests import virtual
from tests.engine.trivial import TrivialOptions
from tests.fakes.names import Names
from tests.simulation.playing import campus

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE


def plan(confirm: Confirm, timeout_s: float = 10.0) -> ProbePlan:
    return ProbePlan(
        name="p",
        type="trivial",
        options=Options(),
        targets=("x",),
        interval_s=300,
        timeout_s=timeout_s,
        fingerprint="1",
        confirm=confirm,
    )


def really(confirm: Confirm, takes_s: float, ends_s: float, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, float]:
    """Run the real prober on virtual time against a target that fails until a moment; return what it says and when."""
    monkeypatch.setitem(probes.KINDS, "trivial", "tests.engine.trivial")

    async def story() -> tuple[bool, float]:
        clock = LoopClock(START)
        began = clock.monotonic()

        async def play(_sight: Sight) -> None:
            if clock.monotonic() - began < ends_s:
                await asyncio.sleep(takes_s)
                raise Failed("refused", "it refuses")

        prober = Prober(
            Surroundings(
                clock=clock,
                resolver=Names({}),
                policy=TargetPolicy(),
                since=lambda _: START,
                heard=lambda _: NOTHING,
                lagging=lambda _: False,
                bug=lambda _: None,
            )
        )
        real = plan(confirm)
        real = ProbePlan(
            **{name: getattr(real, name) for name in real.__slots__} | {"options": TrivialOptions(play=play)}
        )
        outcome = await prober.run(real, "x")
        return outcome.result.ok, round(clock.monotonic() - began, 6)

    return virtual.run(story())


@pytest.mark.rule("SRC-1")
@pytest.mark.parametrize(
    ("confirm", "takes_s", "ends_s"),
    [
        (Confirm(), 8.0, 1e9),
        (Confirm(), 0.0, 1e9),
        (Confirm(), 3.0, 9.5),  # Over before the last attempt begins.
        (Confirm(), 3.0, 4.0),  # Over before the second one.
        (Confirm(), 9.0, 1e9),  # What it takes together is less than it may.
        (Confirm(attempts=3, every_s=2.0, need=3, within_s=20.0), 8.0, 1e9),  # It is cut off, and the failure stands.
        (Confirm(attempts=3, every_s=2.0, need=3, within_s=21.0), 8.0, 12.0),
        (Confirm(attempts=3, every_s=12.0, need=3, within_s=10.0), 1.0, 1e9),
        (Confirm(attempts=4, every_s=1.0, need=2, within_s=30.0), 2.0, 1e9),  # Two of four are enough.
        (Confirm(attempts=4, every_s=1.0, need=2, within_s=30.0), 2.0, 4.0),
        (Confirm(attempts=0, need=0), 2.0, 1e9),
    ],
)
def test_a_failing_run_takes_as_long_and_says_the_same_as_the_real_prober(confirm, takes_s, ends_s, monkeypatch):
    fault = Fault(-1, round(min(ends_s * SECOND, NEVER)), round(takes_s * SECOND))
    seen = confirmed(plan(confirm), fault, 0)
    assert (seen.fault is None, seen.took_us / SECOND) == really(confirm, takes_s, ends_s, monkeypatch)


def lived(*, judged: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Event], int]:
    """Live through two days of random faults; with ``judged`` every good run is judged too."""
    chance = random.Random(7)
    setting = setting_of(campus())
    world = World(setting.policy, setting.rulebook, setting.plans.values(), START)
    events: list[Event] = []
    world.desk.written = lambda happened, _: events.extend(event for _, event in happened)
    if judged:
        monkeypatch.setattr(Watched, "heed", lambda *_, **__: None)
    watched = []
    for row in world.live.rows():
        begins = sorted(chance.sample(range(48), 4))
        faults = deque(Fault(hour * HOUR, hour * HOUR + chance.randrange(50 * MINUTE), 3 * SECOND) for hour in begins)
        watched.append(Watched(row, chance.randrange(300 * SECOND), faults))
    with quiet():
        world.observe(watched)
        world.run(48 * HOUR)
    return events, world.watch.runs


def test_runs_that_are_only_noted_change_nothing(monkeypatch):
    quick, runs = lived(judged=False, monkeypatch=monkeypatch)
    slow, all_runs = lived(judged=True, monkeypatch=monkeypatch)
    assert quick == slow
    assert len(quick) > 100
    assert runs == all_runs > 4 * 48 * 12  # Four targets every five minutes, and one that looks every 30 s.


def test_targets_of_different_intervals_take_their_turns_in_the_order_of_time():
    def one(interval_s: float, first_us: int) -> Watched:
        made = plan(Confirm())
        fields = {name: getattr(made, name) for name in made.__slots__}
        return Watched(Row(plan=ProbePlan(**fields | {"interval_s": interval_s}), target="x"), first_us, deque())

    targets = [one(60, 5 * SECOND), one(45, 0), one(60, 30 * SECOND), one(7, 3)]
    watch = Watch(targets)
    for target in targets:
        target.heed_us = 0
    turns = []
    while found := watch.next(10 * MINUTE):
        turns.append(found.began_us)
    assert turns == sorted(turns)
    assert len(turns) == watch.runs == 10 + 14 + 10 + 86


def test_a_fault_begins_just_after_the_run_at_its_beginning_and_is_over_at_its_end():
    target = Watched(Row(plan=plan(Confirm(attempts=0)), target="x"), 0, deque([Fault(10, 20), Fault(30, 40)]))
    assert [target.run(at).fault is not None for at in (10, 11, 19, 20, 30, 31, 39, 40, 50)] == [
        False, True, True, False, False, True, True, False, False,
    ]  # fmt: skip


def test_nothing_waits_in_a_simulation():
    from sentinel.simulation.virtual import finish

    async def waiting() -> None:
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="nothing waits"):
        finish(waiting())


def test_time_goes_on_to_the_end_even_when_nothing_happens():
    setting = setting_of(campus())
    world = World(setting.policy, setting.rulebook, setting.plans.values(), START)
    world.run(3 * HOUR)
    assert world.clock.now() == START + timedelta(hours=3)
    assert world.clock.monotonic() == 3 * 3600
