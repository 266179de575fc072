"""A desk with a real store, timers and a dispatcher on virtual time, and carriers that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sentinel.channels.base import Message, Undelivered
from sentinel.core.model import Channel, Directory, Listener, Person, Plan, Signal, Step, Verdict
from sentinel.core.state import Incident
from sentinel.dispatch import Dispatcher
from sentinel.engine.clock import LoopClock
from sentinel.engine.desk import Desk
from sentinel.engine.draft import Policy
from sentinel.engine.outbox import Outbox
from sentinel.engine.passage import Carrier
from sentinel.engine.timers import Timers
from sentinel.store.base import OutboxRow
from sentinel.store.opening import open_store
from sentinel.tickets.base import TicketReference
from tests.new_store import new_store

START = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)

PEOPLE = {
    name: Person(id=name, name=name.title(), addresses={"email": f"{name}@example.org", "mobile": "+33639980001"})
    for name in ("amina", "bruno", "farid")
}
DIRECTORY = Directory(
    people=PEOPLE,
    groups={"ops": ("amina", "bruno")},
    channels={"email": Channel(name="email", address="email"), "sms": Channel(name="sms", address="mobile")},
)
LADDER = (
    Step(after=timedelta(0), to=("amina",), by=("sms",)),
    Step(after=timedelta(minutes=15), to=("bruno",), by=("sms",)),
)


class Script:
    """A carrier that accepts, unless told otherwise; it remembers what it was given and when."""

    def __init__(self, clock: LoopClock) -> None:
        self._clock = clock
        self.given: list[tuple[float, Message]] = []
        self.accepted: list[Message] = []
        self.behave: Callable[[Message], None] = lambda _message: None
        self.takes_s = 0.0

    async def send(self, message: Message) -> str:
        self.given.append((self._clock.monotonic(), message))
        await asyncio.sleep(self.takes_s)
        self.behave(message)
        self.accepted.append(message)
        return f"ref-{len(self.accepted)}"

    async def check(self) -> None:
        """Nothing to prove."""

    async def close(self) -> None:
        """Nothing to close."""


def refuse(why: str = "gateway answered 500", *, permanent: bool = False) -> Callable[[Message], None]:
    """Return a behaviour: always refuse."""

    def behave(_message: Message) -> None:
        raise Undelivered(why, permanent=permanent)

    return behave


@dataclass
class Counts:
    """What the dispatcher counted."""

    attempts: list[tuple[str, str]] = field(default_factory=list)
    results: list[tuple[str, str]] = field(default_factory=list)

    def attempt(self, channel: str, outcome: str) -> None:
        self.attempts.append((channel, outcome))

    def ended(self, channel: str, result: str, _waited_s: float) -> None:
        self.results.append((channel, result))

    bugs: list[str] = field(default_factory=list)

    def ticket(self, _backend: str, _result: str, _operation: str = "put") -> None: ...

    def bug(self, where: str) -> None:
        self.bugs.append(where)


def write(row: OutboxRow) -> Message:
    """Write a row out in the plainest way."""
    return Message(
        id=row.id,
        to=row.person,
        name=row.person,
        language="en",
        subject=row.id,
        text=row.body.decode(),
        html="",
        sms=row.body.decode(),
        thread=row.incident,
        first_in_thread=True,
        priority="P1",
        at=row.created_at,
    )


class House:
    """Everything between a signal and a carrier."""

    def __init__(self, kept: Path | str, plan: Plan, directory: Directory = DIRECTORY, start: datetime = START) -> None:
        url = kept if isinstance(kept, str) else new_store(kept)
        self.clock = LoopClock(start)
        self.store, self.results = open_store(url, busy_timeout_s=0.1)
        self.pool = ThreadPoolExecutor(1)
        self.policy = Policy(
            directory=directory,
            plan_for=lambda _service, _verdict: plan,
            close_by=lambda now: now + timedelta(days=2),
        )
        self.desk = Desk(self.store, self.pool, self.clock, self.policy, lambda state, _notify: state.title.encode())
        self.counts = Counts()
        self.dispatcher = Dispatcher(Outbox(self.store, self.pool), self.desk, self.clock, write, self.counts)
        self.sms, self.mail = Script(self.clock), Script(self.clock)
        self.dispatcher.carriers = {"sms": Carrier(self.sms), "email": Carrier(self.mail)}
        self.tickets: list[Incident] = []
        self.ticket_down = False
        self.dispatcher.tickets = {"builtin": self._ticket}
        self.desk.written = self._written
        self.desk.unwritten = self.dispatcher.unrecorded.send
        self.timers = Timers(self.desk, self.clock)

    def _written(self, happened: Any, _settled: Any) -> None:
        for state, _ in happened:
            self.dispatcher.unrecorded.forget(state.dedup)
        self.dispatcher.wake()

    async def _ticket(self, state: Incident) -> TicketReference:
        if self.ticket_down:
            raise Undelivered("ticket back-end is down")
        self.tickets.append(state)
        return TicketReference("T-1")

    def saw(self, key: str = "probe:web/home", level: Any = 3, dedup: str = "campus") -> tuple[Signal, Verdict]:
        """Return what a probe saw, and what is thought of it."""
        now = self.clock.now()
        signal = Signal(key=key, source="probe", title="Campus down", at=now, since=now, service="campus")
        verdict = Verdict(rule="r", level=level, severity="blocking", priority="P1", title="Campus down", dedup=dedup)
        return signal, verdict

    async def report(self, key: str = "probe:web/home", level: Any = 3, dedup: str = "campus") -> Incident:
        return await self.desk.report(*self.saw(key, level, dedup))

    async def wait(self, **time: float) -> None:
        await asyncio.sleep(timedelta(**time).total_seconds())

    def row(self, message: str) -> OutboxRow:
        """Return a message of the outbox."""
        return next(row for row in self.store.messages(limit=500) if row.id == message)

    def told(self, number: str = "INC-1") -> list[str]:
        """Return the kinds of events of an incident so far."""
        return [type(recorded.event).__name__ for recorded in self.store.timeline(number)]


H = TypeVar("H", bound=House)


@asynccontextmanager
async def living(built: H) -> AsyncIterator[H]:
    """Let a house live, and die without a word."""
    built.store.recover_sending()
    await built.desk.load()
    await built.dispatcher.load()
    tasks = [asyncio.create_task(run()) for run in (built.desk.run, built.timers.run, built.dispatcher.run)]
    try:
        yield built
    finally:
        for task in (*tasks, *built.dispatcher._busy.values()):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        built.results.close()
        built.store.close()
        built.pool.shutdown()


@asynccontextmanager
async def house(
    kept: Path | str, plan: Plan | None = None, directory: Directory = DIRECTORY, start: datetime = START
) -> Any:
    """Give a house in which everything runs; what it keeps is in a folder, or in the database of a URL."""
    listener = Listener(who="farid", by=("email",), on=("opened", "resolved"))
    built = House(kept, plan or Plan(ladder=LADDER, listeners=(listener,), ticket="builtin"), directory, start)
    await built.desk.load()
    tasks = [asyncio.create_task(run()) for run in (built.desk.run, built.timers.run, built.dispatcher.run)]
    try:
        yield built
    finally:
        await built.dispatcher.stop(0.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        built.results.close()
        built.store.close()
        built.pool.shutdown()
