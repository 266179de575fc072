"""What people answer and write: matched with what they were told, carried out once, and answered (DSP-6, SRC-6).

What is received is on disk before anything follows from it, and so is what came of it, together with the answer. A
crash in between is made up for: what was done is found in the timeline, and not done twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from sentinel.core import answers
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Refused, Signal, Verdict
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.ledger import Ledger
from sentinel.intake.said import (
    ADDRESS,
    DONE,
    Action,
    Budget,
    Door,
    Fact,
    Outcome,
    Received,
    Said,
    Settled,
    counted_as,
    nothing,
)
from sentinel.messages.clean import clean, one_line
from sentinel.messages.replies import KEY, Choosable, Reply
from sentinel.store.base import OutboxRow, Sought, Store, StoreUnavailable

log = structlog.get_logger(__name__)

SUBJECT: Final = "inbound"
RULES: Final[dict[Door, str]] = {"sms": "inbound SMS", "mail": "inbound mail"}
TOLD_WITHIN: Final = timedelta(days=7)
ROWS_MAX: Final = 500
TOLD_MAX: Final = 30
KNOWN_FOR: Final = timedelta(days=14)  # Longer than any gateway or mail server tries again.
SAID_MAX_PER_HOUR: Final = 30  # notes and reports of one person; what a code asks for is never left undone
ANSWERS_MAX_PER_HOUR: Final = 30
GIVE_UP_AFTER: Final = timedelta(minutes=30)
URGENCY: Final = 2
TEXT_MAX_CHARS: Final = 4000
TITLE_MAX_CHARS: Final = 120
RETRY_EVERY_S: Final = 30.0


class Answering:
    """Takes what people answer and write. ``service`` says which service a report is about when it does not say."""

    def __init__(self, desk: Desk, kept: tuple[Store, Executor], ledger: Ledger[Fact], clock: Clock) -> None:
        self._desk = desk
        self._store, self._reader = kept
        self._ledger = ledger
        self._clock = clock
        self._turn = asyncio.Lock()
        self._received: dict[str, Received] = {}
        self._settled: dict[str, Settled] = {}
        self._said, self._answered = Budget(SAID_MAX_PER_HOUR), Budget(ANSWERS_MAX_PER_HOUR)
        self._warned = Budget(1)
        self.counted: Callable[[str, Action], None] = lambda *_: None
        self.service: dict[Door, str] = {}
        self.url = ""

    async def load(self) -> None:
        """Read what came in lately.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        since = self._clock.now() - KNOWN_FOR
        for name in [name for name in self._ledger.streams if name < f"{since:%Y-%m-%d}"]:
            del self._ledger.streams[name]  # Nothing is ever added to the days before.
        for facts in self._ledger.streams.values():
            for fact in facts:
                self._know(fact)

    def _know(self, fact: Fact) -> None:
        if isinstance(fact, Received):
            self._received[fact.id] = fact
        else:
            self._settled[fact.id] = fact

    async def run(self) -> None:
        """See to what a crash, or a store that took nothing, has left undone; until cancelled."""
        while True:
            for received in [one for one in self._received.values() if one.id not in self._settled]:
                try:
                    async with self._turn:
                        if received.id not in self._settled:
                            await self._settle(received, again=True)
                except StoreUnavailable as error:
                    log.warning("an answer waits for the store", channel=received.channel, why=str(error))
            await asyncio.sleep(RETRY_EVERY_S)

    def ignored(self, channel: str, action: Action) -> None:
        """Count what is not taken: from nobody who is known, or written by a program."""
        log.warning("not taken", channel=channel, why=action)
        self.counted(channel, action)

    async def take(self, said: Said) -> Settled:
        """Do what somebody asks for, or keep what they say; what came before under the same id changes nothing.

        Raises:
            StoreUnavailable: it is not on disk, or not done yet.
        """
        assert said.people, "what comes from nobody is ignored"
        async with self._turn:
            digest = hashlib.sha256(f"{said.channel}\0{said.id or uuid.uuid4().hex}".encode()).hexdigest()[:32]
            if digest in self._settled:
                return self._settled[digest]
            received = self._received.get(digest)
            if received is not None:
                return await self._settle(received, again=True)
            received = Received(
                id=digest,
                at=self._clock.now(),
                channel=said.channel,
                door=said.door,
                people=said.people,
                text=clean(said.text, TEXT_MAX_CHARS),
                title=one_line(said.title, TITLE_MAX_CHARS),
                number=said.number,
                proved=said.proved,
            )
            await self._keep(received)
            return await self._settle(received)

    async def _keep(self, fact: Fact, owed: Sequence[OutboxRow] = ()) -> None:
        day = f"{fact.at:%Y-%m-%d}"
        await self._ledger.add(lambda _streams: (day, [fact], owed))
        self._know(fact)

    async def _settle(self, received: Received, *, again: bool = False) -> Settled:
        person, told, became = await self._told(received)
        try:
            outcome = await self._follow(received, person, (told, became), again=again)
        except Refused as refusal:
            outcome = Outcome(action="unknown", reply="refused", why=str(refusal))
        now = self._clock.now()
        settled = Settled(
            id=received.id,
            at=now,
            person=person,
            action=outcome.action,
            number=outcome.state.number if outcome.state else "",
            reply=outcome.reply,
        )
        await self._keep(settled, list(self._owed(received, person, outcome, now)))
        log.info("answer taken", channel=received.channel, what=outcome.action, incident=settled.number)
        self.counted(received.channel, outcome.action)
        return settled

    # Whose it is, and what they were told ------------------------------------------------------------------------

    async def _told(self, received: Received) -> tuple[str, list[Incident], dict[str, str]]:
        """Return who of those it may be from was told last, and of what they were told: the latest first.

        The last says of merged incidents of which one they are a part.
        """
        directory = self._desk.policy.directory
        since = received.at - TOLD_WITHIN
        rows = await self._read(received.people, since)
        ways = {name for name, way in directory.channels.items() if way.address == ADDRESS[received.door]}
        rows = [row for row in rows if row.incident and row.channel in ways]
        person = rows[0].person if rows else received.people[0]
        numbers = dict.fromkeys(row.incident for row in rows if row.person == person)
        open_ = {state.number: state for state in self._desk.open()}
        found: dict[str, Incident] = {}
        became: dict[str, str] = {}
        for number in list(dict.fromkeys((*filter(None, (received.number,)), *numbers)))[:TOLD_MAX]:
            state = open_.get(number) or await self._look_at(number)
            if state is not None and state.phase == "merged":
                became[number] = state.merged_into
                state = open_.get(state.merged_into)
            if state is not None:
                found.setdefault(state.number, state)
        for state in open_.values():
            if state.requester == person and state.active:
                found.setdefault(state.number, state)
        return person, list(found.values()), became

    async def _read(self, people: tuple[str, ...], since: datetime) -> list[OutboxRow]:
        def read() -> list[OutboxRow]:
            return self._store.taken(Sought(people=people), since, limit=ROWS_MAX)

        return await asyncio.get_running_loop().run_in_executor(self._reader, read)

    async def _look_at(self, number: str) -> Incident | None:
        try:
            return await self._desk.look_at(number)
        except Refused:
            return None

    # What follows ------------------------------------------------------------------------------------------------

    async def _follow(
        self, received: Received, person: str, among: tuple[list[Incident], dict[str, str]], *, again: bool
    ) -> Outcome:
        told, became = among
        answer = answers.read(received.text, lines=received.door == "mail")
        named = answer.number or received.number
        answer = replace(answer, number=became.get(named, named))
        code = answers.CODES[answer.action]
        if answer.action != "say" and not received.proved:
            return Outcome(action="unknown", reply="unproved")
        if received.door == "mail" and answer.action == "say" and not answer.number:
            return self._limited(received, person) or await self._report(received, person)
        choice = answers.choose(answer, told, person)
        if choice.untold:
            return Outcome(action="unknown", reply="untold")
        state = next((one for one in told if one.number == choice.number), None)
        if state is None and choice.which:
            which = tuple(Choosable(one.number, one.title) for one in told if one.number in choice.which)
            return Outcome(action="unknown", reply="which", which=which, code=code)
        if answer.action == "say" and (limited := self._limited(received, person)):
            return limited
        if state is None:
            return await self._report(received, person) if answer.action == "say" else nothing()
        if again and await self._happened(received, person, state):
            return Outcome(action=counted_as(answer.action), reply=DONE[answer.action], state=state)
        match answer.action:
            case "acknowledge":
                return await self._acknowledge(state, answer, person, received)
            case "escalate":
                return await self._escalate(state, answer, person, received)
            case "resolve":
                return await self._resolve(state, answer, person)
            case "say":
                if not answer.text:
                    return nothing()
                noted = await self._desk.order(state.number, c.Note(by=person, text=answer.text))
                return Outcome(action="note", reply="noted", state=noted)

    def _limited(self, received: Received, person: str) -> Outcome | None:
        """Return that a person says too much; nothing while they do not. That is said once an hour."""
        if self._said.take(person, received.at):
            return None
        warned = self._warned.take(person, received.at)
        return Outcome(action="limited", reply="full" if warned else "")

    async def _acknowledge(self, state: Incident, answer: answers.Answer, person: str, received: Received) -> Outcome:
        done = Outcome(action="acknowledge", state=state)
        if not state.active:
            return replace(done, reply="over")
        if state.acknowledged_by and state.acknowledged_by != person:
            return replace(done, reply="taken_by", by=self._name(state.acknowledged_by))
        was = state.acknowledged_by
        state = await self._desk.order(state.number, c.Acknowledge(by=person, via=received.door))
        if answer.text:
            state = await self._desk.order(state.number, c.Note(by=person, text=answer.text))
        return Outcome(action="acknowledge", reply="yours" if was else "taken", state=state)

    async def _escalate(self, state: Incident, answer: answers.Answer, person: str, received: Received) -> Outcome:
        if not state.active:
            return Outcome(action="escalate", reply="over", state=state)
        why = answer.text or f"2 ({received.door})"
        state = await self._desk.order(state.number, c.Escalate(by=person, why=why))
        return Outcome(action="escalate", reply="escalated", state=state)

    async def _resolve(self, state: Incident, answer: answers.Answer, person: str) -> Outcome:
        if not state.active:
            return Outcome(action="resolve", reply="over", state=state)
        if not answer.text:
            number = state.number.removeprefix("INC-")
            return Outcome(action="unknown", reply="words", state=state, code=f"3 {number}")
        close_by = self._desk.close_by(self._clock.now())
        state = await self._desk.order(state.number, c.Resolve(by=person, text=answer.text, close_by=close_by))
        return Outcome(action="resolve", reply="resolved", state=state)

    async def _report(self, received: Received, person: str) -> Outcome:
        """Open an incident: it is level 3 until someone says otherwise (rule SRC-6)."""
        title = received.title or one_line(received.text, TITLE_MAX_CHARS)
        if not title:
            return nothing()
        key = f"{received.door}:{received.id}"
        signal = Signal(
            key=key,
            source=received.door,
            title=title,
            at=received.at,
            since=received.at,
            detail=received.text,
            service=self.service.get(received.door, ""),
            labels={"reporter": self._name(person)},
        )
        verdict = Verdict(
            rule=RULES[received.door], level=3, severity="blocking", priority="P1", title=title, dedup=key
        )
        state = await self._desk.report(signal, verdict, requester=person)
        return Outcome(action="open", reply="opened", state=state)

    async def _happened(self, received: Received, person: str, state: Incident) -> bool:
        """Tell whether a person has done something to an incident since their answer came: it was carried out then."""
        loop = asyncio.get_running_loop()
        timeline = await loop.run_in_executor(self._reader, self._store.timeline, state.number)
        kinds = e.Acknowledged | e.Noted | e.Escalated | e.Resolved
        return any(
            isinstance(one.event, kinds) and one.event.by == person and one.event.at >= received.at for one in timeline
        )

    def _name(self, who: str) -> str:
        person = self._desk.policy.directory.people.get(who)
        return person.name if person else who

    # What is said back -------------------------------------------------------------------------------------------

    def _owed(self, received: Received, person: str, outcome: Outcome, now: datetime) -> Iterable[OutboxRow]:
        channel = self._back(received, person)
        if not outcome.reply or not channel or not self._answered.take(person, now):
            return
        state = outcome.state
        reply = Reply(
            id=f"{KEY}{received.id}/{person}/{channel}",
            kind=outcome.reply,
            at=now,
            incident=state.number if state else "",
            title=state.title if state else "",
            priority=state.priority if state else None,
            by=outcome.by,
            why=outcome.why,
            code=outcome.code,
            which=outcome.which,
            url=f"{self.url.rstrip('/')}/incidents/{state.number}" if self.url and state else "",
        )
        yield OutboxRow(
            id=reply.id,
            kind="message",
            incident="",
            sequence=0,
            person=person,
            channel=channel,
            urgency=URGENCY,
            body=msgspec.json.encode(reply),
            created_at=now,
            due_at=now,
            give_up_at=now + GIVE_UP_AFTER,
        )

    def _back(self, received: Received, person: str) -> str:
        """Return the channel to answer by: the one it came by, or the first that leads to the person's own address."""
        directory = self._desk.policy.directory
        if received.channel in directory.channels:
            return received.channel
        kind = ADDRESS[received.door]
        known = directory.people.get(person)
        if known is None or not known.addresses.get(kind):
            return ""
        return next((name for name, way in directory.channels.items() if way.address == kind), "")
