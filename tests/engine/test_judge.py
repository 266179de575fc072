"""From results to the desk: what is believed, what is said, and that it is said until it is heard."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace as changed

from sentinel.core import commands as c
from sentinel.core.matching import Matcher, Silence
from sentinel.core.model import Result
from sentinel.engine.judge import Judge, Rulebook
from sentinel.engine.live import Live
from sentinel.probes.base import Options
from sentinel.probes.plan import ProbePlan
from sentinel.rules import Match, Rule
from sentinel.store.base import ProbeEvent, StoreUnavailable, Write
from tests import virtual
from tests.engine.house import House, house

HOME = ProbePlan(
    name="home",
    type="http",
    options=Options(),
    targets=("a", "b"),
    interval_s=60,
    timeout_s=5,
    fingerprint="1",
    service="campus",
    labels={"team": "web"},
)


def of_the_web_team(court: Court) -> Silence:
    """Return a silence of five minutes from now on."""
    now = court.house.clock.now()
    matchers = (Matcher(label="team", value="web"),)
    return Silence(id="s", matchers=matchers, starts_at=now, ends_at=now + timedelta(minutes=5), by="amina", comment="")


class Court:
    """A judge before a real desk, and results for it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.live = Live()
        self.live.replace((HOME,))
        rules = (
            Rule(name="all", when_failing="all", level=3, priority="P1"),
            Rule(name="one", level=2, priority="P3"),
        )
        self.judge = Judge(house.clock, self.live, house.desk, Rulebook(rules=rules))
        self.events: list[ProbeEvent] = []
        self.suppressed: list[str] = []
        self.bugs: list[str] = []
        self.judge.changed = self.events.append
        self.judge.suppressed = self.suppressed.append
        self.judge.bug = self.bugs.append

    async def see(self, ok: bool, *, target: str = "a", suspect: bool = False, wait_s: float = 1.0) -> None:
        """Have a run end."""
        row = self.live.row("home", target)
        assert row is not None
        self.judge.take(
            row,
            Result(
                probe="home",
                target=target,
                at=self.house.clock.now(),
                duration_s=0.1,
                ok=ok,
                reason="" if ok else "status",
                detail="" if ok else "HTTP 503",
                suspect=suspect,
            ),
        )
        await asyncio.sleep(wait_s)

    @property
    def phases(self) -> list[str]:
        return [state.phase for state in self.house.desk.open()]


def court(tell: Callable[[Court], Coroutine[Any, Any, None]]) -> Callable[[Path], None]:
    """Run a test's coroutine on virtual time before a court of its own."""

    async def inside(path: Path) -> None:
        async with house(path) as built:
            one = Court(built)
            await tell(one)
            await one.judge.stop()

    @functools.wraps(tell)
    def test(tmp_path: Path) -> None:
        virtual.run(inside(tmp_path))

    del test.__wrapped__  # type: ignore[attr-defined]  # pytest must see the path, not the court
    return test


@court
async def test_a_failure_opens_an_incident_and_two_good_runs_end_it(court: Court):
    await court.see(False)
    assert court.phases == ["open"]
    await court.see(True)
    assert court.phases == ["open"]
    await court.see(True)
    assert court.phases == ["resolved"]
    assert [event.ok for event in court.events] == [False, True]


@court
async def test_a_failure_that_goes_on_is_reported_once(court: Court):
    for _ in range(5):
        await court.see(False)
    assert court.house.told().count("Opened") == 1
    assert "SignalJoined" not in court.house.told()
    assert len(court.events) == 5


@court
async def test_a_suspect_failure_is_believed_only_with_a_second_one(court: Court):
    await court.see(False, suspect=True)
    assert court.phases == []
    await court.see(True)
    await court.see(False, suspect=True)
    assert court.phases == []
    await court.see(False, suspect=True)
    assert court.phases == ["open"]


@court
async def test_a_suspect_failure_after_a_recovery_that_was_not_heard_says_nothing_of_a_recovery(court: Court):
    await court.see(False)
    row = court.live.row("home", "a")
    assert row is not None
    row.track = changed(row.track, failing=False)  # As after a crash: the desk did not hear.
    await court.see(False, suspect=True)
    assert court.phases == ["open"]
    await court.see(True)
    assert court.phases == ["resolved"]


@court
async def test_when_all_targets_fail_the_incident_is_raised(court: Court):
    await court.see(False, target="a")
    assert [state.level for state in court.house.desk.open()] == [2]
    await court.see(False, target="b")
    (state,) = court.house.desk.open()
    assert (state.level, len(state.failing())) == (3, 2)
    await court.see(True, target="a")
    await court.see(True, target="a")
    assert court.phases == ["open"]
    await court.see(True, target="b")
    await court.see(True, target="b")
    assert court.phases == ["resolved"]


