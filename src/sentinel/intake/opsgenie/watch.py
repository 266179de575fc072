"""What time brings to the alerts and heartbeats of Opsgenie's clients: silence, the end of a snooze, of an incident."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from msgspec.structs import replace

from sentinel.core import commands as c
from sentinel.core.model import Refused
from sentinel.engine.alerts import TooMany
from sentinel.intake.opsgenie import acts
from sentinel.intake.opsgenie.acts import Asked, Created
from sentinel.intake.opsgenie.attachments import Attachments
from sentinel.intake.opsgenie.book import Book
from sentinel.intake.opsgenie.records import Beat, Kept
from sentinel.intake.opsgenie.searches import Searches
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0
TIDY_EVERY_LOOKS: Final = 60
LOOKED_AT_TOGETHER: Final = 200
HEARTBEATS_MAX: Final = 1_000  # Of an integration.
BY: Final = "heartbeat"


class Watch:
    """Looks at all of it now and then. A heartbeat is heard from ``listening_since`` on."""

    def __init__(self, book: Book, folder: Path) -> None:
        self.book = book
        self.searches = Searches(book.shelf)
        self.attachments = Attachments(folder, book.shelf)
        self.listening_since = book.clock.now()
        self.progressed_at = book.clock.monotonic()

    async def load(self) -> None:
        """Read what is kept.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self.book.load()
        await self.searches.load()
        await self.attachments.load()

    async def run(self) -> None:
        """Look until cancelled."""
        looks = 0
        while True:
            self.progressed_at = self.book.clock.monotonic()
            try:
                await self.look()
                looks += 1
                if looks % TIDY_EVERY_LOOKS == 0:
                    await self.book.tidy()
                    await self.attachments.tidy(self.book)
            except (StoreUnavailable, TooMany) as error:
                log.warning("opsgenie alerts not looked at; again soon", why=str(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Do what is due now.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        now = self.book.clock.now()
        for number, kept in enumerate(self.book.open()):
            if number % LOOKED_AT_TOGETHER == 0:
                await asyncio.sleep(0)  # Thousands must not hold up a page.
            if self._concerns(kept, now):
                async with self.book.lock(kept.integration, kept.alias):
                    await self._see(kept, now)
        for beat in list(self.book.beats.values()):
            if self.expires(beat, now):
                await self._expire(beat, now)

    def expires(self, beat: Beat, now: datetime) -> bool:
        """Tell whether a heartbeat falls silent now."""
        return beat.enabled and beat.expired_at is None and beat.due_at(self.listening_since) <= now

    def _concerns(self, kept: Kept, now: datetime) -> bool:
        state = self.book.incident(kept)
        number = state.number if state is not None and state.active else ""
        woken = kept.snoozed_until is not None and kept.snoozed_until <= now
        return number != kept.incident or woken or not self.book.is_said(kept)

    async def _see(self, seen: Kept, now: datetime) -> None:
        """Bring an alert in line with its incident."""
        kept = self.book.find(seen.integration, seen.id, "id")
        if kept is None or not (kept := await self.book.settled(kept)).open:
            return
        state = self.book.incident(kept)
        if state is not None and state.active and state.number != kept.incident:
            kept = replace(kept, incident=state.number)
            await self.book.keep(kept)
        if not self.book.is_said(kept):
            await self.book.say(kept)
        if kept.snoozed_until is not None and kept.snoozed_until <= now:
            if state is not None and state.phase == "pending":
                await self._wake(state.number)
            await self.book.keep(replace(kept, snoozed_until=None).written(now, "Snooze ended"))

    async def _wake(self, number: str) -> None:
        try:
            await self.book.desk.order(number, c.Resume(by="", text="The snooze has ended."))
        except Refused as refusal:  # Somebody was quicker.
            log.info("snooze ended", incident=number, why=str(refusal))

    # Heartbeats -------------------------------------------------------------------------------------------------

    async def ping(self, integration: str, name: str) -> bool:
        """Hear a heartbeat, on disk before it holds; its alert is over. Tell whether there is one of that name.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        beat = self.book.beats.get((integration, name))
        if beat is None:
            return False
        now = self.book.clock.now()
        await self.book.keep(beats=[replace(beat, pinged_at=now, expired_at=None)])
        if beat.expired_at is not None:
            await self._over(beat, "The heartbeat is back.")
        return True

    async def put(self, beat: Beat) -> Beat:
        """Keep a heartbeat that somebody changed; while it is not watched it has no alert.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self.book.keep(beats=[beat])
        if not beat.enabled:
            await self._over(beat, "The heartbeat is not watched any more.")
        return beat

    async def remove(self, beat: Beat) -> None:
        """Forget a heartbeat, and end its alert.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self.book.forget_beat(beat)
        await self._over(beat, "The heartbeat was deleted.")

    async def _over(self, beat: Beat, why: str) -> None:
        if self.book.find(beat.integration, beat.alias, "alias") is None:
            return
        asked = Asked(
            integration=beat.integration, action="Close", by=BY, note=why, identifier=beat.alias, kind="alias"
        )
        await acts.do(self.book, asked, acts.close)

    async def _expire(self, beat: Beat, now: datetime) -> None:
        wanted = Created(
            message=beat.message or f"{beat.name} is expired",
            alias=beat.alias,
            priority=beat.priority,
            source=BY,
            user=BY,
            description=f"No ping of the heartbeat {beat.name} for {beat.interval} {beat.unit}.\n{beat.description}",
            entity=beat.name,
            tags=beat.tags,
            details={"heartbeat": beat.name},
            responders=(beat.team,) if beat.team else (),
        )
        await acts.create(self.book, wanted, Asked(integration=beat.integration, action="Create", by=BY))
        current = self.book.beats.get((beat.integration, beat.name))
        if current is None or not current.enabled or current.pinged_at != beat.pinged_at:  # It came meanwhile.
            await self._over(beat, "The heartbeat is back.")
            return
        await self.book.keep(beats=[replace(current, expired_at=now)])
        log.info("heartbeat expired", heartbeat=beat.name, integration=beat.integration)
