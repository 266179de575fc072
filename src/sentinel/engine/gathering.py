"""Carries a digest: takes all that is gathered for a person and channel, sends it once, settles each message of it.

Nothing of it lives in memory only: until the carrier has it, each message stands in the outbox as one that is owed. A
crash on the way makes at most one copy, under the same id when it holds the same messages (rules DSP-3 and DSP-7).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol

import structlog
from msgspec.structs import replace

from sentinel.channels.base import Message, Undelivered
from sentinel.core import commands as c
from sentinel.core.model import Page, Refused
from sentinel.core.sending import digest_id
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.outbox import Lane, Outbox
from sentinel.engine.storm import ELSEWHERE_AFTER, Storms
from sentinel.engine.tries import Receipt, settlement
from sentinel.engine.unrecorded import LEVEL_CRITICAL
from sentinel.store.base import OutboxRow, Settlement, StoreUnavailable

log = structlog.get_logger(__name__)

TOGETHER_MAX: Final = 200  # Messages of a digest that are written in one go, so that others come between.

USED_UP: Final = "budget used up"
AT_ONCE_MAX: Final = 4  # Digests of a channel that are in memory at a time.


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a digest is: its id, to whom and by what, and when."""

    id: str
    person: str
    channel: str
    at: datetime


class Digests(Protocol):
    """Writes digests. An entry is what is kept of a message to be put into one."""

    def alone(self, row: OutboxRow) -> bool:
        """Tell whether a message is of those that are never gathered, as they hold what people wrote."""
        ...

    def entry(self, row: OutboxRow) -> Any:
        """Return what there is to say of a message in a digest."""
        ...

    def digest(self, occasion: Occasion, entries: Sequence[Any]) -> Message:
        """Write a digest.

        Raises:
            Undelivered: there is no address for this person and channel any more.
        """
        ...


class Post(Protocol):
    """What a digest has in common with any message."""

    async def burst(self, row: OutboxRow, write: Callable[[], Awaitable[Message]] | None) -> str:
        """Send what is written, or the row written out; return the carrier's reference.

        Raises:
            Undelivered: not now, or never.
        """
        ...

    def accepted(self, row: OutboxRow, now: datetime, reference: str, together: int = 1) -> Receipt:
        """Return what is to be written down of a message that a carrier took, with how many as one."""
        ...

    def missed(self, row: OutboxRow, failure: Undelivered) -> Receipt:
        """Return what is to be written down of a message that did not arrive."""
        ...

    def under_way(self, message: str) -> bool:
        """Tell whether a message is on its way by itself."""
        ...

    async def write_down(self, row: OutboxRow, command: c.Command | None, settlement: Settlement) -> None:
        """Write what came of a try, however long the store takes."""
        ...


class _Owed(NamedTuple):
    row: OutboxRow  # Without its body: thousands of them wait together.
    entry: Any


class _Sent(NamedTuple):
    accepted_at: datetime | None
    receipts: Iterator[tuple[OutboxRow, Receipt]]


