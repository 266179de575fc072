"""The records of problems: opened when a proposed problem is accepted, linked to what comes again, followed to the end.

They are kept in the ledger. What time brings of their actions is looked for now and then: each is a fact, written with
the messages it owes, and so said exactly once, over restarts too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

import structlog

from sentinel.core import actions, audience
from sentinel.core import commands as c
from sentinel.core import problem_record as p
from sentinel.core.actions import Action, ActionDates, Wanted
from sentinel.core.hearing import by_mail
from sentinel.core.known_error import KnownError
from sentinel.core.model import Page, Refused
from sentinel.core.problem_record import ProblemFact, ProblemRecord
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk, Unknown
from sentinel.engine.ledger import Ledger
from sentinel.engine.looking import keep_looking
from sentinel.engine.outbox import apart_row
from sentinel.store.base import OutboxRow

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 10.0
GIVE_UP_AFTER = timedelta(hours=4)
PREFIX = "PRB"
SUBJECT = "problem"

ActionNews = Literal["added", "reminded", "late"]
Streams = dict[str, list[ProblemFact]]


class ProblemWords(Protocol):
    """What is said of the actions of a problem, to who reads it."""

    def action(self, message: str, news: ActionNews, record: ProblemRecord, action: Action, now: datetime) -> bytes:
        """Return the body of the message."""


class Problems:
    """The problems, and what people do with them. ``dates`` says when an action is reminded of, and when it is late."""

    def __init__(self, ledger: Ledger[ProblemFact], desk: Desk, clock: Clock, words: ProblemWords) -> None:
        self._ledger = ledger
        self.changed: Callable[[], None] = lambda: None
        self._desk = desk
        self._clock = clock
        self.words = words
        self.dates: Callable[[date], ActionDates] | None = None
        self.progressed_at = clock.monotonic()
        self._records: dict[str, ProblemRecord] = {}
        self._by_fault: dict[str, str] = {}
        self._judging = asyncio.Lock()
        desk.known = self.known

    async def load(self) -> None:
        """Read what is known.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        self._refold(self._ledger.streams)

    async def run(self) -> None:
        """Link what comes again, and say what is due of actions, until cancelled."""
        await keep_looking(self, self._clock, LOOK_EVERY_S, "problems not written; again soon")

    # What can be asked ----------------------------------------------------------------------------------------------

    def all(self) -> list[ProblemRecord]:
        """Return every record, the oldest first."""
        return list(self._records.values())

    def record(self, number: str) -> ProblemRecord:
        """Return one record.

        Raises:
            Unknown: there is none of that number.
        """
        if number not in self._records:
            raise Unknown(f"There is no problem {number}.")
        return self._records[number]

    def known(self, dedup: str) -> KnownError | None:
        """Return what is known of a fault that comes, if it has a record that is not solved."""
        number = self._by_fault.get(dedup)
        return self._records[number].known_error() if number else None

    # What people do -------------------------------------------------------------------------------------------------

    async def accept(self, number: str, by: str, why: str) -> Incident:
        """Accept the problem that was proposed for an incident: it becomes a record, or joins that of its fault.

        The record is written first. When the incident then cannot say so, asking again finds the record.

        Raises:
            Unknown: there is no such incident.
            Refused: none was proposed, or it was judged already.
            StoreUnavailable: it is not on disk.
        """
        async with self._judging:
            state = await self._desk.look_at(number)
            if state.problem != "proposed":
                if not state.problem:
                    raise Refused(f"No problem was proposed for {number}.")
                raise Refused(f"The problem of {number} was {state.problem} already.")
            name = await self._ledger.add(lambda streams: self._accepted(streams, state, by, why))
            self._refold({name: self._ledger.streams[name]})
            self.changed()
            return await self._desk.order(number, c.JudgeProblem(by=by, accept=True, why=why, number=name))

    def _accepted(
        self, streams: Streams, state: Incident, by: str, why: str
    ) -> tuple[str, list[ProblemFact], list[OutboxRow]]:
        records = (p.folded(name, facts) for name, facts in streams.items())
        found = [one for one in records if one.phase != "solved" and self._is_of(one, state)]
        now = self._clock.now()
        linked = p.IncidentLinked(at=now, by=by, incident=state.number, dedup=state.dedup)
        if found:
            return found[0].number, [] if state.number in found[0].incidents else [linked], []
        opened = p.ProblemOpened(
            at=now, by=by, title=state.title, service=state.service, why=why, manager=state.plan.manager
        )
        return self._ledger.next_name(PREFIX), [opened, linked], []

    @staticmethod
    def _is_of(record: ProblemRecord, state: Incident) -> bool:
        return state.number in record.incidents or state.dedup in record.faults

    async def link(self, number: str, incident: str, by: str) -> ProblemRecord:
        """Link an incident, and the fault it is of, to a problem.

        Raises:
            Unknown: there is no such problem, or no such incident.
        """
        state = await self._desk.look_at(incident)
        fact = p.IncidentLinked(at=self._clock.now(), by=by, incident=state.number, dedup=state.dedup)
        return await self._add(number, lambda one: [] if state.number in one.incidents else [fact])

    async def unlink(self, number: str, incident: str, by: str) -> ProblemRecord:
        """Take an incident and its fault away from a problem."""
        state = await self._desk.look_at(incident)

        def decide(one: ProblemRecord) -> list[ProblemFact]:
            if state.number not in one.incidents:
                raise Refused(f"{state.number} is not linked to {number}.")
            return [p.IncidentUnlinked(at=self._clock.now(), by=by, incident=state.number, dedup=state.dedup)]

        return await self._add(number, decide)

    async def note(self, number: str, by: str, text: str) -> ProblemRecord:
        """Write something down."""
        fact = p.ProblemNoted(at=self._clock.now(), by=by, text=p.worded(text, "A note"))
        return await self._add(number, lambda _: [fact])

    async def name_owner(self, number: str, by: str, owner: str) -> ProblemRecord:
        """Say who answers for a problem."""
        fact = p.OwnerNamed(at=self._clock.now(), by=by, owner=p.worded(owner, "An owner"))
        return await self._add(number, lambda one: [fact] if p.unsolved(one).owner != fact.owner else [])

    async def explain(self, number: str, by: str, cause: str, workaround: str) -> ProblemRecord:
        """Say what the cause is, or how to get round it: it is a known error from then on."""
        p.worded(cause + workaround, "A known error")
        fact = p.ErrorKnown(at=self._clock.now(), by=by, cause=cause.strip(), workaround=workaround.strip())
        return await self._add(number, lambda one: self._of_unsolved(one, fact))

    async def solve(self, number: str, by: str, text: str) -> ProblemRecord:
        """Say that the fault does not come again, and why."""
        fact = p.ProblemSolved(at=self._clock.now(), by=by, text=p.worded(text, "A solution"))
        return await self._add(number, lambda one: self._of_unsolved(one, fact))

    async def reopen(self, number: str, by: str, text: str) -> ProblemRecord:
        """Say that the fault came again."""
        fact = p.ProblemReopened(at=self._clock.now(), by=by, text=p.worded(text, "Reopening"))

        def decide(one: ProblemRecord) -> list[ProblemFact]:
            if one.phase != "solved":
                raise Refused(f"{number} is not solved.")
            return [fact]

        return await self._add(number, decide)

    async def add_action(self, number: str, by: str, wanted: Wanted) -> ProblemRecord:
        """Give somebody something to do about it; they hear of it."""
        now = self._clock.now()

        def decide(one: ProblemRecord) -> tuple[list[ProblemFact], list[OutboxRow]]:
            action = actions.made(wanted, p.unsolved(one).actions, now, self.dates)
            owed = [row for row in self._owed("added", one, action, (action.owner,), now) if row.person != by]
            return [p.ProblemActionAdded(at=now, by=by, action=action)], owed

        return await self._add_owing(number, decide)

    async def finish_action(self, number: str, by: str, action: str, text: str) -> ProblemRecord:
        """Say that an action is done."""
        fact = p.ProblemActionDone(at=self._clock.now(), by=by, action=action, text=text.strip())
        return await self._add(number, lambda one: self._of_undone(one, action, fact))

    async def discuss_action(self, number: str, by: str, action: str, text: str) -> ProblemRecord:
        """Say that the production committee looked at an action."""
        fact = p.ProblemActionReviewed(at=self._clock.now(), by=by, action=action, text=text.strip())
        return await self._add(number, lambda one: self._of_undone(one, action, fact))

    @staticmethod
    def _of_unsolved(record: ProblemRecord, fact: ProblemFact) -> list[ProblemFact]:
        p.unsolved(record)
        return [fact]

    @staticmethod
    def _of_undone(record: ProblemRecord, action: str, fact: ProblemFact) -> list[ProblemFact]:
        actions.undone(record.actions, action, record.number)
        return [fact]

    # Time -----------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Link the open incidents of known faults, and say what is due of actions.

        Raises:
            StoreUnavailable: it is not on disk; it is tried again.
        """
        for state in self._desk.open():
            if state.known is not None:
                await self._link_known(state, state.known.number)
        now = self._clock.now()
        for record in self.all():
            if actions.due(record.actions.values(), now):
                await self._add_owing(record.number, lambda one: self._due(one, now))

    async def _link_known(self, state: Incident, number: str) -> None:
        """Link an incident that was opened with a known fault, unless it is linked, or somebody took it away."""
        record = self._records.get(number)
        if record is None or state.number in (*record.incidents, *record.unlinked):
            return
        fact = p.IncidentLinked(at=self._clock.now(), incident=state.number, dedup=state.dedup)
        await self._add(number, lambda one: [] if state.number in one.incidents else [fact])

    def _due(self, record: ProblemRecord, now: datetime) -> tuple[list[ProblemFact], list[OutboxRow]]:
        facts: list[ProblemFact] = []
        owed: list[OutboxRow] = []
        for action, news in actions.due(record.actions.values(), now):
            if news == "late":
                facts.append(p.ProblemActionLate(at=now, action=action.id))
                whom: tuple[str, ...] = (*record.manager, record.owner)
            else:
                facts.append(p.ProblemActionReminded(at=now, action=action.id))
                reached = next(audience.people((action.owner,), self._desk.policy.directory), None)
                whom = (action.owner,) if reached else (record.owner, *record.manager)
            owed += self._owed(news, record, action, whom, now)
        return facts, owed

    def _owed(
        self, news: ActionNews, record: ProblemRecord, action: Action, whom: Iterable[str], now: datetime
    ) -> list[OutboxRow]:
        pages = by_mail(filter(None, whom), audience.now_in(self._desk.policy.directory, now))
        return [self._row(news, record, action, page, now) for page in pages]

    def _row(self, news: ActionNews, record: ProblemRecord, action: Action, page: Page, now: datetime) -> OutboxRow:
        message = f"{SUBJECT}:{record.number}/{action.id}/{news}/{page.person}/{page.channel}"
        return apart_row(
            message, page, self.words.action(message, news, record, action, now), now, give_up_after=GIVE_UP_AFTER
        )

    # How it is done -------------------------------------------------------------------------------------------------

    async def _add(self, number: str, decide: Callable[[ProblemRecord], Sequence[ProblemFact]]) -> ProblemRecord:
        return await self._add_owing(number, lambda one: (decide(one), ()))

    async def _add_owing(
        self, number: str, decide: Callable[[ProblemRecord], tuple[Sequence[ProblemFact], Sequence[OutboxRow]]]
    ) -> ProblemRecord:
        def decided(streams: Streams) -> tuple[str, Sequence[ProblemFact], Sequence[OutboxRow]]:
            if number not in streams:
                raise Unknown(f"There is no problem {number}.")
            return (number, *decide(p.folded(number, streams[number])))

        await self._ledger.add(decided)
        self._refold({number: self._ledger.streams[number]})
        self.changed()
        return self._records[number]

    def _refold(self, streams: Streams) -> None:
        for name, facts in streams.items():
            self._records[name] = p.folded(name, facts)
        # A later record of a fault goes before an earlier one, but a solved one knows nothing any more.
        unsolved = (one for one in self._records.values() if one.phase != "solved")
        self._by_fault = {fault: one.number for one in unsolved for fault in one.faults}
