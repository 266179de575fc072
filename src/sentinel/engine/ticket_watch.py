"""What people change in a ticket back-end comes back: taken there is acknowledged here, resolved there resolved here.

A change is what a ticket shows now against how it was last left or seen, which stands in the incident: so our own
changes are none, and a restart forgets nothing. Before a ticket is brought in line it is looked at, or what somebody
did there a moment ago would be undone (rules DSP-2 and DSP-6).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from msgspec.structs import replace

from sentinel.channels.base import Undelivered
from sentinel.core import commands as c
from sentinel.core import events as e
from sentinel.core.model import Refused
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.looking import woken
from sentinel.engine.tries import TRY_LIMIT_S, Telemetry
from sentinel.store.base import Store, StoreUnavailable
from sentinel.tickets.base import Ticket, TicketBackend, TicketChange, TicketHearing, TicketReference

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0  # However seldom a back-end is asked.
LOOK_MIN_S: Final = 0.5
BATCH_MAX: Final = 200  # Tickets that are asked for at once; the others have their turn next.
BACKOFF_MAX_S: Final = 600.0
ASKED_MAX: Final = 1_000  # Tickets that webhooks have named and that nobody has looked at yet.
OVER: Final = frozenset({"resolved", "closed"})
TAKEN: Final = frozenset({"acknowledged", "pending"})

Draw = Callable[[Incident, str], Awaitable[Ticket]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A back-end, whether and how often it is asked for changes, and what it calls people: by their ids here."""

    backend: TicketBackend
    follow: bool = True
    every_s: float = 60.0
    people: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Turn:
    """When a back-end is asked next, how often it has failed since, and from which ticket on."""

    due_at: float = 0.0
    failures: int = 0
    place: int = 0
    asked: set[str] = field(default_factory=set)


