"""When each target of each probe runs: one heap, one timer.

Runs are spread over their interval by a hash of the name, and keep that phase over restarts; while the process lives
it is kept on the clock that never jumps, so that setting the time neither stalls nor bunches them. A run that is still
under way when its next is due lets that one go (no pile-up). How many run at once is limited, overall and for each
host; who has to wait starts in the order of coming due.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import zlib
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sentinel.engine.clock import Clock
from sentinel.probes.plan import ProbePlan

Key = tuple[str, str]
BATCH_MAX = 200  # Starts in one turn of the loop; the rest follow in the next, so that nothing else waits long.
# Three times the pace of ten thousand targets each minute: more would pile up where a run takes a millisecond, and what
# is under way at once is memory that is never given back.
FIRST_RUNS_PER_S = 500
# Runs begin at multiples of this: a few together cost half of what they cost one by one, as each waking of an idle
# process begins with cold caches. More than a few at once would delay each other.
GRID_S = 0.05
EARLY_S = 0.001  # A loop's clock counts milliseconds.
STOP_WITHIN_S = 3.0  # For runs to clean up after themselves.


@dataclass(frozen=True, slots=True)
class Limits:
    """How much probing may be under way at once."""

    in_flight: int = 1_000
    per_host: int = 20


@dataclass(slots=True, eq=False)
class Entry:
    """One target of one probe. ``phase`` is a moment of its rhythm, ``due`` the next run, both on the loop's clock.

    ``waits_since`` is when the run that waits for its start was due; nothing when somebody asked for it.
    """

    plan: ProbePlan
    target: str
    host: str
    phase: float
    due: float
    waits_since: float | None = None
    running: bool = False
    retired: bool = False
    asked: list[asyncio.Future[None]] = field(default_factory=list)


Run = Callable[[ProbePlan, str], Coroutine[Any, Any, None]]


class Scheduler:
    """Starts runs when they are due. ``run`` never raises; ``skipped`` and ``lagged`` are told for the metrics.

    ``short`` says what the host has too little of to run a probe, which then waits for its next turn.
    """

    def __init__(self, clock: Clock, run: Run, limits: Limits) -> None:
        self._clock = clock
        self._run = run
        self._limits = limits
        self.skipped: Callable[[str], None] = lambda _reason: None
        self.lagged: Callable[[float], None] = lambda _seconds: None
        self.short: Callable[[ProbePlan], str] = lambda _plan: ""
        self.progressed_at = clock.monotonic()
        self._entries: dict[Key, Entry] = {}
        self._heap: list[tuple[float, int, Entry]] = []
        self._sequence = 0
        self._moment = (0.0, 0.0)
        self._ready: deque[Entry] = deque()
        self._hosts: Counter[str] = Counter()
        self._waiting: dict[str, deque[Entry]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    def replace(self, plans: Iterable[ProbePlan], limits: Limits, last_run_at: Mapping[Key, float]) -> None:
        """Take a new set of probes; those that did not change keep their times.

        ``last_run_at`` maps a target to the unix time of its last run: who is overdue, new or changed runs soon, the
        others in their turn.
        """
        self._limits = limits
        wanted = {(plan.name, target): plan for plan in plans if not plan.paused for target in plan.targets}
        changed = set()
        for key, entry in list(self._entries.items()):
            plan = wanted.get(key)
            if plan is None or plan.fingerprint != entry.plan.fingerprint:
                entry.retired = True
                changed.add(key)
                del self._entries[key]
        fresh = [key for key in wanted if key not in self._entries]
        self._moment = self._clock.monotonic(), self._clock.now().timestamp()  # One for all, so that the grid is one.
        for key in fresh:
            self._add(wanted[key], key[1], len(fresh), None if key in changed else last_run_at.get(key))
        for host in list(self._waiting):  # There may be more room now, and who was retired wants none.
            self._admit(host)
        self._start_ready()
        self._arm()

    def _add(self, plan: ProbePlan, target: str, fresh: int, last_run_at: float | None) -> None:
        now, wall = self._moment
        share = _share(plan.name, target)
        due = phase = now + (_on_grid(share * plan.interval_s) - wall) % plan.interval_s
        if last_run_at is None or wall + (due - now) - last_run_at > plan.interval_s:
            due = min(due, now + _on_grid(share * min(plan.interval_s, max(1.0, fresh / FIRST_RUNS_PER_S))))
        entry = Entry(plan, target, host_of(target), phase, due)
        self._entries[(plan.name, target)] = entry
        self._push(entry)

    def _push(self, entry: Entry) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (entry.due, self._sequence, entry))

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap and not self._stopping:
            delay = max(0.0, self._heap[0][0] - self._clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self.progressed_at = self._clock.monotonic()
        for _ in range(BATCH_MAX):
            if not self._heap or self._heap[0][0] > now + EARLY_S:
                break
            _, _, entry = heapq.heappop(self._heap)
            if entry.retired:
                continue
            due = entry.due
            entry.due = _following(entry, max(now, due))
            self._push(entry)
            if entry.running:
                self.skipped("overrun")
                continue
            entry.running = True
            entry.waits_since = due
            self._ready.append(entry)
        self._start_ready()
        self._arm()

    def _start_ready(self) -> None:
        while self._ready and len(self._tasks) < self._limits.in_flight:
            entry = self._ready.popleft()
            if entry.retired:
                _rest(entry)
            elif entry.host and self._hosts[entry.host] >= self._limits.per_host:
                self._waiting.setdefault(entry.host, deque()).append(entry)
            elif self.short(entry.plan):
                entry.waits_since = None
                self.skipped("budget")
                _rest(entry)
            else:
                self._start(entry)

    def _start(self, entry: Entry) -> None:
        if entry.waits_since is not None:
            self.lagged(max(0.0, self._clock.monotonic() - entry.waits_since))
            entry.waits_since = None
        self._hosts[entry.host] += 1
        task = asyncio.get_running_loop().create_task(self._run(entry.plan, entry.target))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(entry, done))

    def _ended(self, entry: Entry, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._hosts[entry.host] -= 1
        if not self._hosts[entry.host]:
            del self._hosts[entry.host]
        _rest(entry)
        if not self._stopping:
            self._admit(entry.host)
            self._start_ready()

    def _admit(self, host: str) -> None:
        """Make as many ready of those that wait for a host as it has room for now."""
        waiting = self._waiting.get(host)
        if waiting is None:
            return
        admitted: list[Entry] = []
        while waiting and self._hosts[host] + len(admitted) < self._limits.per_host:
            entry = waiting.popleft()
            if entry.retired:
                _rest(entry)
            else:
                admitted.append(entry)
        self._ready.extendleft(reversed(admitted))
        if not waiting:
            del self._waiting[host]

    async def run_now(self, name: str) -> bool:
        """Run all targets of a probe once, now, and wait for them; tell whether there is such a probe."""
        waits = self.hurry(name)
        await asyncio.gather(*waits)
        return bool(waits)

    def hurry(self, name: str) -> list[asyncio.Future[None]]:
        """Have all targets of a probe run as soon as the limits allow; return what is done when they have."""
        waits = []
        for (probe, _), entry in self._entries.items():
            if probe == name:
                waits.append(asyncio.get_running_loop().create_future())
                entry.asked.append(waits[-1])
                if not entry.running:
                    entry.running = True
                    self._ready.append(entry)
        self._start_ready()
        return waits

    def overdue_s(self) -> float:
        """Return by how much the next run is late; more than a moment means that nothing starts any more."""
        return max(0.0, self._clock.monotonic() - self._heap[0][0]) if self._heap else 0.0

    def in_flight(self) -> int:
        """Return how many runs are under way."""
        return len(self._tasks)

    async def under_way(self) -> None:
        """Wait for the runs that are under way now."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def stop(self) -> None:
        """Start nothing more and end what is under way."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=STOP_WITHIN_S)


def _following(entry: Entry, now: float) -> float:
    """Return the next time in the entry's own phase; times that were missed are missed once, not made up for."""
    interval = entry.plan.interval_s
    following = entry.phase + (math.floor((now - entry.phase) / interval) + 1) * interval
    # Rounding may bring the very moment that has just come round again.
    return following if following - now > min(0.05, interval / 10) else following + interval


def _rest(entry: Entry) -> None:
    """Let an entry wait for its next turn, and tell those who asked for this one."""
    entry.running = False
    for asked in entry.asked:
        if not asked.done():
            asked.set_result(None)
    entry.asked.clear()


def _on_grid(seconds: float) -> float:
    return math.floor(seconds / GRID_S) * GRID_S


def _share(name: str, target: str) -> float:
    """Return where in its interval a target runs, from 0 to 1: the same at every start, on every machine."""
    return zlib.crc32(f"{name}\0{target}".encode()) / 2**32


def host_of(target: str) -> str:
    """Return the host a target stands on, for the limit on each; empty when it names none."""
    rest = target.partition("://")[2] or target
    rest = rest.partition("/")[0].rpartition("@")[2]
    if rest.startswith("["):
        return rest.partition("]")[0][1:]
    return rest if rest.count(":") > 1 else rest.partition(":")[0]
