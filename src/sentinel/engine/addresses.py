"""Watches addresses that take nothing: lowers them, tells the administrators, and trusts them again.

For each there is one incident. Resolving it by hand is how somebody says that the address is good again; when a message
has arrived, or the address was changed, it ends by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Final, Protocol

import structlog
from msgspec.structs import replace

from sentinel.core import addresses
from sentinel.core.addresses import Doubt, Fact, How, Lowered, Reported, Restored
from sentinel.core.model import Page, Person, Plan, Signal, Step, Verdict
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.ledger import Ledger
from sentinel.engine.looking import keep_looking
from sentinel.engine.self_watch import watchers_plan
from sentinel.store.base import OutboxRow, Sought, Store

log = structlog.get_logger(__name__)

SUBJECT: Final = "addresses"
KEY: Final = "address:"  # Signals about addresses begin so.
RULE: Final = "address that bounces"
LOOK_EVERY_S: Final = 10.0
ROWS_MAX: Final = 500
WATCHED: Final = frozenset({"email"})  # A telephone that is off says nothing of its number.

Read = Callable[..., Awaitable[Any]]


class Words(Protocol):
    """What is said, in the language of the site."""

    def lowered(self, doubt: Doubt, person: Person) -> tuple[str, str]:
        """Return the title of the incident, and what it means."""

    def restored(self, how: str) -> str:
        """Return that it is over, and why."""


class Addresses:
    """Keeps the desk's directory in line: whose address took nothing lately is told another way."""

    def __init__(self, desk: Desk, kept: tuple[Store, Executor], read: Read, clock: Clock, words: Words) -> None:
        self._desk = desk
        self._store = kept[0]
        self._read = read
        self._clock = clock
        self._ledger: Ledger[Fact] = Ledger(SUBJECT, Fact, kept, clock)
        self.words = words
        self.progressed_at = clock.monotonic()

    @property
    def doubts(self) -> list[Doubt]:
        """Return every address that is not trusted, by person."""
        found = (addresses.doubt_of(facts) for facts in self._ledger.streams.values())
        return sorted((one for one in found if one is not None), key=lambda one: (one.person, one.kind))

    async def load(self) -> None:
        """Read what bounced so far.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        self.configure()

    def configure(self) -> None:
        """Have the desk's policy avoid what is lowered now."""
        policy = self._desk.policy
        lowered = dict(addresses.avoided(self.doubts, self._clock.now()))
        if lowered != policy.directory.lowered:
            self._desk.policy = replace(policy, directory=replace(policy.directory, lowered=lowered))

    async def bounced(self, page: Page, message: str, why: str) -> None:
        """Take the news that a message to somebody by a channel came back; the same one again is no news.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        directory = self._desk.policy.directory
        person, way = directory.people.get(page.person), directory.channels.get(page.channel)
        if person is None or way is None or way.address not in WATCHED or not person.addresses.get(way.address):
            return
        known = self._ledger.streams.get(_stream(person.id, way.address), [])
        if any(isinstance(fact, Lowered) and fact.message == message for fact in known):
            return
        lowered = Lowered(
            at=self._clock.now(),
            person=person.id,
            kind=way.address,
            digest=digest_of(person, way.address),
            message=message,
            why=why,
        )
        await self._add(_stream(person.id, way.address), lowered)
        log.warning("address lowered", person=person.id, kind=way.address)

    async def run(self) -> None:
        """Watch until cancelled."""
        await keep_looking(self, self._clock, LOOK_EVERY_S, "addresses not looked at; again soon")

    async def look(self) -> None:
        """Tell what is lowered and not told, and trust again what has earned it.

        Raises:
            StoreUnavailable: it is not on disk; the next look says it again.
        """
        for doubt in self.doubts:
            how = await self._restored(doubt)
            if how is not None:
                await self._add(_stream(doubt.person, doubt.kind), Restored(at=self._clock.now(), how=how))
                log.info("address restored", person=doubt.person, kind=doubt.kind, how=how)
            elif not doubt.incident:
                await self._report(doubt)
        held = {_key(doubt) for doubt in self.doubts}
        for key in [key for key in self._desk.standing(KEY) if key not in held]:
            last = self._ledger.streams.get(key.removeprefix(KEY), [])[-1:]
            over = next((fact.how for fact in last if isinstance(fact, Restored)), "changed")
            await self._desk.recover(key, self.words.restored(over))
        self.configure()

    async def _restored(self, doubt: Doubt) -> How | None:
        person = self._desk.policy.directory.people.get(doubt.person)
        if person is None or digest_of(person, doubt.kind) != doubt.digest:
            return "changed"
        if doubt.incident and self._desk.number_of(_key(doubt)) is None:
            return "by_hand"
        return "delivered" if await self._arrived(doubt) else None

    async def _arrived(self, doubt: Doubt) -> bool:
        """Tell whether something arrived since: its carrier says so, or took it and sent nothing back for an hour."""
        now, channels = self._clock.now(), self._desk.policy.directory.channels
        rows: list[OutboxRow] = await self._read(
            self._store.taken, Sought(people=(doubt.person,)), doubt.last_at, limit=ROWS_MAX
        )
        ways = {name for name, way in channels.items() if way.address == doubt.kind}
        return any(
            row.channel in ways
            and row.created_at > doubt.last_at
            and (row.state == "delivered" or (row.settled_at or now) <= now - addresses.PROVED_AFTER)
            for row in rows
        )

    async def _report(self, doubt: Doubt) -> None:
        now = self._clock.now()
        person = self._desk.policy.directory.people[doubt.person]
        title, detail = self.words.lowered(doubt, person)
        key = _key(doubt)
        signal = Signal(
            key=key, source="alert", title=title, at=now, since=doubt.since, detail=detail, labels={"person": person.id}
        )
        verdict = Verdict(rule=RULE, level=2, severity="minor", priority="P3", title=title, dedup=key)
        plan = self._plan(watchers_plan(self._desk.policy.plan_for("", verdict)))
        state = await self._desk.report(signal, verdict, plan=plan)
        await self._add(_stream(doubt.person, doubt.kind), Reported(at=now, incident=state.number))

    def _plan(self, plan: Plan) -> Plan:
        """Return the plan that tells the administrators, once; where there are none, who watches the watcher."""
        people = self._desk.policy.directory.people.values()
        admins = tuple(person.id for person in people if person.role == "administrator")
        ladder = (Step(after=timedelta(0), to=admins, min_level=1),) if admins else plan.ladder
        return replace(plan, ladder=ladder, ladders=())

    async def _add(self, stream: str, fact: Fact) -> None:
        await self._ledger.add(lambda _streams: (stream, [fact], ()))
        self.configure()


def digest_of(person: Person, kind: str) -> str:
    """Return by what it can be told whether an address is still the same one, without keeping it."""
    return hashlib.sha256(person.addresses.get(kind, "").encode()).hexdigest()[:16]


def _stream(person: str, kind: str) -> str:
    return f"{person}:{kind}"


def _key(doubt: Doubt) -> str:
    return f"{KEY}{_stream(doubt.person, doubt.kind)}"