class Gathering:
    """Carries the digests of all lanes."""

    def __init__(self, outbox: Outbox, desk: Desk, clock: Clock, storms: Storms) -> None:
        self._outbox = outbox
        self._desk = desk
        self._clock = clock
        self._storms = storms
        self.limited: Callable[[str], None] = lambda _channel: None
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE_MAX))

    async def put_off(self, rows: Sequence[tuple[OutboxRow, datetime]]) -> None:
        """Let messages wait for the digest of their lane; when the store takes nothing they are looked at again.

        Whose budget leaves no digest for a while is told another way meanwhile, once for each message.
        """
        now = self._clock.now()
        far = [(row, at) for row, at in rows if row.tries == 0 and at - now > ELSEWHERE_AFTER]
        rows = [one for one in rows if one not in far]
        for row, at in far:
            await self._elsewhere(row, at)
        settled = [replace(settlement(row, "pending", row.tries, now, error=row.error), due_at=at) for row, at in rows]
        try:
            await self._desk.settle(*settled)
        except StoreUnavailable as error:
            log.warning("not gathered", messages=len(rows), why=str(error))
            for row, _ in rows:
                self._storms.hold((row.person, row.channel), now)

    async def _elsewhere(self, row: OutboxRow, at: datetime) -> None:
        """Have the core try another way, and let the message wait for its digest all the same: never silence."""
        now = self._clock.now()
        waits = replace(settlement(row, "pending", row.tries + 1, now, error=USED_UP), due_at=at)
        try:
            await self._desk.order(row.incident, c.Fail(message=row.id, why=USED_UP, final=False), waits)
        except Refused:  # The incident is gone; the row comes to rest with its digest.
            await self.put_off([(replace(row, tries=row.tries + 1), at)])
        except StoreUnavailable as error:
            log.warning("not sent another way yet", message=row.id, why=str(error))
            self._storms.hold((row.person, row.channel), now)
        else:
            self.limited(row.channel)

    async def carry(self, lane: Lane, digests: Digests, post: Post) -> None:
        """Send what is gathered for a lane, and write down what came of it."""
        accepted_at: datetime | None = None
        try:
            async with self._turns[lane[1]]:
                sent = await self._send(lane, digests, post)
            accepted_at = sent.accepted_at
            while some := list(islice(sent.receipts, TOGETHER_MAX)):
                await asyncio.gather(*(post.write_down(row, *receipt) for row, receipt in some))
        except StoreUnavailable as error:
            log.warning("digest not sent", channel=lane[1], why=str(error))
            self._storms.hold(lane, self._clock.now())
        finally:
            self._storms.ended_digest(lane, accepted_at)

    async def _send(self, lane: Lane, digests: Digests, post: Post) -> _Sent:
        owed = await self._begun(await self._gathered(lane, digests, post))
        rows = [one.row for one in owed]
        if not rows:
            return _Sent(None, iter(()))
        worst = max(rows, key=lambda row: row.urgency)
        write = None
        if len(rows) > 1 or not rows[0].body:
            occasion = Occasion(digest_id(Page(*lane), (row.id for row in rows)), *lane, self._clock.now())
            entries = [one.entry for one in owed]
            write = partial(self._outbox.apart, digests.digest, occasion, entries)
        try:
            reference = await post.burst(worst, write)
        except Undelivered as failure:
            failed = failure  # What ``as`` binds is gone when the receipts are made.
            return _Sent(None, ((row, post.missed(row, failed)) for row in rows))
        now = self._clock.now()
        log.info("digest accepted", channel=lane[1], messages=len(rows))
        return _Sent(now, ((row, post.accepted(row, now, reference, len(rows))) for row in rows))

    async def _gathered(self, lane: Lane, digests: Digests, post: Post) -> list[_Owed]:
        bodies = 0

        def read(row: OutboxRow) -> _Owed | None:
            nonlocal bodies
            if digests.alone(row) or post.under_way(row.id):
                return None
            bodies += 1  # One that is gathered all by itself is sent as it is.
            return _Owed(row if bodies == 1 else replace(row, body=b""), digests.entry(row))

        found = await self._outbox.gathered(lane, self._clock.now(), read)
        return [one for one in found if one is not None]

    async def _begun(self, owed: Sequence[_Owed]) -> list[_Owed]:
        """Write that messages are being sent; return those that were not withdrawn meanwhile."""
        begun: list[_Owed] = []
        for at in range(0, len(owed), TOGETHER_MAX):
            some = owed[at : at + TOGETHER_MAX]
            now = self._clock.now()
            marks = [(row.incident, settlement(row, "sending", row.tries + 1, now)) for row, _ in some]
            try:
                wanted = await self._desk.begin_all(marks)
            except StoreUnavailable:
                if any(row.urgency >= LEVEL_CRITICAL for row, _ in owed[at:]):
                    return begun + list(owed[at:])  # What is critical does not wait for a disk.
                if not begun:
                    raise
                return begun  # What was marked must go; the rest goes with the next one.
            begun += [one for one in some if one.row.id in wanted]
        return begun
