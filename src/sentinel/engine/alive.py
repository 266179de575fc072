"""Says at places elsewhere that Sentinel is alive, and only when it is: a dead man's switch hears the silence.

A self-test comes first. The probes run, the store takes a write and gives it back, what is owed leaves, no loop stands
still. It is made whether or not there is a place to tell: what fails stands on the metrics page within a minute (I18).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from sentinel.channels.base import Undelivered
from sentinel.engine.clock import Clock
from sentinel.metrics import Sample
from sentinel.store.base import StoreUnavailable

log = structlog.get_logger(__name__)

OVERDUE_MAX = timedelta(minutes=1)  # The dispatcher takes what is due within seconds.
TEST_EVERY_S = 30.0  # What fails is on the metrics page within a minute.
TEST_LIMIT_S = 15.0  # For each part of it.
CALL_LIMIT_S = 15.0
LOOK_EVERY_S = 10.0
# Before a place is told that the self-test fails: its alarm rings at once, and silence gives those some time who start.
FAIL_AFTER = timedelta(minutes=2)
WHY_MAX_CHARS = 1_000

Check = Callable[[], Awaitable[str]]


class Place(Protocol):
    """A place elsewhere that is told that Sentinel lives."""

    async def alive(self) -> None:
        """Say that all is well.

        Raises:
            Undelivered: nobody heard it.
        """

    async def failing(self, why: str) -> None:
        """Say what is not, where the place understands that.

        Raises:
            Undelivered: nobody heard it.
        """


class Alive:
    """Tests, then tells. ``places`` are replaced by a reload; without any it only tests.

    ``checks`` say what is wrong, in a few words, or nothing. ``counted`` hears of each cycle: sent, failed or held.
    """

    def __init__(self, clock: Clock, checks: dict[str, Check]) -> None:
        self._clock = clock
        self._checks = checks
        self.places: Mapping[str, Place] = {}
        self.every_s = 60.0
        self.test_every_s = TEST_EVERY_S
        self.counted: Callable[[str], None] = lambda _result: None
        self.progressed_at = clock.monotonic()
        self.passed_at: datetime | None = None
        self.failing: dict[str, str] = {}
        self.failing_since: dict[str, datetime] = {}
        self._heard: dict[str, bool] = {}
        self._told_at = float("-inf")
        self._rang = False

    async def run(self) -> None:
        """Test and tell until cancelled."""
        tested_at = float("-inf")
        while True:
            now_s = self.progressed_at = self._clock.monotonic()
            if now_s - tested_at >= min(self.test_every_s, self.every_s):
                tested_at = now_s
                await self.test()
                if self._due():
                    await self._tell()
            self.progressed_at = self._clock.monotonic()  # Standing still and waiting look different from outside.
            await asyncio.sleep(LOOK_EVERY_S)

    async def cycle(self) -> str:
        """Test once, tell what came of it, and return how that went: ``sent``, ``failed`` or ``held``."""
        await self.test()
        return await self._tell()

    async def test(self) -> dict[str, str]:
        """Return what is wrong by the name of its check; nothing when all is well."""
        found = {}
        for name, check in self._checks.items():
            self.progressed_at = self._clock.monotonic()
            try:
                async with asyncio.timeout(TEST_LIMIT_S):
                    said = await check()
            except (StoreUnavailable, OSError) as error:  # TimeoutError is one
                said = str(error) or f"no answer within {TEST_LIMIT_S:g} s"
            if said:
                found[name] = " ".join(said.split())[:WHY_MAX_CHARS]
        self._note(found)
        return found

    def _note(self, found: dict[str, str]) -> None:
        now = self._clock.now()
        for name in [name for name in self.failing_since if name not in found]:
            log.warning("self-test: well again", check=name)
            del self.failing_since[name]
        for name in [name for name in found if name not in self.failing_since]:
            log.error("self-test fails", check=name, why=found[name])
            self.failing_since[name] = now
        self.failing = found
        if not found:
            self.passed_at = now

    # What is told ------------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        """Tell whether the places are to hear something: at their turn, or because the alarm begins or ends."""
        waited_s = self._clock.monotonic() - self._told_at
        return bool(self.places) and (waited_s >= self.every_s - LOOK_EVERY_S / 2 or self._ringing() != self._rang)

    def _ringing(self) -> bool:
        """Tell whether it has failed for so long that silence alone is not enough."""
        now = self._clock.now()
        return now - min(self.failing_since.values(), default=now) >= FAIL_AFTER

    async def _tell(self) -> str:
        """Tell all places at once; one that hangs must not keep the others waiting."""
        self._told_at = self._clock.monotonic()
        self._rang = self._ringing()
        why = "; ".join(self.said())
        if not why:
            heard = await asyncio.gather(*(self._call(name, place.alive()) for name, place in self.places.items()))
            result = "sent" if heard and all(heard) else "failed" if heard else "held"
        else:
            result = "held"
            log.error("not alive enough to say so", wrong=sorted(self.failing))
            if self._rang:
                await asyncio.gather(*(self._call(name, place.failing(why)) for name, place in self.places.items()))
        self.counted(result)
        return result

    async def _call(self, name: str, call: Awaitable[None]) -> bool:
        self.progressed_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await call
        except (Undelivered, TimeoutError) as error:
            # The address is a secret, and what is wrong with it may quote it: only the sort of trouble is logged.
            log.warning("nobody there to hear whether we live", place=name, why=type(error).__name__)
            self._heard[name] = False
        else:
            self._heard[name] = True
        return self._heard[name]

    # What can be asked -------------------------------------------------------------------------------------------

    def said(self) -> list[str]:
        """Return what is wrong, each in a line; nothing when all is well."""
        return [f"{name}: {why}" for name, why in self.failing.items()]

    def failing_for(self, names: Iterable[str]) -> dict[str, timedelta]:
        """Return for how long each of these checks has failed, those alone that do."""
        now = self._clock.now()
        return {name: now - self.failing_since[name] for name in names if name in self.failing_since}

    def states(self) -> dict[str, Callable[[], list[Sample]]]:
        """Return the metrics of the self-test and of the places."""
        return {
            "sentinel_self_test_failing": lambda: [((name,), float(name in self.failing)) for name in self._checks],
            "sentinel_self_test_passed_timestamp_seconds": lambda: (
                [((), self.passed_at.timestamp())] if self.passed_at else []
            ),
            "sentinel_alive_place_up": lambda: [
                ((name,), float(up)) for name, up in self._heard.items() if name in self.places
            ],
        }


def overdue(next_due: datetime | None, now: datetime) -> str:
    """Return that what is owed does not leave, if it does not."""
    if next_due is None or now - next_due <= OVERDUE_MAX:
        return ""
    return f"messages are due since {next_due:%Y-%m-%d %H:%M:%S} UTC"
