"""Carries out what is owed: drains the outbox, hands each message to its channel, and reports back what came of it.

Here, once for all channels: the order, the limits, the burst of quick tries (tenacity), the long patience (rows), and
what happens at the end of it. A channel only carries one thing once (rules DSP-3 and DSP-4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec.structs import replace

from sentinel.channels.base import Message, Undelivered
from sentinel.core import commands as c
from sentinel.engine import bursts, ticketing
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.express import Doubtful, Express
from sentinel.engine.gathering import Digests, Gathering
from sentinel.engine.outbox import PAGE_MAX, Lane, Outbox
from sentinel.engine.passage import Carrier, Claim, Passage
from sentinel.engine.receipts import WRITE_FIRST_S, Receipts
from sentinel.engine.sending import CROWD, KEPT_FOR_S, LOOK_AGAIN_S, Ahead, Gate, Together
from sentinel.engine.storm import Storms, looked_back
from sentinel.engine.toll import Toll
from sentinel.engine.tries import TRY_LIMIT_S, Composer, Receipt, Telemetry, hear_nothing, pause_after, settlement
from sentinel.engine.unrecorded import LEVEL_CRITICAL, Unrecorded
from sentinel.store.base import MessageState, OutboxRow, Settlement, StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0

PAUSE_MAX_S = 3_600.0  # How long a carrier may ask us to wait between bursts.


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
        self.nobody_there: Callable[[OutboxRow], Awaitable[None]] = hear_nothing
        self.digests: Digests | None = None
        self.progressed_at = clock.monotonic()
        self._wake = asyncio.Event()
        self._look = True  # There may be something that was not read yet.
        self._stopping = False
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._ahead = Ahead(clock)
        self.write_down = Receipts(desk, Together(self._crowded), telemetry.bug).write_down
        self.unrecorded = Unrecorded(self.burst)
        self._ticketing = ticketing.Ticketing(outbox, clock, telemetry)
        self._storms = Storms()
        self._passage = Passage(self._storms, lambda: self.carriers, self._alone)
        self._gate = Gate(self._passage.at_once)
        self._toll = Toll(clock, telemetry)
        self._gathering = Gathering(outbox, desk, clock, self._storms)
        self._running = False
        self._doubtful = Doubtful(desk.settle)
        desk.express = Express(self, self._doubtful).around
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

    def at_rest(self) -> bool:
        """Tell whether nothing is under way."""
        return not self._busy

    def under_way(self, message: str) -> bool:
        """Tell whether a message is on its way by itself, marked or about to be."""
        return message in self._busy

    def wake(self) -> None:
        """Look at the outbox now."""
        self._look = True
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled."""
        self._running = True
        while True:
            self._wake.clear()
            started = 0
            look, self._look = self._look, False
            try:
                if look and self._busy:
                    await asyncio.sleep(LOOK_AGAIN_S)
                started = await (self._start_due() if look else self._start_kept())
            except StoreUnavailable as error:
                self._look = True
                log.warning("outbox not readable", why=str(error))
            self.progressed_at = self._clock.monotonic()
            if started < PAGE_MAX:
                await self._sleep()
            else:
                self._look = True

    def _crowded(self) -> bool:
        return len(self._busy) >= CROWD

    async def _sleep(self) -> None:
        wait_s = await self._until_next()
        self.progressed_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            self._look = True

    async def _until_next(self) -> float:
        if self._ahead:  # Whoever ends wakes us.
            return KEPT_FOR_S
        try:
            due = await self._outbox.next_due()
        except StoreUnavailable:
            due = None
        if due is None:
            return LOOK_EVERY_S
        return min(LOOK_EVERY_S, max(0.1, (due - self._clock.now()).total_seconds()))

    async def _start_kept(self) -> int:
        """Start what was read before, and read anew when there is none of it."""
        return await self._start_some(self._ahead.take(self._passage.room.has)) or await self._start_due()

    async def _start_due(self) -> int:
        """Start what is due; return how much of it was looked at."""
        looked_at = 0
        full = self._passage.room.full()
        while True:  # Once for all channels, and again for the others when one is full: it must not hide them.
            now = self._clock.now()
            rows = await self._outbox.due(now, list(self._busy), list(full), self._storms.held(now))
            late: list[OutboxRow] = []
            self._ahead.keep((), full)
            looked_at += await self._start_some(rows, late)
            digesting = set(self._storms.held(now))  # Those of a digest that has just begun are its own.
            late = [row for row in late if (row.person, row.channel) not in digesting]
            self._ahead.keep(late, full)
            full.update(row.channel for row in late)
            if len(rows) < PAGE_MAX or not late:
                return looked_at

    async def _start_some(self, rows: Iterable[OutboxRow], late: list[OutboxRow] | None = None) -> int:
        """Start rows, the most urgent of which come first; put into ``late`` those whose channel has no room."""
        now, looked_at = self._clock.now(), 0
        gathered: list[tuple[OutboxRow, datetime]] = []
        for row in rows:
            if row.id in self._busy:
                continue
            if not self._passage.room.has(row.channel, urgent=row.urgency >= LEVEL_CRITICAL):
                if late is not None:
                    late.append(row)
                continue
            looked_at += 1
            if (placed := self._passage.place(row, now)).how == "alone":
                self._start(row)
            elif placed.how == "digest":
                self._start_digest((row.person, row.channel))
            elif placed.how == "gathered":
                gathered.append((row, placed.at))
        if gathered:
            await self._gathering.put_off(gathered)
        return looked_at

    def _alone(self, row: OutboxRow) -> bool:
        return self.digests is None or self.digests.alone(row)

    def _start(self, row: OutboxRow) -> None:
        # A ticket may have been owed anew while it was being written.
        self._run(row.id, self._carry(self._passage.enter(row)), apart=row.kind == "ticket")

    def _leave(self, claim: Claim, accepted_at: datetime | None = None) -> None:
        """Let others in; the next ones are started when there is room for several."""
        if self._passage.leave(claim, accepted_at) and self._ahead:
            self._wake.set()

    # What goes at once, without having been read from the outbox ------------------------------------------------

    def claim(self, row: OutboxRow) -> Claim | None:
        """Give a message that is about to be written a place; nothing when it has to wait, or others wait already."""
        free = self._running and not self._ahead and row.id not in self._busy
        if not free or not self._passage.room.waits_for_nobody(row.channel):
            return None
        return self._passage.enter(row) if self._passage.place(row, self._clock.now()).how == "alone" else None

    def carry(self, claim: Claim) -> None:
        """Carry a message that was written as being sent."""
        self._run(claim.row.id, self._carry(claim, marked=True))

    def give_up(self, claim: Claim) -> None:
        """Take the place back: it was not written."""
        self._leave(claim)

    def doubt(self, claim: Claim) -> None:
        """Take the place back, and make what may have been written all the same wait in the outbox."""
        self._leave(claim)
        self._doubtful.add(self._unsent(claim.row))

    def _start_digest(self, lane: Lane) -> None:
        assert self.digests is not None, "nothing is gathered without what writes digests"
        self._storms.begin_digest(lane)
        self._ahead.drop(lane)
        self._run(f"digest/{lane[0]}/{lane[1]}", self._gathering.carry(lane, self.digests, self), apart=True)

    def _run(self, name: str, work: Coroutine[Any, Any, None], *, apart: bool = False) -> None:
        """Have work done; ``apart`` is what hides more than itself in the outbox until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._busy[name] = task

        def ended(_: object) -> None:
            del self._busy[name]
            if apart and not self._crowded():
                self.wake()

        task.add_done_callback(ended)

    async def _carry(self, claim: Claim, *, marked: bool = False) -> None:
        """Carry one thing as far as it goes this time, and write down what came of it."""
        row, receipt = claim.row, None
        try:
            receipt = await (self._ticketing.tried(row) if row.kind == "ticket" else self._tried(row, marked))
        finally:
            taken = receipt is not None and receipt[1].state == "done"
            # Others may be carried while the store still has to take the receipt.
            self._leave(claim, self._clock.now() if taken else None)
        if receipt is not None:
            await self.write_down(row, *receipt)

    def _bug(self, error: Exception) -> Undelivered:
        """Count an error of our own; to the process it is one more way that did not work."""
        self._telemetry.bug("dispatch")
        return Undelivered(f"Sentinel itself failed: {type(error).__name__}")

    # Messages ---------------------------------------------------------------------------------------------------

    async def _tried(self, row: OutboxRow, marked: bool) -> Receipt | None:
        """Try to send a message; nothing when it was not to be sent."""
        if not marked and not await self._begun(row):
            return None
        try:
            async with self._gate.through(row):
                if self._stopping:
                    return None, self._unsent(row)
                if self._desk.withdrawn(row.incident, row.id):  # While it waited for its turn.
                    return None
                reference = await self.burst(row)
        except Undelivered as failure:
            if failure.nobody_there:
                await self.nobody_there(row)
            return self.missed(row, failure)
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
            self._doubtful.add(self._unsent(row))
            await asyncio.sleep(WRITE_FIRST_S)
            return False

    def _unsent(self, row: OutboxRow) -> Settlement:
        """Return what puts a row back as it was; later, it would look like one that is gathered."""
        return replace(self._settlement(row, "pending", row.tries, error=row.error), due_at=row.due_at)

    async def burst(self, row: OutboxRow, write: Callable[[], Awaitable[Message]] | None = None) -> str:
        """Try a few times in quick succession; what is sent is the row written out, unless ``write`` writes another.

        Raises:
            Undelivered: not now, or never.
        """
        flow = self._passage.flow_of(row)
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

    async def _tries(self, row: OutboxRow, write: Callable[[], Awaitable[Message]] | None = None) -> str:
        message = self._compose(row) if write is None else await write()
        return await bursts.tried(lambda: self._once(row.channel, message))

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
        """Return what is to be written down of a message that did not arrive.

        The core tries another way at once; this one is tried for as long as the row may live.
        """
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
        self._stopping, self._running = True, False
        self._doubtful.end()
        self._gate.open()
        tasks = [*self._busy.values(), *self.unrecorded.under_way()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for carrier in self.carriers.values():
            await carrier.sender.close()
