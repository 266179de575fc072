"""Carries out what is owed: drains the outbox, hands each message to its channel, and reports back what came of it.

Here, once for all channels: the order, the limits, the burst of quick tries (tenacity), the long patience (rows), and
what happens at the end of it. A channel only carries one thing once (rules DSP-3 and DSP-4).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog
from msgspec.structs import replace
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from sentinel.channels.base import Message, Sender, Undelivered
from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.core.state import Incident
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.store.base import MessageState, OutboxRow, Settlement, Store, StoreUnavailable
from sentinel.tickets.base import TicketReference

log = structlog.get_logger(__name__)

T = TypeVar("T")

LOOK_EVERY_S = 5.0
PAGE_MAX = 200
CONCURRENCY = 4
TRY_LIMIT_S = 40.0  # One try; channels set tighter limits of their own.
BURST_TRIES = 3
BURST_FIRST_S = 0.5
BURST_MAX_S = 5.0
PATIENCE_MAX_S = 60.0  # How long a carrier may ask us to wait inside a burst.
BACKOFF = tuple(timedelta(seconds=s) for s in (15, 30, 60, 120, 300, 600))
LEVEL_CRITICAL = 3
UNRECORDED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Carrier:
    """A channel ready to carry: how to send a row by it, and how many at once."""

    sender: Sender
    concurrency: int = CONCURRENCY


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox as the dispatcher reads it: in a thread, so that a slow disk does not hold the loop."""

    store: Store
    reader: Executor

    async def due(self, now: datetime, busy: list[str], full: list[str]) -> list[OutboxRow]:
        """Return a page of what is due."""
        return await self._read(self.store.due, now, PAGE_MAX, busy, full)

    async def next_due(self) -> datetime | None:
        """Return when the next row is due."""
        return await self._read(self.store.next_due)

    async def incident(self, number: str) -> Incident | None:
        """Return an incident as it is on disk."""
        return await self._read(self.store.incident, number)

    async def _read(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.reader, call, *arguments)


class Composer(Protocol):
    """Writes a row out as a message in the reader's language, to their address of now."""

    def __call__(self, row: OutboxRow) -> Message:
        """Return the message.

        Raises:
            Undelivered: there is no address for this person and channel any more.
        """
        ...


TicketWriter = Callable[[Incident], Awaitable[TicketReference]]


class Telemetry(Protocol):
    """What the dispatcher counts."""

    def attempt(self, channel: str, outcome: str) -> None:
        """Count one try to hand a message over."""

    def ended(self, channel: str, result: str, waited_s: float) -> None:
        """Count a message that is accepted or given up."""

    def ticket(self, backend: str, result: str) -> None:
        """Count one try at a ticket."""


