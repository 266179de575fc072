"""The simulated world: one seed, one agenda, one clock; a daemon that lives and dies, and all it has to do with."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from sentinel.engine.desk import Desk
from sentinel.store.base import Write
from tests.simulator.carriers import Gateway, Tickets
from tests.simulator.clock import WorldClock, utc
from tests.simulator.faults import Faults
from tests.simulator.life import Life, tracking_tasks
from tests.simulator.loop import RESOLUTION_S, SimulatedLoop, Spinning
from tests.simulator.memory import MemoryStore
from tests.simulator.oracle import Oracle
from tests.simulator.people import People
from tests.simulator.setting import CHANNELS, SETTINGS, Setting
from tests.simulator.trace import Trace
from tests.simulator.trouble import Trouble

DAY_S = 86_400.0
SWEEP_EVERY_S = 6 * 3_600.0
KEPT_FOR = timedelta(days=2)
HOUSEKEEPING_EVERY_S = 5 * DAY_S
HEALING_S = 9 * 3_600.0  # longer than any message may wait
LATELY_S = 5.0  # What was decided just before a reload was decided by the configuration before.
RESTART_S = 3.0
FIRST_MOMENT = utc(2026, 1, 5)


@dataclass(frozen=True)
class Fault:
    """Something that must not be: which invariant, and what was seen."""

    invariant: str
    what: str


@dataclass(frozen=True)
class Outcome:
    """What a run of one seed ended with."""

    seed: int
    hash: str
    faults: tuple[Fault, ...]
    tail: tuple[str, ...]
    counts: dict[str, int]


class World:
    """Everything around the code under test."""

    def __init__(self, seed: int, days: float, rough: float, loop: SimulatedLoop) -> None:
        self.seed, self.days, self.rough = seed, days, rough
        self._loop = loop
        self.began_s = loop.time()
        chance = random.Random(f"{seed}/world")
        self.clock = WorldClock(FIRST_MOMENT + timedelta(minutes=chance.randrange(525_600)), loop)
        self.trace = Trace()
        self.found: list[Fault] = []
        self.store = MemoryStore()
        self.setting: Setting = SETTINGS[0]
        self._settings: list[tuple[float, Setting]] = [(self.now_s, self.setting)]
        self.gateways = {name: Gateway(self, name, well_since_s=self.now_s) for name in CHANNELS}
        self.tickets = Tickets(self)
        self.oracle = Oracle(self, self.fault)
        self.faults = Faults(self, seed)
        self.people = People(self, seed)
        self.trouble = Trouble(self, seed)
        self.life: Life | None = None
        self.lives = 0
        self.healing = False
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._context = contextvars.Context()
        self._stop = asyncio.Event()
        loop.when_quiet(self._quiet_until)

    @property
    def now_s(self) -> float:
        return self._loop.time()

    # What the others say and ask --------------------------------------------------------------------------------

    def say(self, what: str) -> None:
        """Write a line into the trace."""
        self.trace.add(f"{self.now_s - self.began_s:.6f}", what)

    def fault(self, invariant: str, what: str) -> None:
        """Write down that something is as it must not be; the run ends soon after."""
        self.say(f"FAULT {invariant}: {what}")
        self.found.append(Fault(invariant, what))
        self._stop.set()

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        """Let something happen after a while."""
        self._entries += 1
        heapq.heappush(self._agenda, (self.now_s + after_s, self._entries, what))
        if self._agenda[0][1] == self._entries:
            self._arrange()

    def settings_lately(self) -> list[Setting]:
        """Return the configuration of now, and one that was in use a moment ago."""
        return [setting for until_s, setting in self._settings if self.now_s - until_s <= LATELY_S] or [self.setting]

    def configured_lately(self, channel: str) -> bool:
        """Tell whether a channel is, and was a moment ago, configured."""
        return all(channel in setting.channels for setting in self.settings_lately())

    def ask(self, work: Callable[[Desk], Any], then: Callable[[str, Any], None]) -> None:
        """Ask something of the daemon, if it is there."""
        if self.life is None or not self.life.up:
            then("gone", None)
        else:
            self.life.ask(work(self.life.desk), then)

    # Its daemon -------------------------------------------------------------------------------------------------

    def take(self, write: Write, life: Life | None) -> None:
        """Commit, and let everybody look at what is on disk now.

        Raises:
            Conflict: as the store says.
        """
        self.store.commit(write)
        kinds = " ".join(f"{r.number}#{r.sequence}:{type(r.event).__name__}" for r in write.events)
        settled = " ".join(f"{s.id}={s.state}" for s in write.settlements)
        self.say(f"commit life={life.number if life else '-'} {kinds} {settled}")
        self.oracle.taken(write, life)
        for recorded in write.events:
            self.people.noticed(recorded.number, recorded.event)
            case = self.oracle.cases.get(recorded.number)
            self.trouble.moved(recorded.event, tuple(sorted(case.signals)) if case else ())

    def boot(self) -> None:
        """Start the daemon; one that cannot start is started again."""
        self.lives += 1
        life = self.life = Life(self, self.lives)

        def heard(answer: str, why: Any) -> None:
            if answer == "ok":
                self.oracle.excuses.end("down")
                self.say(f"life {life.number} is up")
                self.trouble.woken()
            elif answer == "bug":
                self.fault("bug", f"the start ended by {why!r}")
            elif answer == "unavailable":
                life.die()
                self.later(RESTART_S, self.boot)

        life.ask(life.start(), heard)

    def died(self, down_s: float) -> None:
        """Let the daemon be away for a while."""
        self.say(f"life {self.lives} is dead; the next one begins in {down_s} s")
        self.oracle.excuses.begin("down")
        self.later(down_s, self.boot)

    def reload(self, setting: Setting) -> None:
        """Take another configuration into use; a daemon that is down will start with it."""
        self.say(f"configured: {setting.name}")
        before = [] if self.life is None or not self.life.up else [state.number for state in self.life.desk.open()]
        self._settings = [(s, one) for s, one in self._settings[:-1] if self.now_s - s <= LATELY_S]
        self._settings += [(self.now_s, self.setting), (float("inf"), setting)]
        self.setting = setting
        if self.life is not None and self.life.alive:
            self.life.take(setting)
            if self.life.up and [state.number for state in self.life.desk.open()] != before:
                self.fault("I14", "a reload changed which incidents are open")

    def set_clock(self, by: timedelta) -> None:
        """Step the wall clock."""
        self.say(f"the clock is set by {by}")
        if by < timedelta(0):
            self.oracle.excuses.add(-by.total_seconds())
        self.clock.step(by)

    # Its time ---------------------------------------------------------------------------------------------------

    def _quiet_until(self) -> float:
        """Return up to when nothing can happen: what the daemon itself would do meanwhile is look at its clock."""
        life = self.life
        if not self._agenda or (life is not None and life.alive and not (life.up and life.idle())):
            return 0.0
        until_s = self._agenda[0][0]
        if life is None or not life.up:
            return until_s
        waking, owed = life.desk.waking(), self.store.next_due()
        for moment in (waking[0] if waking else None, owed):
            if moment is not None:
                until_s = min(until_s, self.clock.loop_at(moment))
        return until_s

    async def run(self) -> Outcome:
        """Live for so many days, then let all be well, and see that nothing is left to do."""
        self.oracle.excuses.begin("down")
        self.boot()
        for begin in (self.trouble.begin, self.faults.begin, self._sweep, self._housekeeping):
            begin()
        await self._until(self.began_s + self.days * DAY_S)
        if not self.found:
            self.say("all is well from now on")
            self.healing = True
            self.faults.heal()
            self.trouble.end()
            self.later(1.0, self.trouble.end)
            await self._until(self.now_s + HEALING_S)
            if not self.found:
                self.trouble.end()
                self.oracle.close()
                for fault in self.store.verify():
                    self.fault("I8", f"{fault.where}: {fault.what}")
        if self.life is not None:
            self.life.die()
        counts = {
            "incidents": self.store.last_number(), "events": self.oracle.events, "commits": self.faults.commits,
            "crashes": self.faults.crashes, "messages": sum(one.taken for one in self.gateways.values()),
            "copies": self.oracle.letters.copies, "unrecorded": self.oracle.letters.unrecorded,
            **self.people.answers,
        }  # fmt: skip
        return Outcome(self.seed, self.trace.hash, tuple(self.found), tuple(self.trace.tail), counts)

    async def _until(self, end_s: float) -> None:
        """Wait for a moment, or for the first fault."""
        self.later(end_s - self.now_s, self._stop.set)
        self._stop.clear()
        await self._stop.wait()

    def _happen(self) -> None:
        """Let happen what is due on the agenda."""
        while self._agenda and self._agenda[0][0] <= self.now_s + RESOLUTION_S and not self.found:
            heapq.heappop(self._agenda)[2]()
        self._arrange()

    def _arrange(self) -> None:
        """Be woken for what comes next, outside of any life."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._agenda:
            self._alarm = self._loop.call_at(self._agenda[0][0], self._happen, context=self._context)

    def _sweep(self) -> None:
        self.oracle.sweep()
        self.later(SWEEP_EVERY_S / self.rough, self._sweep)

    def _housekeeping(self) -> None:
        """Prove the logs (invariants I8, I16), and forget what is long over, as the daemon does."""
        for fault in self.store.verify():
            self.fault("I8", f"{fault.where}: {fault.what}")
        kept = set(self.store.incidents_kept)
        self.store.prune(self.clock.now() - KEPT_FOR)
        self.oracle.prune(kept - set(self.store.incidents_kept))
        self.later(HOUSEKEEPING_EVERY_S, self._housekeeping)


@contextmanager
def listening(world_of: list[World]) -> Iterator[None]:
    """Hear what the code under test logs as a bug of its own; anything less is its business."""

    def hear(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if world_of and line.get("exc_info"):
            world_of[0].fault("bug", f"logged: {line}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[hear], wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.configure(**before)


def simulate(seed: int, days: float, rough: float = 1.0) -> Outcome:
    """Run one seed for so many days, and say what it ended with; in a rough world all goes wrong more often."""
    random.seed(seed)  # Patience is drawn by chance, too.
    worlds: list[World] = []
    loop = SimulatedLoop(seed)
    loop.set_task_factory(tracking_tasks)
    loop.set_exception_handler(lambda _loop, _context: None)  # What ends a task is looked at where it ends.
    try:
        with listening(worlds):
            worlds.append(World(seed, days, rough, loop))
            return loop.run_until_complete(worlds[0].run())
    except Spinning as spinning:
        worlds[0].fault("I15", str(spinning))
        return Outcome(seed, worlds[0].trace.hash, tuple(worlds[0].found), tuple(worlds[0].trace.tail), {})
    finally:
        loop.end()