@court
async def test_a_rule_that_waits_says_nothing_until_the_failure_has_lasted(court: Court):
    court.judge.rulebook = Rulebook(rules=(Rule(name="slow", match=Match(probe=("home",)), for_s=300, level=3),))
    await court.see(False, wait_s=200)
    assert court.phases == []
    await court.see(False, wait_s=200)
    assert court.phases == []
    await court.see(False)
    assert court.phases == ["open"]


@court
async def test_a_silence_keeps_a_failure_from_the_desk_until_it_ends(court: Court):
    court.judge.silences = (of_the_web_team(court),)
    await court.see(False)
    row = court.live.row("home", "a")
    assert row is not None
    assert (court.phases, row.state, court.suppressed) == ([], "muted", ["silence"])
    await asyncio.sleep(400)
    await court.see(False)
    assert court.phases == ["open"]


@court
async def test_a_silence_does_not_keep_a_recovery_from_the_desk(court: Court):
    await court.see(False)
    court.judge.silences = (of_the_web_team(court),)
    await court.see(True)
    await court.see(True)
    assert court.phases == ["resolved"]


class Deaf:
    """A store that takes nothing while ``deaf``."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.deaf = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def commit(self, write: Write) -> None:
        if self.deaf:
            raise StoreUnavailable("the disk is full")
        self._real.commit(write)


@court
async def test_a_failure_is_said_again_until_the_desk_can_write(court: Court):
    court.house.desk._store = store = Deaf(court.house.store)
    await court.see(False, wait_s=10)
    assert court.phases == []
    store.deaf = False
    await asyncio.sleep(40)
    assert court.phases == ["open"]


@court
async def test_a_failure_that_is_over_before_the_desk_can_write_is_not_said_any_more(court: Court):
    court.house.desk._store = store = Deaf(court.house.store)
    await court.see(False, wait_s=10)
    await court.see(True)
    await court.see(True)
    store.deaf = False
    await asyncio.sleep(60)
    assert court.phases == []
    assert court.house.store.incidents(limit=9) == []


@court
async def test_what_a_target_had_to_say_is_forgotten_with_the_target(court: Court):
    court.house.desk._store = store = Deaf(court.house.store)
    await court.see(False, wait_s=10)
    court.live.replace(())
    store.deaf = False
    await asyncio.sleep(60)
    assert court.phases == []
    assert court.judge._saying == {}


@court
async def test_what_a_crash_swallowed_is_said_again_by_the_next_run(court: Court):
    row = court.live.row("home", "a")
    assert row is not None
    row.track = changed(row.track, failing=True, since=court.house.clock.now())  # Restored; the desk never heard.
    await court.see(False)
    assert court.phases == ["open"]


@court
async def test_a_target_that_recovers_after_a_person_resolved_does_not_reopen_the_old_incident_the_next_day(
    court: Court,
):
    await court.see(False)
    desk = court.house.desk
    await desk.order("INC-1", c.Resolve(by="amina", text="restarted", close_by=desk.close_by(court.house.clock.now())))
    await court.see(True)
    await court.see(True)
    assert court.house.told()[-1] == "SignalCleared"
    loop = asyncio.get_running_loop()
    assert isinstance(loop, virtual.VirtualLoop)
    loop.leap(timedelta(hours=20).total_seconds())
    await court.see(False)
    assert [state.number for state in desk.open() if state.active] == ["INC-2"]


@court
async def test_a_target_that_never_stops_failing_reopens_what_a_person_resolved(court: Court):
    await court.see(False)
    desk = court.house.desk
    await desk.order("INC-1", c.Resolve(by="amina", text="restarted", close_by=desk.close_by(court.house.clock.now())))
    await court.see(False)
    assert [state.phase for state in desk.open()] == ["open"]
    assert "Reopened" in court.house.told()


@court
async def test_a_bug_at_the_desk_is_counted_and_the_next_run_says_it_again(court: Court):
    plan_for = court.house.desk.policy.plan_for

    def broken(*_: Any) -> Any:
        raise KeyError("no such service")

    court.house.desk.policy = changed(court.house.desk.policy, plan_for=broken)
    await court.see(False)
    assert (court.phases, court.bugs) == ([], ["judge"])
    court.house.desk.policy = changed(court.house.desk.policy, plan_for=plan_for)
    await court.see(False)
    assert court.phases == ["open"]


@court
async def test_it_is_known_when_a_target_last_ran(court: Court):
    assert court.live.ran_at is None
    await court.see(True)
    row = court.live.row("home", "a")
    assert row is not None
    assert row.last is not None
    assert court.live.ran_at == row.last.at
