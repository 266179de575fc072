"""The desk: takes commands, asks the core, writes the answer, and only then lets anything follow.

One task handles commands in the order they came; those that wait together are written together. A command is
answered when it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, TypeVar

import structlog
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core import incident
from sentinel.core.alerts import Alert
from sentinel.core.correlate import Index
from sentinel.core.events import Event, Merged, Opened
from sentinel.core.known_error import KnownError
from sentinel.core.matching import Silence
from sentinel.core.model import Plan, Refused, Signal, Verdict
from sentinel.core.state import Incident
from sentinel.engine import placing
from sentinel.engine.clock import Clock
from sentinel.engine.draft import Draft, Envelope, Policy
from sentinel.engine.jobs import BATCH_MAX, Job, Jobs
from sentinel.engine.lookup import Lookup
from sentinel.engine.placing import Quieting
from sentinel.engine.recurrences import KEPT_FOR, Recurrences
from sentinel.store.base import Conflict, OutboxRow, Settlement, Store, StoreUnavailable

log = structlog.get_logger(__name__)

RACES_MAX = 5
TROUBLE_LASTS_S = 60.0  # Longer than anybody who has something to write waits before trying again.
OVER_MAX = 1_000  # Incidents that are over and were asked about; the store has them all.

T = TypeVar("T")


class Unknown(Refused):
    """There is no such incident."""


class Desk(Lookup):
    """The one writer of incidents.

    ``written`` is called with the states and events of each transaction once it is on disk; ``unwritten`` with
    what was owed when the store could not take it, so that pages leave all the same. ``express`` goes around the
    writing of each transaction. ``known`` says what is known of a fault that comes again (rule LIF-8).
    """

    def __init__(self, store: Store, writer: Executor, clock: Clock, policy: Policy, envelope: Envelope) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self.envelope = envelope
        self.policy = policy
        self.written: Callable[[Sequence[tuple[Incident, Event]], Sequence[Settlement]], None] = lambda *_: None
        self.unwritten: Callable[[Sequence[tuple[Incident, OutboxRow]]], None] = lambda _: None
        self.express: Callable[[Draft], AbstractContextManager[None]] = lambda _: nullcontext()
        self.silenced: Callable[[Silence], None] = lambda _: None
        self.known: Callable[[str], KnownError | None] = lambda _dedup: None
        self._busy_since: float | None = None
        self._refused: tuple[float, str] | None = None
        self._jobs = Jobs(clock.monotonic)
        super().__init__()
        self._over: dict[str, Incident] = {}
        self._recurrences = Recurrences()
        self.quieting = Quieting(store, writer)
        self._last_number = 0

    async def load(self) -> int:
        """Read what is unfinished from the store; return how many incidents that is."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._writer, self._store.unfinished)
        self._last_number = await loop.run_in_executor(self._writer, self._store.last_number)
        since = self._clock.now() - KEPT_FOR
        self._recurrences = Recurrences(await loop.run_in_executor(self._writer, self._store.openings, since))
        self._index = Index()
        self._over.clear()
        for state in found:
            self._index.put(state)
        return len(found)

    async def run(self) -> None:
        """Handle commands until cancelled; those already taken are finished."""
        while True:
            await self._jobs.wait()
            taken: list[Job] = []
            self._busy_since = self._clock.monotonic()
            try:
                await asyncio.shield(self._handle_apart(taken, self._jobs.some(taken)))
            finally:
                self._busy_since = None
                self._jobs.done()

    def busy_since(self) -> float | None:
        """Return since when it has been at the same transaction; nothing while it waits for work."""
        return self._busy_since

    def trouble(self) -> str:
        """Return why the store takes nothing; empty when it did, or when nobody had anything to write for a minute."""
        if self._refused is None or self._clock.monotonic() - self._refused[0] > TROUBLE_LASTS_S:
            return ""
        return self._refused[1]

    async def drain(self) -> None:
        """Wait until every command taken so far is answered."""
        await self._jobs.join()

    # What can be asked ------------------------------------------------------------------------------------------

    async def report(
        self, signal: Signal, verdict: Verdict, requester: str = "", *, plan: Plan | None = None
    ) -> Incident:
        """Take a signal: it opens an incident, joins the one that explains it, or changes nothing.

        Without a plan it is that of the signal's service.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        plan = plan or self.policy.plan_for(signal.service, verdict)
        command = c.Report(signal=signal, verdict=verdict, plan=plan, requester=requester)
        last = await self.quieting.last_of(verdict)
        if last:
            await self._fetch(last)
        return await self._ask(lambda draft: self._reported(draft, command, last), new=True)

    async def take_alerts(
        self, reports: Sequence[tuple[Alert, c.Report]], others: Sequence[Alert] = ()
    ) -> list[Incident | BaseException | None]:
        """Take what several alerts report, each written together with it, and other alerts as they are now.

        Return for each report the incident, or why there is none, and then whether the others are on disk.
        """
        jobs = [self._alert_job(alert, command) for alert, command in reports]
        jobs.append(lambda draft: draft.alerts.extend(others))
        answers = [await self._jobs.hand_in(job, new=True) for job in jobs]
        came: list[Incident | BaseException | None] = await asyncio.gather(*answers, return_exceptions=True)
        return came

    def _alert_job(self, alert: Alert, command: c.Report) -> Callable[[Draft], Any]:
        def job(draft: Draft) -> Incident:
            state = self._reported(draft, command)
            draft.alerts.append(alert)  # Not before: what is refused was not reported.
            return state

        return job

    def _reported(self, draft: Draft, command: c.Report, last: str = "") -> Incident:
        """Let a report join the incident that it belongs to, or open one."""
        now, verdict, policy = self._clock.now(), command.verdict, self.policy
        key, dedup = command.signal.key, verdict.dedup
        found = self._index.explaining(key, dedup, draft.states, now, policy.reopen_within)
        if found:
            return draft.apply(found, command, now)
        taken = placing.taken_in(draft, self._index, command, now)
        taken = taken or self.quieting.keep(draft, self._find(draft, last), command, now)
        if taken:
            return taken
        known = self.known(dedup) if verdict.kind == "incident" else None
        opened = draft.open(replace(command, past=self._past(dedup, now), known=known), now)
        return placing.explain(draft, self._index, opened, now)

    async def recover(self, key: str, text: str) -> Incident | None:
        """Take the news that what a signal reported is over; nothing when no incident holds it."""

        def job(draft: Draft) -> Incident | None:
            now = self._clock.now()
            found = self._index.holding(key, draft.states)
            if found is None:
                return None
            return draft.apply(found, c.Recover(key=key, text=text, close_by=self.policy.close_by(now)), now)

        return await self._ask(job, new=True)

    async def order(self, number: str, command: c.Command, settlement: Settlement | None = None) -> Incident:
        """Give a command to an incident; a settlement is written in the same transaction.

        Raises:
            Unknown: there is no such incident.
            Refused: it is not possible now.
            StoreUnavailable: it is not on disk.
        """
        await self._fetch(number)

        def job(draft: Draft) -> Incident:
            state = draft.apply(self._known(draft, number), command, self._clock.now())
            if settlement is not None:
                draft.settlements.append(settlement)
            return state

        return await self._ask(job)

    async def look_at(self, number: str) -> Incident:
        """Return an incident as it is now, also one that is over.

        Raises:
            Unknown: there is none.
        """
        await self._fetch(number)
        return await self._ask(lambda draft: self._known(draft, number))

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

    async def begin(self, number: str, settlement: Settlement) -> bool:
        """Write that a message of an incident is being sent; tell whether it is to be: it may just have been withdrawn.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        return bool(await self.begin_all([(number, settlement)]))

    async def begin_all(self, messages: Sequence[tuple[str, Settlement]]) -> set[str]:
        """Write that messages of incidents are being sent; return the ids of those that were not just withdrawn.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        for number, _ in messages:
            await self._fetch(number)

        def job(draft: Draft) -> set[str]:
            wanted = set()
            for number, settlement in messages:
                state = self._find(draft, number)
                sent = state.sent.get(settlement.id) if state else None
                if sent is None or sent.fate != "withdrawn":
                    wanted.add(settlement.id)
                    draft.settlements.append(settlement)
                else:
                    draft.settlements.append(replace(settlement, state="withdrawn"))
            return wanted

        return await self._ask(job)

    def withdrawn(self, number: str, message: str) -> bool:
        """Tell whether a message of an incident is not to be sent any more, although it was marked as being sent."""
        state = self._index.get(number) or self._over.get(number)
        sent = state.sent.get(message) if state else None
        return sent is not None and sent.fate == "withdrawn"

    async def settle(self, *settlements: Settlement) -> None:
        """Write what came of tries that change no incident.

        Raises:
            StoreUnavailable: it is not on disk.
        """

        def job(draft: Draft) -> None:
            draft.settlements.extend(settlements)

        await self._ask(job)

    async def silence(self, silence: Silence) -> None:
        """Keep a silence."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.put_silence, silence)
        self.silenced(silence)

    def close_by(self, now: datetime) -> datetime:
        """Return when an incident that is resolved now closes by itself (rule LIF-7)."""
        return self.policy.close_by(now)

    # How it is done ---------------------------------------------------------------------------------------------

    async def _ask(self, job: Callable[[Draft], T], *, new: bool = False) -> T:
        return await (await self._jobs.hand_in(job, new=new))

    def _past(self, dedup: str, now: datetime) -> int:
        """Return how many incidents a fault had lately (rule LIF-8)."""
        within = self.policy.problem_within
        return self._recurrences.count(dedup, now - within) if within else 0

    async def _fetch(self, number: str) -> None:
        """Bring back an incident that is over, so that it can answer for itself."""
        if number and self._index.get(number) is None and number not in self._over:
            found = await asyncio.get_running_loop().run_in_executor(self._writer, self._store.incident, number)
            if found is not None:
                self._put(found)

    def _put(self, state: Incident) -> None:
        self._index.put(state)
        self._over.pop(state.number, None)
        if state.finished:
            self._over[state.number] = state
            while len(self._over) > OVER_MAX:
                self._over.pop(next(iter(self._over)))

    def _known(self, draft: Draft, number: str) -> Incident:
        state = self._find(draft, number)
        if state is None:
            raise Unknown(f"There is no incident {number}.")
        return state

    def _find(self, draft: Draft, number: str) -> Incident | None:
        return draft.states.get(number) or self._index.get(number) or self._over.get(number)

    async def _handle_apart(self, jobs: list[Job], coming: Iterable[Job]) -> None:
        """Handle commands together; when one of them brings out a bug, each by itself, so that only that one fails."""
        try:
            return await self._handle(jobs, coming)
        except Exception as error:
            if len(jobs) == 1:
                log.exception("bug at the desk")
                _fail([jobs[0][1]], error)  # Whoever asked must not wait for ever.
                return None
        for job in jobs:
            await self._handle_apart([job], [job])
        return None

    async def _handle(self, jobs: list[Job], coming: Iterable[Job]) -> None:
        for _ in range(RACES_MAX):
            draft = Draft(self._last_number, self.policy, self.envelope)
            answers = self._decide(coming, draft)
            coming = jobs
            try:
                await self._commit(draft)
            except Conflict:
                await self._reload([answer for answer, _ in answers])
                continue
            except StoreUnavailable as error:
                log.error("not written", jobs=len(jobs), why=str(error))
                self._refused = self._clock.monotonic(), str(error)
                self.unwritten(draft.rows())
                _fail([answer for answer, _ in answers], error)
                return
            for answer, value in answers:
                if not answer.done():
                    answer.set_result(value)
            return
        _fail([answer for _, answer in jobs], StoreUnavailable("another writer kept winning the race"))

    async def _reload(self, answers: Sequence[asyncio.Future[Any]]) -> None:
        """Read again what another writer has changed, and what is over and was asked for."""
        over = list(self._over)[-BATCH_MAX:]
        try:
            await self.load()
            for number in over:
                await self._fetch(number)
        except StoreUnavailable as error:
            _fail(answers, error)

    def _decide(self, jobs: Iterable[Job], draft: Draft) -> list[tuple[asyncio.Future[Any], Any]]:
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
        if not draft.empty:
            with self.express(draft):
                await asyncio.get_running_loop().run_in_executor(self._writer, self._store.commit, draft.write())
            self._refused = None
        self._take_in(draft)

    def _take_in(self, draft: Draft) -> None:
        """Let what is written be what is so."""
        self._last_number = draft.last_number
        for state, event in draft.happened:
            if isinstance(event, Opened):
                self._recurrences.opened(state.dedup, state.opened_at)
            elif isinstance(event, Merged):
                self._recurrences.merged(state.dedup, state.opened_at)
        for state in draft.states.values():
            self._put(state)
        if draft.happened or draft.settlements:
            self.written(draft.happened, draft.settlements)


def _fail(answers: Sequence[asyncio.Future[Any]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
