"""Asks gateways now and then how much credit is left: on the metrics page, and said when it runs low."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog

from sentinel.channels.base import Undelivered
from sentinel.channels.metered import Metered
from sentinel.channels.providers import Providers
from sentinel.engine import self_watch
from sentinel.engine.clock import Clock
from sentinel.engine.passage import Carrier

log = structlog.get_logger(__name__)

KEY: Final = f"{self_watch.KEY}{self_watch.CREDIT}/"
LOOK_EVERY_S: Final = 20.0
ASK_LIMIT_S: Final = 20.0
MISSED_MAX: Final = 4  # Then what was said last is not said any more.

Carriers = Callable[[], Mapping[str, Carrier]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one channel; it is asked again at a moment of the monotonic clock."""

    sender: Metered
    asked_again_at: float
    left: float | None = None
    missed: int = 0
    low_since: datetime | None = None


class Crediting:
    """Asks each channel that can say what is left, one after the other."""

    def __init__(self, carriers: Carriers, clock: Clock) -> None:
        self._carriers = carriers
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._looked = False

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Ask those whose time has come."""
        metered = {name: one for name, one in self._senders().items() if isinstance(one, Metered) and one.asked_every_s}
        # After a reload each is asked anew, and what is known of it stands until it has answered.
        self._known = {
            name: known if (known := self._known.get(name)) and known.sender is one else self._anew(name, one)
            for name, one in metered.items()
        }
        for name, known in list(self._known.items()):
            if self._clock.monotonic() >= known.asked_again_at:
                self._known[name] = await self._asked(name, known)
        self._looked = True

    def states(self) -> list[tuple[tuple[str, ...], float]]:
        """Return what is left, by channel."""
        return [((name,), known.left) for name, known in self._known.items() if known.left is not None]

    def low(self) -> dict[str, datetime]:
        """Return since when the credit of each channel is below what its configuration wants."""
        return {name: known.low_since for name, known in self._known.items() if known.low_since is not None}

    def undecided(self, key: str) -> bool:
        """Tell whether a signal is of a channel whose gateway has not answered since the start."""
        channel = key.removeprefix(KEY)
        known = self._known.get(channel)
        return channel != key and (known.left is None if known else not self._looked)

    def _senders(self) -> dict[str, object]:
        senders = {name: carrier.sender for name, carrier in self._carriers().items()}
        return {name: one.own if isinstance(one, Providers) else one for name, one in senders.items()}

    def _anew(self, name: str, sender: Metered) -> _Known:
        now = self._clock.monotonic()
        before = self._known.get(name)
        return _Known(sender, now) if before is None else replace(before, sender=sender, asked_again_at=now)

    async def _asked(self, name: str, known: _Known) -> _Known:
        next_at = self._clock.monotonic() + known.sender.asked_every_s
        try:
            async with asyncio.timeout(ASK_LIMIT_S):
                left = await known.sender.credit()
        except (Undelivered, TimeoutError) as error:
            log.warning("credit not known", channel=name, why=str(error) or "no answer")
            missed = known.missed + 1
            lasting = known.left if missed < MISSED_MAX else None
            return replace(known, asked_again_at=next_at, missed=missed, left=lasting)
        low = left < known.sender.low_below
        low_since = (known.low_since or self._clock.now()) if low else None
        return replace(known, asked_again_at=next_at, missed=0, left=left, low_since=low_since)