class TicketWatch:
    """Writes tickets and hears what became of them. ``followed`` is replaced as a whole by a reload.

    ``draw`` writes an incident out as the ticket that one back-end gets.
    """

    def __init__(
        self, desk: Desk, store: tuple[Store, Callable[..., Awaitable[Any]]], clock: Clock, draw: Draw
    ) -> None:
        self._desk = desk
        self._store, self._read = store
        self._clock = clock
        self._draw = draw
        self._followed: dict[str, Followed] = {}
        self._turns: dict[str, _Turn] = {}
        self._markers: dict[tuple[str, str], str] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._puts: dict[tuple[str, str], int] = {}
        self._wake = asyncio.Event()
        self._visits: dict[str, asyncio.Task[None]] = {}
        self.counted: Telemetry | None = None
        self.progressed_at = clock.monotonic()

    @property
    def followed(self) -> dict[str, Followed]:
        """Return the back-ends by their names."""
        return self._followed

    @followed.setter
    def followed(self, backends: dict[str, Followed]) -> None:
        self._followed = backends
        self._turns = {name: self._turns.get(name) or _Turn() for name in backends}
        self._wake.set()

    # From here to there -----------------------------------------------------------------------------------------

    async def put(self, name: str, state: Incident) -> TicketReference:
        """Bring a ticket in line, after taking in what people did there.

        Raises:
            Undelivered: not now, or never.
            StoreUnavailable: what was done there cannot be written down here.
        """
        one, key = self._followed[name], (name, state.number)
        async with self._lock(key):
            self._puts[key] = self._puts.get(key, 0) + 1
            reference = reference_of(state, name)
            if one.follow and reference:
                for change in await one.backend.changes({reference: ""}):
                    # As it is now: while the lock was waited for, the same change may have been taken in.
                    await self._take(name, await self._read(self._store.incident, state.number) or state, change)
                state = await self._read(self._store.incident, state.number) or state
            kept = await one.backend.put(replace(await self._draw(state, name), reference=reference))
            if one.follow:
                kept = await self._seen(name, state, kept)
            self._puts[key] += 1
            return kept

    async def _seen(self, name: str, state: Incident, kept: TicketReference) -> TicketReference:
        """Write down how a ticket was left: what it shows later otherwise was done there."""
        for change in await self._followed[name].backend.changes({kept.reference: ""}):
            kept = replace(kept, state=change.state, assignee=change.assignee)
            await self._remember(name, state.number, change, kept.url)
        return kept

    # From there to here -----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ask the back-ends until cancelled, each in its own rhythm, less often while it fails."""
        try:
            while True:
                self.progressed_at = self._clock.monotonic()
                self._wake.clear()
                self._begin_due()
                wait_s = min((turn.due_at for turn in self._turns.values()), default=math.inf) - self._clock.monotonic()
                await woken(self._wake, min(LOOK_EVERY_S, max(LOOK_MIN_S, wait_s)))
        finally:
            while self._visits:  # Whoever is begun again begins anew.
                self._visits.popitem()[1].cancel()

    def _begin_due(self) -> None:
        """Visit who is due, each by itself: a back-end that is slow holds no other up."""
        for name, task in list(self._visits.items()):
            if task.done():
                del self._visits[name]
                task.result()  # A bug of ours ends the loop, is counted, and the loop is begun again.
        now = self._clock.monotonic()
        for name, turn in self._turns.items():
            if name not in self._visits and (turn.asked or turn.due_at <= now):
                self._visits[name] = asyncio.get_running_loop().create_task(self._visit(name))
                self._visits[name].add_done_callback(lambda _: self._wake.set())

    async def _visit(self, name: str) -> None:
        one, turn = self._followed[name], self._turns[name]
        turn.due_at = self._clock.monotonic() + one.every_s  # Also when a bug ends this.
        pause_s = one.every_s
        try:
            async with asyncio.timeout(TRY_LIMIT_S):
                if one.follow:
                    await self.look(name)
                else:
                    self._forget(name, self._open(name))
            turn.failures = 0
            outcome = "ok"
        except Undelivered as failure:
            outcome, pause_s = failure.outcome, self._backoff_s(name, failure.why)
        except TimeoutError:
            outcome, pause_s = "timeout", self._backoff_s(name, f"no answer within {TRY_LIMIT_S:g} s")
        except StoreUnavailable as error:
            outcome, pause_s = "retry", self._backoff_s(name, str(error))
        if self.counted is not None and one.follow:
            self.counted.ticket(name, outcome, "changes")
        turn.due_at = self._clock.monotonic() + pause_s

    def _backoff_s(self, name: str, why: str) -> float:
        turn = self._turns[name]
        turn.failures += 1
        turn.asked.clear()
        log.warning("changes of tickets not known", backend=name, tries=turn.failures, why=why)
        return min(BACKOFF_MAX_S, self._followed[name].every_s * (1 << min(turn.failures, 10)))

    async def look(self, name: str) -> None:
        """Ask one back-end once for what has changed.

        Raises:
            Undelivered: it does not tell.
            StoreUnavailable: what was done there cannot be written down here.
        """
        turn, open_ones = self._turns[name], self._open(name)
        self._forget(name, open_ones)
        asked, turn.asked = turn.asked & open_ones.keys(), set()
        chosen = self._batch(turn, sorted(open_ones), asked)
        if not chosen:
            return
        known = {ref: "" if ref in asked else self._markers.get((name, ref), "") for ref in chosen}
        puts = {ref: self._puts.get((name, open_ones[ref].number), 0) for ref in chosen}
        for change in await self._followed[name].backend.changes(known):
            state = open_ones.get(change.reference)
            if state is None or change.reference not in puts:
                continue
            async with self._lock((name, state.number)):
                if self._puts.get((name, state.number), 0) == puts[change.reference]:  # Else it is older than our put.
                    await self._take(name, self._fresh(state), change)

    async def heard(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take a webhook of a back-end; what it names is looked at next.

        Raises:
            KeyError: there is no such back-end, or it has no webhooks.
            ValueError: it cannot be read.
        """
        backend = self._followed[name].backend
        if not isinstance(backend, TicketHearing):
            raise KeyError(name)
        news = backend.heard(headers, body)
        turn = self._turns[name]
        turn.asked |= set(news.look_at[: ASKED_MAX - len(turn.asked)])
        if turn.asked:
            self._wake.set()
        await self._take_all(name, news.changes)

    async def _take_all(self, name: str, changes: Iterable[TicketChange]) -> None:
        known = self._open(name)
        for change in changes:
            state = known.get(change.reference)
            if state is not None:
                async with self._lock((name, state.number)):
                    await self._take(name, self._fresh(state), change)

    async def _take(self, name: str, state: Incident, change: TicketChange) -> None:
        """Make of a ticket as it is what follows for its incident; then it is how it was last seen."""
        await self._take_comments(name, state, change)
        before = state.there.get(name)
        if before is not None:
            command = self._command(name, state, before, change)
            if command is not None:
                await self._order(name, state, command, change)
        await self._remember(name, state.number, change, "" if name in state.plan.mirrors else state.ticket_url)

    async def _take_comments(self, name: str, state: Incident, change: TicketChange) -> None:
        if not change.comments:
            return
        timeline = await self._read(self._store.timeline, state.number)
        known = {recorded.event.source for recorded in timeline if isinstance(recorded.event, e.Noted)}
        for comment in change.comments:
            source = f"{name}:{change.reference}/{comment.id}"
            if source not in known and comment.text.strip():
                by = self._who(name, comment.by)
                await self._desk.order(state.number, c.Note(by=by, text=comment.text, quiet=True, source=source))

    def _command(self, name: str, state: Incident, before: tuple[str, str], change: TicketChange) -> c.Command | None:
        was, had = before
        if change.state in OVER:
            if was in OVER or not state.active:
                return None
            last = change.comments[-1].text if change.comments else ""
            text = change.text.strip() or last.strip() or f"resolved in {name}"
            by = self._who(name, change.by or change.assignee)
            return c.Resolve(by=by, text=text, close_by=self._desk.close_by(self._clock.now()))
        if was in OVER:
            by = self._who(name, change.by or change.assignee)
            return c.Reopen(by=by, why=f"reopened in {name}") if state.phase == "resolved" else None
        taken = change.state in TAKEN and (was not in TAKEN or change.assignee != had)
        if taken and state.phase == "open":
            return c.Acknowledge(by=self._who(name, change.assignee or change.by), via=name)
        return None

    async def _order(self, name: str, state: Incident, command: c.Command, change: TicketChange) -> None:
        try:
            await self._desk.order(state.number, command)
            log.info("followed a ticket", incident=state.number, backend=name, state=change.state)
        except (
            Refused
        ) as refusal:  # The ticket is brought back in line with the incident; whoever changed it reads why.
            log.warning("ticket not followed", incident=state.number, backend=name, why=str(refusal))
            text = f"the ticket in {name} is {change.state}, but: {refusal}"
            await self._desk.order(state.number, c.Note(by="", text=text, quiet=True))

    async def _remember(self, name: str, number: str, change: TicketChange, url: str) -> None:
        link = c.LinkTicket(
            backend=name, reference=change.reference, url=url, state=change.state, assignee=change.assignee
        )
        with suppress(Refused):  # The incident is gone.
            await self._desk.order(number, link)
        self._markers[name, change.reference] = change.marker

    # --------------------------------------------------------------------------------------------------------------

    def _who(self, name: str, called: str) -> str:
        """Return the id of the person whom a back-end calls so; else that name, and where it is from."""
        if not called:
            return name
        people = self._followed[name].people
        by_hand = next((person for person, there in people.items() if there.casefold() == called.casefold()), None)
        if by_hand is not None:
            return by_hand
        directory = self._desk.policy.directory.people
        by_mail = [
            one.id for one in directory.values() if one.addresses.get("email", "").casefold() == called.casefold()
        ]
        return by_mail[0] if len(by_mail) == 1 else f"{called} ({name})"

    def called(self, name: str, person: str) -> str:
        """Return what a back-end calls a person; empty when nobody has said so."""
        return self._followed[name].people.get(person, "")

    def _open(self, name: str) -> dict[str, Incident]:
        """Return the unfinished incidents that have a ticket in a back-end, by what it calls them."""
        return {ref: state for state in self._desk.open() if (ref := reference_of(state, name))}

    def _fresh(self, state: Incident) -> Incident:
        return next((one for one in self._desk.open() if one.number == state.number), state)

    def _lock(self, key: tuple[str, str]) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _forget(self, name: str, open_ones: Mapping[str, Incident]) -> None:
        """Let go of what is known of tickets whose incidents are over."""
        for key in [key for key in self._markers if key[0] == name and key[1] not in open_ones]:
            del self._markers[key]
        numbers = {state.number for state in open_ones.values()}
        known = self._puts.keys() | self._locks.keys()
        for key in [key for key in known if key[0] == name and key[1] not in numbers]:
            if not self._lock(key).locked():
                self._puts.pop(key, None)
                del self._locks[key]

    @staticmethod
    def _batch(turn: _Turn, references: list[str], asked: set[str]) -> list[str]:
        first = sorted(asked)[:BATCH_MAX]
        if turn.place >= len(references):
            turn.place = 0
        rest = references[turn.place : turn.place + BATCH_MAX - len(first)]
        turn.place += len(rest)
        return list(dict.fromkeys([*first, *rest]))


def reference_of(state: Incident, name: str) -> str:
    """Return how a back-end calls the ticket of an incident; empty when it has none there."""
    if name in state.plan.mirrors:
        return state.mirrored.get(name, "")
    return state.ticket if name == state.plan.ticket else ""
