"""The desk: takes commands, asks the core, writes the answer, and only then lets anything follow.

One task handles commands in the order they came; those that wait together are written together. A command is
answered when it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, TypeVar

import structlog

from sentinel.core import commands as c
from sentinel.core import incident
from sentinel.core.correlate import Index
from sentinel.core.events import Event
from sentinel.core.matching import Silence
from sentinel.core.model import Refused, Signal, Verdict
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.draft import Draft, Envelope, Policy
from sentinel.store.base import Conflict, OutboxRow, Settlement, Store, StoreUnavailable

log = structlog.get_logger(__name__)

BATCH_MAX = 256
QUEUE_MAX = 10_000
RACES_MAX = 5
OVER_MAX = 1_000  # Incidents that are over and were asked about; the store has them all.

T = TypeVar("T")
Job = tuple[Callable[[Draft], Any], "asyncio.Future[Any]"]


class Unknown(Refused):
    """There is no such incident."""


class Desk:
    """The one writer of incidents.

    ``written`` is called with the states and events of each transaction once it is on disk; ``unwritten`` with
    what was owed when the store could not take it, so that pages leave all the same.
    """

    def __init__(self, store: Store, writer: Executor, clock: Clock, policy: Policy, envelope: Envelope) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self.envelope = envelope
        self.policy = policy
        self.written: Callable[[Sequence[tuple[Incident, Event]], Sequence[Settlement]], None] = lambda *_: None
        self.unwritten: Callable[[Sequence[tuple[Incident, OutboxRow]]], None] = lambda _: None
        self._busy_since: float | None = None
        self._jobs: asyncio.Queue[Job] = asyncio.Queue(QUEUE_MAX)
        self._index = Index()
        self._over: dict[str, Incident] = {}
        self._last_number = 0

    async def load(self) -> int:
        """Read what is unfinished from the store; return how many incidents that is."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._writer, self._store.unfinished)
        self._last_number = await loop.run_in_executor(self._writer, self._store.last_number)
        self._index = Index()
        self._over.clear()
        for state in found:
            self._index.put(state)
        return len(found)

    async def run(self) -> None:
        """Handle commands until cancelled; those already taken are finished."""
        while True:
            jobs = [await self._jobs.get()]
            while len(jobs) < BATCH_MAX and not self._jobs.empty():
                jobs.append(self._jobs.get_nowait())
            self._busy_since = self._clock.monotonic()
            try:
                await asyncio.shield(self._handle(jobs))
            except Exception as error:
                _fail([answer for _, answer in jobs], error)  # Whoever asked must not wait for ever.
                raise
            finally:
                self._busy_since = None
                for _ in jobs:
                    self._jobs.task_done()

    def busy_since(self) -> float | None:
        """Return since when it has been at the same transaction; nothing while it waits for work."""
        return self._busy_since

    async def drain(self) -> None:
        """Wait until every command taken so far is answered."""
        await self._jobs.join()

    # What can be asked ------------------------------------------------------------------------------------------

    async def report(self, signal: Signal, verdict: Verdict, requester: str = "") -> Incident:
        """Take a signal: it opens an incident, joins the one that explains it, or changes nothing.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        command = c.Report(
            signal=signal, verdict=verdict, plan=self.policy.plan_for(signal.service, verdict), requester=requester
        )

        def job(draft: Draft) -> Incident:
            now = self._clock.now()
            found = self._index.explaining(signal.key, verdict.dedup, draft.states, now, self.policy.reopen_within)
            return draft.apply(found, command, now) if found else draft.open(command, now)

        return await self._ask(job)

    async def recover(self, key: str, text: str) -> Incident | None:
        """Take the news that what a signal reported is over; nothing when no incident holds it."""

        def job(draft: Draft) -> Incident | None:
            now = self._clock.now()
            found = self._index.holding(key, draft.states)
            if found is None:
                return None
            return draft.apply(found, c.Recover(key=key, text=text, close_by=self.policy.close_by(now)), now)

        return await self._ask(job)

    async def order(self, number: str, command: c.Command, settlement: Settlement | None = None) -> Incident:
        """Give a command to an incident; a settlement is written in the same transaction.

        Raises:
            Unknown: there is no such incident.
            Refused: it is not possible now.
            StoreUnavailable: it is not on disk.
        """
        await self._fetch(number)

        def job(draft: Draft) -> Incident:
            if settlement is not None:
                draft.settlements.append(settlement)
            return draft.apply(self._known(draft, number), command, self._clock.now())

        return await self._ask(job)

    async def merge(self, number: str, into: str, by: str) -> Incident:
        """Make one incident a part of another, in one transaction."""
        await self._fetch(number)
        await self._fetch(into)

        def job(draft: Draft) -> Incident:
            now = self._clock.now()
            merged = self._known(draft, number)
            absorb = incident.absorption(merged, by)
            kept = self._known(draft, into)
            # Ask both before either is changed: half a merge would lose signals.
            incident.decide(kept, absorb, now, self.policy.directory)
            draft.apply(merged, c.Merge(by=by, into=into), now)
            return draft.apply(kept, absorb, now)

        return await self._ask(job)

    async def settle(self, settlement: Settlement) -> None:
        """Write what came of a try that changes no incident."""

        def job(draft: Draft) -> None:
            draft.settlements.append(settlement)

        await self._ask(job)

    async def silence(self, silence: Silence) -> None:
        """Keep a silence."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.put_silence, silence)

    def open(self) -> list[Incident]:
        """Return the incidents that are neither closed nor merged, oldest first."""
        return self._index.all()

    def holds(self, key: str, level: int) -> bool:
        """Tell whether an active incident of that level at least has this signal standing: nothing new to report."""
        state = self._index.holding(key, {})
        return state is not None and state.active and state.level >= level and state.signals[key].failing

    def close_by(self, now: datetime) -> datetime:
        """Return when an incident that is resolved now closes by itself (rule LIF-7)."""
        return self.policy.close_by(now)

    def waking(self) -> tuple[datetime, str] | None:
        """Return the next moment at which time alone brings something, and to which incident."""
        return self._index.waking()

    # How it is done ---------------------------------------------------------------------------------------------

    async def _ask(self, job: Callable[[Draft], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._jobs.put((job, answer))
        return await answer

    async def _fetch(self, number: str) -> None:
        """Bring back an incident that is over, so that it can answer for itself."""
        if self._index.get(number) is None and number not in self._over:
            found = await asyncio.get_running_loop().run_in_executor(self._writer, self._store.incident, number)
            if found is not None:
                self._put(found)

    def _put(self, state: Incident) -> None:
        self._index.put(state)
        self._over.pop(state.number, None)
        if state.over:
            self._over[state.number] = state
            while len(self._over) > OVER_MAX:
                self._over.pop(next(iter(self._over)))

    def _known(self, draft: Draft, number: str) -> Incident:
        state = draft.states.get(number) or self._index.get(number) or self._over.get(number)
        if state is None:
            raise Unknown(f"There is no incident {number}.")
        return state

    async def _handle(self, jobs: list[Job]) -> None:
        for _ in range(RACES_MAX):
            draft = Draft(self._last_number, self.policy, self.envelope)
            answers = self._decide(jobs, draft)
            try:
                await self._commit(draft)
            except Conflict:
                await self.load()
                continue
            except StoreUnavailable as error:
                log.error("not written", jobs=len(jobs), why=str(error))
                self.unwritten(draft.rows())
                _fail([answer for answer, _ in answers], error)
                return
            for answer, value in answers:
                if not answer.done():
                    answer.set_result(value)
            return
        _fail([answer for _, answer in jobs], StoreUnavailable("another writer kept winning the race"))

    def _decide(self, jobs: list[Job], draft: Draft) -> list[tuple[asyncio.Future[Any], Any]]:
        decided = []
        for job, answer in jobs:
            if answer.done():  # Whoever asked has gone, or was refused before a race was lost.
                continue
            try:
                decided.append((answer, job(draft)))
            except Refused as refusal:
                answer.set_exception(refusal)
        return decided

    async def _commit(self, draft: Draft) -> None:
        if draft.happened or draft.settlements:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._store.commit, draft.write())
        self._last_number = draft.last_number
        for state in draft.states.values():
            self._put(state)
        if draft.happened or draft.settlements:
            self.written(draft.happened, draft.settlements)


def _fail(answers: Sequence[asyncio.Future[Any]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
