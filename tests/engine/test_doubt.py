"""What the host's own trouble may have spoilt is looked at once more, and is not believed alone."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sentinel import probes
from sentinel.core.pings import NOTHING
from sentinel.engine import doubt
from sentinel.engine.clock import LoopClock
from sentinel.engine.doubt import Host
from sentinel.engine.prober import OVERRUN_S, Outcome, Prober, Surroundings
from sentinel.probes.base import Failed, Sight
from sentinel.probes.net import TargetPolicy
from sentinel.probes.plan import Confirm, ProbePlan
from tests import virtual
from tests.engine.trivial import Play, TrivialOptions, ill, well
from tests.fakes.names import Names

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)
TIMEOUT_S = 0.05


@pytest.fixture(autouse=True)
def _trivial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.KINDS, "trivial", "tests.engine.trivial")


def raising(error: Exception) -> Play:
    """Return an attempt that this error ends."""

    async def attempt(_sight: Sight) -> None:
        raise error

    return attempt


def refused(number: int) -> Play:
    """Return an attempt that fails as a probe says it when the kernel gave it that error."""

    async def attempt(_sight: Sight) -> None:
        try:
            raise OSError(number, os.strerror(number))
        except OSError as error:
            raise Failed("connect", error.strerror) from error

    return attempt


async def lost(_sight: Sight) -> None:
    raise Failed("timeout", "no answer")


class Machine:
    """A prober on a machine whose loop is late until a moment, and that bears what tests do to it."""

    def __init__(self, *, late_until_s: float = 0.0) -> None:
        self.clock = LoopClock(START)
        self.host = Host(self.clock.monotonic)
        self.bugs: list[str] = []
        self.tries: list[float] = []
        self._began = self.clock.monotonic()
        self.prober = Prober(
            Surroundings(
                clock=self.clock,
                resolver=Names({}),
                policy=TargetPolicy(),
                since=lambda _name: START,
                heard=lambda _name: NOTHING,
                lagging=lambda _over_s: self.elapsed_s() < late_until_s,
                bug=self.bugs.append,
                host=self.host,
            )
        )

    def elapsed_s(self) -> float:
        return self.clock.monotonic() - self._began

    async def run(
        self, *plays: Play, target: str = "x", confirm: Confirm | None = None, timeout_s: float = 5
    ) -> Outcome:
        """Run once; the last play goes on for ever."""
        left = list(plays)

        async def play(sight: Sight) -> None:
            self.tries.append(self.elapsed_s())
            await (left.pop(0) if len(left) > 1 else left[0])(sight)

        plan = ProbePlan(
            name="p",
            type="trivial",
            options=TrivialOptions(play=play),
            targets=(target,),
            interval_s=60,
            timeout_s=timeout_s,
            fingerprint="1",
            confirm=confirm or Confirm(attempts=0),
        )
        return await self.prober.run(plan, target)


def on_machine(story: Callable[[Machine], object], *, late_until_s: float = 0.0) -> Outcome:
    async def told() -> Outcome:
        machine = Machine(late_until_s=late_until_s)
        try:
            return await story(machine)  # type: ignore[misc,no-any-return]
        finally:
            machine.host.means.close()

    return virtual.run(told())


@pytest.mark.fault(49)
def test_a_failure_seen_while_the_loop_was_late_is_looked_at_again_when_it_no_longer_is():
    outcome = on_machine(lambda machine: machine.run(ill, well), late_until_s=7)
    assert (outcome.result.ok, outcome.result.doubt, outcome.result.attempts) == (True, "lag", 2)


@pytest.mark.fault(9, 49)
def test_a_process_that_stood_still_until_after_the_time_limit_looks_again():
    """It is shorter than what the lag of the loop is measured by: nothing else has noticed it."""

    async def stands_still(_sight: Sight) -> None:
        await asyncio.sleep(0)
        time.sleep(TIMEOUT_S + OVERRUN_S)  # That is what it is about.
        await asyncio.sleep(TIMEOUT_S)

    async def told() -> Outcome:
        machine = Machine()
        try:
            return await machine.run(stands_still, well, timeout_s=TIMEOUT_S)
        finally:
            machine.host.means.close()

    outcome = asyncio.run(told())
    assert (outcome.result.ok, outcome.result.doubt, outcome.result.attempts) == (True, "lag", 2)


def test_what_still_fails_on_a_host_that_is_well_again_is_believed():
    outcome = on_machine(lambda machine: machine.run(ill), late_until_s=7)
    assert (outcome.result.ok, outcome.result.suspect, outcome.result.doubt) == (False, False, "lag")
    assert doubt.told(outcome.result).endswith("(seen once more, as at first: the event loop was late)")


def test_a_host_that_does_not_get_well_is_not_waited_for_without_end():
    async def story(machine: Machine) -> Outcome:
        outcome = await machine.run(ill)
        assert machine.tries == [0, doubt.PATIENCE_S]
        return outcome

    outcome = on_machine(story, late_until_s=3600)
    assert (outcome.result.ok, outcome.result.suspect) == (False, True)
    assert doubt.told(outcome.result).endswith("(doubtful: the event loop was late)")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EMFILE, "descriptors"),
        (errno.ENFILE, "descriptors"),
        (errno.ENOMEM, "memory"),
        (errno.ENOBUFS, "memory"),
        (errno.ENETUNREACH, "network"),
        (errno.ENETDOWN, "network"),
        (errno.EADDRNOTAVAIL, "network"),
    ],
)
def test_what_the_kernel_refuses_this_host_is_doubtful(number: int, why: str):
    for play in (refused(number), raising(OSError(number, "short"))):
        outcome = on_machine(lambda machine, play=play: machine.run(play))
        assert (outcome.result.ok, outcome.result.doubt, outcome.result.suspect) == (False, why, True)


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ECONNRESET, errno.ETIMEDOUT])
def test_what_another_host_answers_is_not_doubtful(number: int):
    outcome = on_machine(lambda machine: machine.run(refused(number)))
    assert (outcome.result.doubt, outcome.result.suspect, outcome.result.attempts) == ("", False, 1)


def test_a_want_of_memory_is_no_bug():
    async def story(machine: Machine) -> Outcome:
        outcome = await machine.run(raising(MemoryError()), well)
        assert machine.bugs == []
        return outcome

    assert on_machine(story).result.ok


async def waver(machine: Machine, *targets: str) -> None:
    for target in targets:
        await machine.run(lost, well, target=target, confirm=Confirm(attempts=1, every_s=1, need=1))


@pytest.mark.fault(58)
def test_packets_lost_at_several_hosts_at_once_are_our_own_and_a_failure_needs_more_tries():
    async def story(machine: Machine) -> Outcome:
        await waver(machine, "a", "b", "c")
        assert machine.host.trouble() == "loss"
        return await machine.run(lost, lost, well, confirm=Confirm(attempts=1, every_s=1, need=1))

    outcome = on_machine(story)
    assert (outcome.result.ok, outcome.result.doubt, outcome.result.attempts) == (True, "loss", 3)


def test_an_outage_is_believed_in_the_same_run_also_on_a_host_that_loses_packets():
    async def story(machine: Machine) -> Outcome:
        await waver(machine, "a", "b", "c")
        return await machine.run(lost, confirm=Confirm(attempts=1, every_s=1, need=1))

    outcome = on_machine(story)
    assert (outcome.result.ok, outcome.result.suspect, outcome.result.doubt) == (False, False, "loss")


@pytest.mark.parametrize("targets", [("a", "b"), ("a", "a", "a", "a")], ids=["two hosts", "one host"])
def test_a_target_that_loses_packets_is_its_own_affair(targets: tuple[str, ...]):
    async def story(machine: Machine) -> Outcome:
        await waver(machine, *targets)
        return await machine.run(lost)

    assert on_machine(story).result.doubt == ""


def test_a_few_lost_packets_among_many_runs_are_nothing():
    async def story(machine: Machine) -> Outcome:
        for _ in range(200):
            await machine.run(well)
        await waver(machine, "a", "b", "c")
        return await machine.run(lost)

    assert on_machine(story).result.doubt == ""


def test_loss_that_is_over_is_forgotten():
    async def story(machine: Machine) -> Outcome:
        await waver(machine, "a", "b", "c")
        await asyncio.sleep(doubt.LOSS_WINDOW_S + 1)
        return await machine.run(lost)

    assert on_machine(story).result.doubt == ""
