"""The canary: a page of no incident that is sent now and then to an address of ours, and must come back in time.

It takes the way of every page: a row of the outbox, the dispatcher, a channel. What carriers say is not believed alone:
only what comes back has arrived.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
import structlog
from msgspec.structs import replace

from sentinel.engine.clock import Clock
from sentinel.engine.looking import keep_looking
from sentinel.engine.unrecorded import LEVEL_CRITICAL
from sentinel.store.base import OutboxRow, Store
from sentinel.store.plain_rows import Record

log = structlog.get_logger(__name__)

KEY: Final = "canary/"  # How the id of such a message begins.
SUBJECT: Final = "canary"
NAME: Final = "last"
LOOK_EVERY_S: Final = 5.0
TEXT_MAX_CHARS: Final = 64 * 1024  # Of what comes in so much is searched for its mark.
SLACK: Final = timedelta(minutes=1)
# What stands in its text; the second word shows that it is ours.
_MARK: Final = re.compile(r"CANARY-([0-9]{1,9})-([a-z2-7]{8,60})\b", re.IGNORECASE)

Back = Literal["mail", "sms", "webhook", "receipt"]


class CanaryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How often it is sent, by which channel, how it comes back, and within how long."""

    every: timedelta
    within: timedelta
    channel: str
    back: Back


class Flight(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last one: its number, when it was sent and came back; since when the last ones were lost."""

    number: int = 0
    sent_at: datetime | None = None
    back_at: datetime | None = None
    lost_at: datetime | None = None

    @property
    def out(self) -> bool:
        """Whether it is still awaited."""
        return self.sent_at is not None and (self.back_at is None or self.back_at < self.sent_at)


def mark_of(message: str, proof: str) -> str:
    """Return what stands in the text of one, given the id of its message and what proves that it is ours."""
    return f"CANARY-{message.removeprefix(KEY)}-{proof}"


class Canary:
    """Sends it, and waits for it. ``proof`` makes the second word of its mark; without a ``plan`` nothing is done.

    ``holds`` says that this is no moment to send one: the host is cut off, and everybody knows. ``wrote`` is called
    when one is to be sent, ``counted`` with what came of it, ``took`` with how long it was under way.
    """

    def __init__(self, kept: tuple[Store, Executor], clock: Clock, proof: Callable[[str], str]) -> None:
        self._store, self._writer = kept
        self._clock = clock
        self._proof = proof
        self.plan: CanaryPlan | None = None
        self.holds: Callable[[], bool] = lambda: False
        self.wrote: Callable[[], None] = lambda: None
        self.counted: Callable[[Literal["sent", "back", "lost"]], None] = lambda _result: None
        self.took: Callable[[float], None] = lambda _seconds: None
        self.flight = Flight()
        self._begun_at = clock.now()
        self._turn = asyncio.Lock()
        self.progressed_at = clock.monotonic()

    async def load(self) -> None:
        """Read which one was sent last.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        found = await asyncio.get_running_loop().run_in_executor(self._writer, self._store.records, SUBJECT)
        for record in found:
            self.flight = msgspec.json.decode(record.body, type=Flight)

    async def run(self) -> None:
        """Send and wait until cancelled."""
        await keep_looking(self, self._clock, LOOK_EVERY_S, "canary not sent; again soon")

    async def look(self) -> None:
        """Send one when it is time, and give up the one that is not back.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        if self.plan is None:
            return
        async with self._turn:
            flight, now = self.flight, self._clock.now()
            if flight.out and not flight.lost_at and now > self._awaited_until(self.plan):
                await self._keep(replace(flight, lost_at=now))
                self.counted("lost")
                log.error("the canary did not come back", canary=flight.number, channel=self.plan.channel)
            due = flight.sent_at is None or now >= flight.sent_at + self.plan.every
            if due and not self.holds():
                await self._send(self.plan, now)

    def _awaited_until(self, plan: CanaryPlan) -> datetime:
        """Return until when it may take; while Sentinel was down nothing could come in."""
        assert self.flight.sent_at is not None, "only what was sent is awaited"
        return max(self.flight.sent_at, self._begun_at) + plan.within

    async def _send(self, plan: CanaryPlan, now: datetime) -> None:
        """Owe the next one. Its number, and so its id, changes once this is on disk: a crash sends none twice."""
        number = self.flight.number + 1
        row = OutboxRow(
            id=f"{KEY}{number}",
            kind="message",
            incident="",
            sequence=0,
            person="",
            channel=plan.channel,
            urgency=LEVEL_CRITICAL,  # It must take what a page takes.
            body=msgspec.json.encode(number),
            created_at=now,
            due_at=now,
            give_up_at=now + plan.within,  # There is never more than one under way.
        )
        await self._run(self._store.owe_once, [row])
        await self._keep(replace(self.flight, number=number, sent_at=now))
        self.counted("sent")
        self.wrote()

    # What comes back ---------------------------------------------------------------------------------------------

    async def heard(self, text: str, by: Back) -> bool:
        """Take what came in at a door; tell whether it was a canary of ours, which is nobody's message.

        Raises:
            StoreUnavailable: that it is back is not on disk.
        """
        for number, proof in _MARK.findall(text[:TEXT_MAX_CHARS]):
            expected = self._proof(f"{KEY}{int(number)}")
            if expected and hmac.compare_digest(expected.casefold().encode(), proof.casefold().encode()):
                if self.plan is not None and by == self.plan.back:
                    await self._back(int(number))
                return True
        return False

    async def receipt(self, message: str) -> None:
        """Take a carrier's word that a message has reached a telephone."""
        number = message.removeprefix(KEY)
        if message.startswith(KEY) and number.isdecimal() and self.plan is not None and self.plan.back == "receipt":
            await self._back(int(number))

    async def _back(self, number: int) -> None:
        async with self._turn:
            flight, now = self.flight, self._clock.now()
            if number != flight.number or not flight.out or flight.sent_at is None:
                return  # An old one proves nothing of now; and each comes back once.
            await self._keep(replace(flight, back_at=max(now, flight.sent_at), lost_at=None))
            self.counted("back")
            self.took(max(0.0, (now - flight.sent_at).total_seconds()))

    # What can be asked -------------------------------------------------------------------------------------------

    def lost_since(self) -> datetime | None:
        """Return since when canaries are lost; nothing while they come back, or there are none."""
        return self.flight.lost_at if self.plan is not None else None

    def wrong(self) -> str:
        """Return what the self-test has to say: lost, or not even sent any more."""
        if self.plan is None:
            return ""
        if self.flight.lost_at is not None:
            return f"the last canary by {self.plan.channel} did not come back"
        last = max(self.flight.back_at or self._begun_at, self._begun_at)
        late = self._clock.now() - last > self.plan.every + self.plan.within + SLACK
        return f"no canary by {self.plan.channel} came back for {self._clock.now() - last}" if late else ""

    async def _keep(self, flight: Flight) -> None:
        await self._run(self._store.put_records, [Record(SUBJECT, NAME, msgspec.json.encode(flight))])
        self.flight = flight

    async def _run(self, call: Callable[..., object], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
