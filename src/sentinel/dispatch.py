"""Carries out what is owed: drains the outbox, hands each message to its channel, and reports back what came of it.

Here, once for all channels: the order, the limits, the burst of quick tries (tenacity), the long patience (rows), and
what happens at the end of it. A channel only carries one thing once (rules DSP-3 and DSP-4).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

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
from sentinel.core.flow import Flow
from sentinel.core.model import Refused
from sentinel.engine import ticketing
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.gathering import Digests, Gathering
from sentinel.engine.outbox import PAGE_MAX, Lane, Outbox
from sentinel.engine.storm import Placed, Storms, looked_back
from sentinel.engine.toll import Toll
from sentinel.engine.tries import TRY_LIMIT_S, Composer, Receipt, Telemetry, pause_after, settlement
from sentinel.engine.unrecorded import LEVEL_CRITICAL, Unrecorded
from sentinel.store.base import MessageState, OutboxRow, Settlement, StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0

CONCURRENCY = 4
BURST_TRIES = 3
BURST_FIRST_S = 0.5
BURST_MAX_S = 5.0
PATIENCE_MAX_S = 60.0  # How long a carrier may ask us to wait inside a burst.
PAUSE_MAX_S = 3_600.0  # How long a carrier may ask us to wait between bursts.
WRITE_FIRST_S = 1.0  # What came of a try is written again so soon when the store does not take it,
WRITE_MAX_S = 15.0  # and then less often.


@dataclass(frozen=True, slots=True)
class Carrier:
    """A channel ready to carry: how to send a row by it, how many at once; and how much, if it reaches people."""

    sender: Sender
    concurrency: int = CONCURRENCY
    flow: Flow | None = None


class Dispatcher:
    """Sends what is due. ``carriers`` and ``tickets`` are replaced as a whole by a reload.

    Where a carrier has a flow and there are ``digests``, storms are gathered (rule DSP-7).
    """

    def __init__(self, outbox: Outbox, desk: Desk, clock: Clock, compose: Composer, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._desk = desk
        self._clock = clock
        self._compose = compose
        self._telemetry = telemetry
        self.carriers: dict[str, Carrier] = {}
        self.digests: Digests | None = None
        self.progressed_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._load: Counter[str] = Counter()
        self.unrecorded = Unrecorded(self._burst)
        self._ticketing = ticketing.Ticketing(outbox, clock, telemetry)
        self._storms = Storms()
        self._toll = Toll(clock, telemetry)
        self._gathering = Gathering(outbox, desk, clock, self._storms)
        self._gathering.limited = lambda channel: telemetry.ended(channel, "rate_limited", 0.0)

    @property
    def tickets(self) -> dict[str, ticketing.TicketWriter]:
        """Return the ticket back-ends."""
        return self._ticketing.writers

    @tickets.setter
    def tickets(self, writers: dict[str, ticketing.TicketWriter]) -> None:
        self._ticketing.writers = writers

    async def load(self) -> None:
        """Read what left lately, so that a restart gives nobody a second helping (rule DSP-7).

        Raises:
            StoreUnavailable: it cannot be read.
        """
        flows = {name: carrier.flow for name, carrier in self.carriers.items() if carrier.flow is not None}
        passed = await self._outbox.sent_since(self._clock.now() - looked_back(flows.values()))
        self._toll.restore(passed, flows)
        self._storms.restore(passed, await self._outbox.slots(), flows)

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
        wait_s = await self._until_next()
        self.progressed_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(wait_s):
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
        now = self._clock.now()
        full = [name for name, load in self._load.items() if load >= self._limit(name)]
        rows = await self._outbox.due(now, list(self._busy), full, self._storms.held(now))
        looked_at = 0
        gathered: list[tuple[OutboxRow, datetime]] = []
        for row in rows:
            if row.id in self._busy or self._load[row.channel] >= self._limit(row.channel):
                continue
            looked_at += 1
            if (placed := self._place(row, now)).how == "alone":
                self._start(row)
            elif placed.how == "digest":
                self._start_digest((row.person, row.channel))
            elif placed.how == "gathered":
                gathered.append((row, placed.at))
        if gathered:
            await self._gathering.put_off(gathered)
        return looked_at

    def _place(self, row: OutboxRow, now: datetime) -> Placed:
        """Say whether a row goes by itself. Only what is about incidents is ever gathered, and only for people."""
        flow = self._flow_of(row)
        if flow is None or self.digests is None or not row.incident or self.digests.alone(row):
            return Placed("alone", now)
        return self._storms.place((row.person, row.channel), row.incident, flow, now)

    def _flow_of(self, row: OutboxRow) -> Flow | None:
        carrier = self.carriers.get(row.channel)
        return carrier.flow if carrier and row.person and row.kind == "message" else None

    def _limit(self, channel: str) -> int:
        carrier = self.carriers.get(channel)
        return carrier.concurrency if carrier else CONCURRENCY

    def _start(self, row: OutboxRow) -> None:
        flow = self._flow_of(row)
        if flow is not None:
            self._storms.begin((row.person, row.channel), row.incident, flow)
        self._load[row.channel] += 1
        self._run(row.id, self._carry(row, flow))

    def _start_digest(self, lane: Lane) -> None:
        assert self.digests is not None, "nothing is gathered without what writes digests"
        self._storms.begin_digest(lane)
        self._run(f"digest/{lane[0]}/{lane[1]}", self._gathering.carry(lane, self.digests, self))

    def _run(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._busy[name] = task

        def ended(_: object) -> None:
            del self._busy[name]
            self._wake.set()

        task.add_done_callback(ended)

    async def _carry(self, row: OutboxRow, flow: Flow | None) -> None:
        """Carry one thing as far as it goes this time, and write down what came of it."""
        receipt = None
        try:
            receipt = await (self._ticketing.tried(row) if row.kind == "ticket" else self._tried(row))
        finally:
            self._load[row.channel] -= 1  # Others may be carried while the store still has to take the receipt.
            self._wake.set()
            if flow is not None:
                taken = receipt is not None and receipt[1].state == "done"
                self._storms.ended((row.person, row.channel), row.incident, self._clock.now() if taken else None)
        if receipt is not None:
            await self.write_down(row, *receipt)

    async def write_down(self, row: OutboxRow, command: c.Command | None, settlement: Settlement) -> None:
        """Write what came of a try, however long the store takes: nobody else knows, and it must not be sent again."""
        pause_s = WRITE_FIRST_S
        while True:
            try:
                if command is None or not row.incident:  # A notice of a hand-over belongs to no incident.
                    await self._desk.settle(settlement)
                else:
                    await self._order(row, command, settlement)
            except StoreUnavailable as error:
                log.warning("not settled; written again soon", message=row.id, in_s=pause_s, why=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(WRITE_MAX_S, pause_s * 2)
            else:
                return

    async def _order(self, row: OutboxRow, command: c.Command, settlement: Settlement) -> None:
        try:
            await self._desk.order(row.incident, command, settlement)
        except Refused as refusal:  # The incident is gone; the row must still come to rest.
            log.warning("receipt refused", message=row.id, why=str(refusal))
            await self._desk.settle(settlement)

    def _bug(self, error: Exception) -> Undelivered:
        """Count an error of our own; to the process it is one more way that did not work."""
        self._telemetry.bug("dispatch")
        return Undelivered(f"Sentinel itself failed: {type(error).__name__}")

    # Messages ---------------------------------------------------------------------------------------------------

    async def _tried(self, row: OutboxRow) -> Receipt | None:
        """Try to send a message; nothing when it was not to be sent."""
        if not await self._begun(row):
            return None
        try:
            reference = await self._burst(row)
        except Undelivered as failure:
            return self._missed(row, failure)
        log.info("message accepted", message=row.id, channel=row.channel, tries=row.tries + 1)
        return self.accepted(row, self._clock.now(), reference)

    def accepted(self, row: OutboxRow, now: datetime, reference: str, together: int = 1) -> Receipt:
        """Return what is to be written down of a message that a carrier took, with how many as one."""
        self._telemetry.ended(row.channel, "accepted", max(0.0, (now - row.created_at).total_seconds()))
        told = c.Accept(message=row.id, reference=reference, tries=row.tries + 1, together=together)
        return told, settlement(row, "done", row.tries + 1, now, reference=reference)

    async def _begun(self, row: OutboxRow) -> bool:
        """Write that a message is being sent; tell whether it is to be. What is critical does not wait for a disk."""
        try:
            return await self._desk.begin(row.incident, self._settlement(row, "sending", row.tries + 1))
        except StoreUnavailable as error:
            log.warning("not marked as being sent", message=row.id, why=str(error))
            if row.urgency >= LEVEL_CRITICAL:
                return True
            await asyncio.sleep(WRITE_FIRST_S)
            return False

    async def burst(self, row: OutboxRow, write: Callable[[], Message] | None = None) -> str:
        """Try a few times in quick succession; what is sent is the row written out, unless ``write`` writes another.

        Raises:
            Undelivered: not now, or never.
        """
        return await self._burst(row, write)

    async def _burst(self, row: OutboxRow, write: Callable[[], Message] | None = None) -> str:
        flow = self._flow_of(row)
        if flow is not None:
            self._toll.spend(row, flow)
        try:
            return await self._tries(row, write)
        except Undelivered as failure:
            if failure.outcome != "timeout":  # Else it may have been taken, and paid for.
                self._toll.give_back(row.channel)
            raise
        except Exception as error:  # The task's edge: a bug in one channel must not keep a page from another way.
            log.exception("bug in channel", message=row.id, channel=row.channel)
            raise self._bug(error) from error

    async def _tries(self, row: OutboxRow, write: Callable[[], Message] | None = None) -> str:
        message = self._compose(row) if write is None else write()
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

    def missed(self, row: OutboxRow, failure: Undelivered) -> Receipt:
        """Return what is to be written down of a message that did not arrive."""
        return self._missed(row, failure)

    def _missed(self, row: OutboxRow, failure: Undelivered) -> Receipt:
        """Let the core try another way at once, and keep trying this one for as long as the row may live."""
        now = self._clock.now()
        asked = timedelta(seconds=min(failure.after_s or 0.0, PAUSE_MAX_S))
        pause = max(asked, pause_after(row.tries))
        final = failure.permanent or now >= row.give_up_at
        log.warning("message not accepted", message=row.id, channel=row.channel, final=final, why=failure.why)
        settlement = self._settlement(row, "dead" if final else "pending", row.tries + 1, error=failure.why)
        if not final:  # The last try comes when the time is up, not before.
            settlement = replace(settlement, due_at=max(now, min(now + pause, row.give_up_at)))
        else:
            self._telemetry.ended(row.channel, "failed" if failure.permanent else "expired", 0.0)
        return c.Fail(message=row.id, why=failure.why, final=final), settlement

    def _settlement(self, row: OutboxRow, state: MessageState, tries: int, **more: str) -> Settlement:
        return settlement(row, state, tries, self._clock.now(), **more)

    # The end of carriers ----------------------------------------------------------------------------------------

    async def retire(self, carriers: dict[str, Carrier]) -> None:
        """Close channels that a reload replaced, once what they were sending is through."""
        tasks = list(self._busy.values())
        if tasks:
            await asyncio.wait(tasks, timeout=TRY_LIMIT_S)
        for carrier in carriers.values():
            await carrier.sender.close()

    async def stop(self, within_s: float) -> None:
        """Finish what is being sent, for so long at most; what is left stays in the outbox."""
        tasks = [*self._busy.values(), *self.unrecorded.under_way()]
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
