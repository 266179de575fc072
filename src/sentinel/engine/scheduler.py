"""When each target of each probe runs: one heap, one timer.

Runs are spread over their interval by a hash of the name and keep that phase over restarts. A run that is still under
way when its next is due lets that one go (no pile-up). How many run at once is limited, overall and for each host;
who has to wait starts in the order of coming due.
"""

from __future__ import annotations

import asyncio
import heapq
import zlib
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sentinel.engine.clock import Clock
from sentinel.probes.plan import ProbePlan

Key = tuple[str, str]
BATCH_MAX = 200  # Starts in one turn of the loop; the rest follow in the next, so that nothing else waits long.
FIRST_RUNS_PER_S = 1_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much probing may be under way at once."""

    in_flight: int = 1_000
    per_host: int = 20


@dataclass(slots=True, eq=False)
class Entry:
    """One target of one probe. ``due`` is on the loop's clock."""

    plan: ProbePlan
    target: str
    host: str
    due: float
    running: bool = False
    retired: bool = False
    asked: list[asyncio.Future[None]] = field(default_factory=list)


Run = Callable[[ProbePlan, str], Coroutine[Any, Any, None]]


class Scheduler:
    """Starts runs when they are due. ``run`` never raises; ``skipped`` and ``lagged`` are told for the metrics."""

    def __init__(self, clock: Clock, run: Run, limits: Limits) -> None:
        self._clock = clock
        self._run = run
        self._limits = limits
        self.skipped: Callable[[str], None] = lambda _reason: None
        self.lagged: Callable[[float], None] = lambda _seconds: None
        self.progressed_at = clock.monotonic()
        self._entries: dict[Key, Entry] = {}
        self._heap: list[tuple[float, int, Entry]] = []
        self._sequence = 0
        self._ready: deque[Entry] = deque()
        self._hosts: Counter[str] = Counter()
        self._waiting: dict[str, deque[Entry]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False

    def replace(self, plans: Iterable[ProbePlan], limits: Limits, last_run_at: Mapping[Key, float]) -> None:
        """Take a new set of probes; those that did not change keep their times.

        ``last_run_at`` maps a target to the unix time of its last run: who is overdue or new runs soon, the others in
        their turn.
        """
        self._limits = limits
        wanted = {(plan.name, target): plan for plan in plans if not plan.paused for target in plan.targets}
        for key, entry in list(self._entries.items()):
            plan = wanted.get(key)
            if plan is None or plan.fingerprint != entry.plan.fingerprint:
                entry.retired = True
                del self._entries[key]
        fresh = [key for key in wanted if key not in self._entries]
        for key in fresh:
            self._add(wanted[key], key[1], len(fresh), last_run_at.get(key))
        self._arm()

    def _add(self, plan: ProbePlan, target: str, fresh: int, last_run_at: float | None) -> None:
        now, wall = self._clock.monotonic(), self._clock.now().timestamp()
        share = _share(plan.name, target)
        due = now + (share * plan.interval_s - wall) % plan.interval_s
        if last_run_at is None or wall + (due - now) - last_run_at > plan.interval_s:
            due = min(due, now + share * min(plan.interval_s, max(1.0, fresh / FIRST_RUNS_PER_S)))
        entry = Entry(plan, target, _host(target), due)
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
            if not self._heap or self._heap[0][0] > now:
                break
            _, _, entry = heapq.heappop(self._heap)
            if entry.retired:
                continue
            due = entry.due
            entry.due = self._following(entry, now)
            self._push(entry)
            if entry.running:
                self.skipped("overrun")
                continue
            self.lagged(now - due)
            entry.running = True
            self._ready.append(entry)
        self._start_ready()
        self._arm()

    def _following(self, entry: Entry, now: float) -> float:
        """Return the next time in the entry's own phase; times that were missed are missed once, not made up for."""
        interval = entry.plan.interval_s
        wall = self._clock.now().timestamp()
        ahead = (_share(entry.plan.name, entry.target) * interval - wall) % interval
        # Rounding may bring the very moment that has just come round again.
        return now + (ahead if ahead > min(0.05, interval / 10) else ahead + interval)

    def _start_ready(self) -> None:
        while self._ready and len(self._tasks) < self._limits.in_flight:
            entry = self._ready.popleft()
            if entry.host and self._hosts[entry.host] >= self._limits.per_host:
                self._waiting.setdefault(entry.host, deque()).append(entry)
                continue
            self._start(entry)

    def _start(self, entry: Entry) -> None:
        self._hosts[entry.host] += 1
        task = asyncio.get_running_loop().create_task(self._run(entry.plan, entry.target))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(entry, done))

    def _ended(self, entry: Entry, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        entry.running = False
        self._hosts[entry.host] -= 1
        if not self._hosts[entry.host]:
            del self._hosts[entry.host]
        for asked in entry.asked:
            if not asked.done():
                asked.set_result(None)
        entry.asked.clear()
        if self._stopping:
            return
        waiting = self._waiting.get(entry.host)
        if waiting:
            self._ready.appendleft(waiting.popleft())
            if not waiting:
                del self._waiting[entry.host]
        self._start_ready()

    async def run_now(self, name: str) -> bool:
        """Run all targets of a probe once, now, and wait for them; tell whether there is such a probe."""
        entries = [entry for (probe, _), entry in self._entries.items() if probe == name]
        waits = []
        for entry in entries:
            waits.append(asyncio.get_running_loop().create_future())
            entry.asked.append(waits[-1])
            if not entry.running:
                entry.running = True
                self._ready.append(entry)
        self._start_ready()
        await asyncio.gather(*waits)
        return bool(entries)

    def overdue_s(self) -> float:
        """Return by how much the next run is late; more than a moment means that nothing starts any more."""
        return max(0.0, self._clock.monotonic() - self._heap[0][0]) if self._heap else 0.0

    def in_flight(self) -> int:
        """Return how many runs are under way."""
        return len(self._tasks)

    async def stop(self) -> None:
        """Start nothing more and end what is under way."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _share(name: str, target: str) -> float:
    """Return where in its interval a target runs, from 0 to 1: the same at every start, on every machine."""
    return zlib.crc32(f"{name}\0{target}".encode()) / 2**32


def _host(target: str) -> str:
    """Return the host a target stands on, for the limit on each; empty when it names none."""
    rest = target.partition("://")[2] or target
    rest = rest.partition("/")[0].rpartition("@")[2]
    if rest.startswith("["):
        return rest.partition("]")[0][1:]
    return rest if rest.count(":") > 1 else rest.partition(":")[0]
