"""Tells managers of silences that hide much, or for long: one made by mistake or malice does not stay unseen (T29).

It need remember nothing: the id of a message follows from the silence, so that each is owed once, over restarts too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from msgspec.structs import replace

from sentinel.core.hearing import by_mail
from sentinel.core.matching import WIDE_TARGETS, Silence
from sentinel.core.model import Directory, Page
from sentinel.engine.clock import Clock
from sentinel.engine.live import Live, labels_of
from sentinel.engine.outbox import apart_row
from sentinel.engine.patterns import fits
from sentinel.store.base import OutboxRow, Store

log = structlog.get_logger(__name__)

ID: Final = "silence/"
CONTACTS: Final = ("incident_manager", "delivery_manager")
ROLES: Final = frozenset({"incident_manager", "delivery_manager"})
GIVE_UP_AFTER: Final = timedelta(hours=4)


@dataclass(slots=True)
class Covered:
    """What a silence speaks of: how many targets, and their services."""

    targets: int = 0
    services: set[str] = field(default_factory=set)


async def covered(live: Live, silences: Sequence[Silence]) -> list[Covered]:
    """Return what each silence speaks of; others have their turns in between."""
    found = [Covered() for _ in silences]
    if silences:
        for rows in live.slices():
            for row in rows:
                labels = labels_of(row)
                for one, silence in zip(found, silences, strict=True):
                    if silence.fits(labels, fits):
                        one.targets += 1
                        one.services.add(row.plan.service)
            await asyncio.sleep(0)
    return found


class WideSilences:
    """Looks at silences that are new. ``contacts`` knows those of a service, ``body`` writes what is said.

    ``owed`` is told that there are messages to send.
    """

    def __init__(self, live: Live, outbox: tuple[Store, Executor], clock: Clock) -> None:
        self._live = live
        self._store, self._writer = outbox
        self._clock = clock
        self.directory: Callable[[], Directory] = lambda: Directory(people={}, groups={}, channels={})
        self.contacts: Callable[[str], Mapping[str, tuple[str, ...]]] = lambda _service: {}
        self.body: Callable[[str, Silence, int, datetime], bytes] = lambda *_: b""
        self.owed: Callable[[], None] = lambda: None
        self._seen: set[str] = set()

    async def look(self, silences: Sequence[Silence]) -> None:
        """Tell of those that were not looked at yet.

        Raises:
            StoreUnavailable: it is not on disk; they will be looked at again.
        """
        new = [one for one in silences if _name(one) not in self._seen]
        for silence, found in zip(new, await covered(self._live, new), strict=True):
            if _hides_much(silence, found.targets):
                await self._tell(silence, found)
        self._seen = {_name(one) for one in silences}

    async def _tell(self, silence: Silence, found: Covered) -> None:
        now = self._clock.now()
        directory = replace(self.directory(), moment=now)
        pages = by_mail(self._managers(found.services, directory), directory)
        rows = [self._row(silence, page, found.targets, now) for page in pages if page.person]
        if not rows:
            log.warning("a wide silence, and no manager to tell", silence=silence.id, targets=found.targets)
        elif await asyncio.get_running_loop().run_in_executor(self._writer, self._store.owe_once, rows):
            log.info("managers are told of a silence", silence=silence.id, by=silence.by, targets=found.targets)
            self.owed()

    def _managers(self, services: Iterable[str], directory: Directory) -> tuple[str, ...]:
        """Return who answers for these services and for the whole; administrators when nobody does."""
        asked = [self.contacts(service) for service in sorted(services)]
        found = dict.fromkeys(who for one in asked for role in CONTACTS for who in one.get(role, ()))
        ours = [one for one in directory.people.values() if one.side == "provider"]
        found |= dict.fromkeys(one.id for one in ours if one.role in ROLES)
        return tuple(found) or tuple(one.id for one in ours if one.role == "administrator")

    def _row(self, silence: Silence, page: Page, targets: int, now: datetime) -> OutboxRow:
        message = f"{ID}{_name(silence)}/{page.person}/{page.channel}"
        body = self.body(message, silence, targets, now)
        return apart_row(message, page, body, now, give_up_after=GIVE_UP_AFTER)


def _name(silence: Silence) -> str:
    """Return what is told of once: what comes again at its first time, a silence anew when it is made longer."""
    return silence.origin or f"{silence.id}/{silence.ends_at:%Y%m%dT%H%M}"


def _hides_much(silence: Silence, targets: int) -> bool:
    """Tell whether managers hear of it. What comes again is as long as somebody chose for it: its width counts."""
    return targets >= WIDE_TARGETS if silence.origin else silence.needs_reason(targets)