class Dispatcher:
    """Sends what is due. ``carriers`` and ``tickets`` are replaced as a whole by a reload."""

    def __init__(self, outbox: Outbox, desk: Desk, clock: Clock, compose: Composer, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._desk = desk
        self._clock = clock
        self._compose = compose
        self._telemetry = telemetry
        self.carriers: dict[str, Carrier] = {}
        self.tickets: dict[str, TicketWriter] = {}
        self.progressed_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._load: Counter[str] = Counter()
        self._accepted: dict[str, Settlement] = {}
        self._unrecorded: dict[tuple[str, str, str], asyncio.Task[None] | None] = {}
        self._stopping = False

    def wake(self) -> None:
        """Look at the outbox now."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._wake.clear()
            started = 0
            try:
                started = await self._start_due()
            except StoreUnavailable as error:
                log.warning("outbox not readable", why=str(error))
            self.progressed_at = self._clock.monotonic()
            if started < PAGE_MAX:
                await self._sleep()

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(await self._until_next()):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _until_next(self) -> float:
        try:
            due = await self._outbox.next_due()
        except StoreUnavailable:
            due = None
        if due is None:
            return LOOK_EVERY_S
        return min(LOOK_EVERY_S, max(0.1, (due - self._clock.now()).total_seconds()))

    async def _start_due(self) -> int:
        full = [name for name, load in self._load.items() if load >= self._limit(name)]
        busy = list(self._busy)
        rows = await self._outbox.due(self._clock.now(), busy, full)
        started = 0
        for row in rows:
            if row.id in self._busy or self._load[row.channel] >= self._limit(row.channel):
                continue
            self._start(row)
            started += 1
        return started

    def _limit(self, channel: str) -> int:
        carrier = self.carriers.get(channel)
        return carrier.concurrency if carrier else CONCURRENCY

    def _start(self, row: OutboxRow) -> None:
        work = self._carry_ticket(row) if row.kind == "ticket" else self._carry(row)
        task = asyncio.get_running_loop().create_task(work)
        self._busy[row.id] = task
        self._load[row.channel] += 1

        def ended(_: object) -> None:
            del self._busy[row.id]
            self._load[row.channel] -= 1
            self._wake.set()

        task.add_done_callback(ended)

    # Messages ---------------------------------------------------------------------------------------------------

    async def _carry(self, row: OutboxRow) -> None:
        """Carry one message as far as it goes this time, and write down what came of it."""
        try:
            if row.id in self._accepted:  # It left, but that could not be written: never send it again.
                await self._desk.settle(self._accepted[row.id])
                del self._accepted[row.id]
                return
            await self._desk.settle(self._settlement(row, "sending", row.tries + 1))
            try:
                reference = await self._burst(row)
            except Undelivered as failure:
                await self._missed(row, failure)
                return
            done = self._settlement(row, "done", row.tries + 1, reference=reference)
            self._accepted[row.id] = done
            self._telemetry.ended(row.channel, "accepted", (self._clock.now() - row.created_at).total_seconds())
            log.info("message accepted", message=row.id, channel=row.channel, tries=row.tries + 1)
            await self._order(row, c.Accept(message=row.id, reference=reference, tries=row.tries + 1), done)
            self._accepted.pop(row.id, None)
        except StoreUnavailable as error:
            log.warning("not settled; looked at again soon", message=row.id, why=str(error))
            await asyncio.sleep(1.0)

    async def _burst(self, row: OutboxRow) -> str:
        """Try a few times in quick succession.

        Raises:
            Undelivered: not now, or never.
        """
        message = self._compose(row)
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(BURST_TRIES),
            wait=_patience,
            retry=retry_if_exception(_worth_another_try),
            sleep=asyncio.sleep,
            reraise=True,
        ):
            with attempt:
                return await self._once(row.channel, message)
        raise AssertionError("the last try returns or raises")

    async def send_once(self, channel: str, message: Message) -> str:
        """Send one message now, past the outbox: for tests of a channel.

        Raises:
            Undelivered: the carrier did not take it.
        """
        return await self._once(channel, message)

    async def _once(self, channel: str, message: Message) -> str:
        carrier = self.carriers.get(channel)
        if carrier is None:
            raise Undelivered(f"channel {channel} is not configured any more", permanent=True)
        try:
            async with asyncio.timeout(TRY_LIMIT_S):
                reference = await carrier.sender.send(message)
        except TimeoutError:
            self._telemetry.attempt(channel, "timeout")
            raise Undelivered(f"no answer within {TRY_LIMIT_S:g} s", outcome="timeout") from None
        except Undelivered as failure:
            self._telemetry.attempt(channel, failure.outcome)
            raise
        self._telemetry.attempt(channel, "ok")
        return reference

    async def _missed(self, row: OutboxRow, failure: Undelivered) -> None:
        """Let the core try another way at once, and keep trying this one for as long as the row may live."""
        now = self._clock.now()
        pause = BACKOFF[min(row.tries, len(BACKOFF) - 1)]
        final = failure.permanent or now + pause >= row.give_up_at
        log.warning("message not accepted", message=row.id, channel=row.channel, final=final, why=failure.why)
        settlement = self._settlement(row, "dead" if final else "pending", row.tries + 1, error=failure.why)
        if not final:
            settlement = replace(settlement, due_at=now + pause)
        else:
            self._telemetry.ended(row.channel, "failed" if failure.permanent else "expired", 0.0)
        await self._order(row, c.Fail(message=row.id, why=failure.why, final=final), settlement)

    async def _order(self, row: OutboxRow, command: c.Command, settlement: Settlement) -> None:
        try:
            await self._desk.order(row.incident, command, settlement)
        except Refused as refusal:  # The incident is gone; the row must still come to rest.
            log.warning("receipt refused", message=row.id, why=str(refusal))
            await self._desk.settle(settlement)

    def _settlement(
        self, row: OutboxRow, state: MessageState, tries: int, *, reference: str = "", error: str = ""
    ) -> Settlement:
        now = self._clock.now()
        return Settlement(
            id=row.id,
            sequence=row.sequence,
            state=state,
            tries=tries,
            due_at=now,
            at=now,
            reference=reference,
            error=error,
        )

    # Tickets ----------------------------------------------------------------------------------------------------

    async def _carry_ticket(self, row: OutboxRow) -> None:
        """Bring a ticket in line. A back-end that is down delays the ticket, never a page (rule DSP-2)."""
        write = self.tickets.get(row.channel)
        try:
            if write is None:
                await self._desk.settle(self._settlement(row, "dead", row.tries + 1, error="no such back-end any more"))
                return
            try:
                reference = await self._ticket(row, write)
            except Undelivered as failure:
                self._telemetry.ticket(row.channel, failure.outcome)
                pause = BACKOFF[min(row.tries, len(BACKOFF) - 1)]
                settlement = self._settlement(row, "pending", row.tries + 1, error=failure.why)
                await self._desk.settle(replace(settlement, due_at=self._clock.now() + pause))
                return
            self._telemetry.ticket(row.channel, "ok")
            done = self._settlement(row, "done", row.tries + 1, reference=reference.reference)
            link = c.LinkTicket(backend=row.channel, reference=reference.reference, url=reference.url)
            await self._order(row, link, done)
        except StoreUnavailable as error:
            log.warning("ticket not settled; looked at again soon", ticket=row.id, why=str(error))
            await asyncio.sleep(1.0)

    async def _ticket(self, row: OutboxRow, write: TicketWriter) -> TicketReference:
        state = await self._outbox.incident(row.incident)
        if state is None:
            raise Undelivered(f"{row.incident} is gone", permanent=True)
        try:
            async with asyncio.timeout(TRY_LIMIT_S):
                return await write(state)
        except TimeoutError:
            raise Undelivered(f"no answer within {TRY_LIMIT_S:g} s", outcome="timeout") from None

    # When the disk takes nothing --------------------------------------------------------------------------------

    def send_unrecorded(self, owed: Sequence[tuple[Incident, OutboxRow]]) -> None:
        """Send critical pages that could not be written, once for each fault and person: better unrecorded than unsent.

        They are sent again, recorded, when the store is back: what may come twice is said by its text.
        """
        for state, row in owed:
            key = (state.dedup, row.person, row.channel)
            if row.kind != "message" or row.urgency < LEVEL_CRITICAL or key in self._unrecorded:
                continue
            while len(self._unrecorded) >= UNRECORDED_MAX:
                self._unrecorded.pop(next(iter(self._unrecorded)))
            self._unrecorded[key] = asyncio.get_running_loop().create_task(self._send_unrecorded(key, row))

    async def _send_unrecorded(self, key: tuple[str, str, str], row: OutboxRow) -> None:
        try:
            await self._burst(row)
        except Undelivered as failure:
            log.error("page neither recorded nor sent", message=row.id, why=failure.why)
            del self._unrecorded[key]  # The next report of the same fault tries again.
        else:
            log.warning("page sent unrecorded", message=row.id, channel=row.channel)
            self._unrecorded[key] = None

    def recorded(self, dedup: str) -> None:
        """Forget what was sent unrecorded of a fault: from now on the outbox knows."""
        for key in [key for key in self._unrecorded if key[0] == dedup]:
            del self._unrecorded[key]

    async def retire(self, carriers: dict[str, Carrier]) -> None:
        """Close channels that a reload replaced, once what they were sending is through."""
        tasks = list(self._busy.values())
        if tasks:
            await asyncio.wait(tasks, timeout=TRY_LIMIT_S)
        for carrier in carriers.values():
            await carrier.sender.close()

    async def stop(self, within_s: float) -> None:
        """Finish what is being sent, for so long at most; what is left stays in the outbox."""
        tasks = list(self._busy.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for carrier in self.carriers.values():
            await carrier.sender.close()


def _worth_another_try(error: BaseException) -> bool:
    """Tell whether a try in the same burst makes sense: not when the message may already have been accepted."""
    if not isinstance(error, Undelivered) or error.permanent or error.outcome == "timeout":
        return False
    return error.after_s is None or error.after_s <= PATIENCE_MAX_S


_usual_wait = wait_exponential(multiplier=BURST_FIRST_S, max=BURST_MAX_S) + wait_random(0, BURST_FIRST_S)


def _patience(state: RetryCallState) -> float:
    """Wait as long as the carrier asked, or a little longer each time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Undelivered) and error.after_s is not None:
        return error.after_s
    return float(_usual_wait(state))
