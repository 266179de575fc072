"""Keeps results: gathers them for a second and writes them in one transaction, off the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import timedelta

import msgspec
import structlog

from sentinel.core.model import Result
from sentinel.engine.clock import Clock
from sentinel.engine.live import Live, Row
from sentinel.rules import Track
from sentinel.store.base import ProbeEvent, ProbeState, ResultStore, Sample, StoreUnavailable

log = structlog.get_logger(__name__)

EVERY_S = 1.0
PENDING_MAX = 200_000  # Samples held while the disk takes none; the oldest go first.
PACK_EVERY_S = 600.0


class Recorder:
    """Writes states, changes and samples behind the loop's back. Losing the last second is allowed; judging is not."""

    def __init__(self, store: ResultStore, writer: Executor, clock: Clock, keep: timedelta) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self.keep = keep
        self.progressed_at = clock.monotonic()
        self._dirty: dict[tuple[str, str], Row] = {}
        self._events: list[ProbeEvent] = []
        self._samples: list[Sample] = []

    def restore(self, live: Live, states: list[ProbeState]) -> None:
        """Give every target back what was known of it."""
        for state in states:
            row = live.row(state.probe, state.target)
            if row is not None:
                row.track = msgspec.json.decode(state.track, type=Track)
                row.last = state.last

    def add(self, row: Row, result: Result) -> None:
        """Take a result."""
        self._dirty[(result.probe, result.target)] = row
        self._samples.append(Sample(result.probe, result.target, result.at, result.ok, result.duration_s))

    def event(self, event: ProbeEvent) -> None:
        """Take a failure or a change of state."""
        self._events.append(event)

    async def run(self) -> None:
        """Write once a second, pack and prune now and then, until cancelled."""
        packed_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()
            if self._clock.monotonic() - packed_at > PACK_EVERY_S:
                packed_at = self._clock.monotonic()
                await self._tidy()
            self.progressed_at = self._clock.monotonic()

    async def flush(self) -> None:
        """Write what has gathered; what the disk does not take stays for the next time, within a limit."""
        if not (self._dirty or self._events or self._samples):
            return
        dirty, self._dirty = self._dirty, {}
        events, self._events = self._events, []
        samples, self._samples = self._samples, []
        states = [
            ProbeState(probe=probe, target=target, track=msgspec.json.encode(row.track), last=row.last)
            for (probe, target), row in dirty.items()
            if row.last is not None
        ]
        try:
            await self._off_loop(self._store.record, states, events, samples)
        except StoreUnavailable as error:
            log.warning("results not written", samples=len(samples), why=str(error))
            self._dirty = {**dirty, **self._dirty}
            self._events = [*events, *self._events][-PENDING_MAX:]
            self._samples = [*samples, *self._samples][-PENDING_MAX:]

    async def _tidy(self) -> None:
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        try:
            await self._off_loop(self._store.pack, hour)
            await self._off_loop(self._store.prune, now - self.keep)
        except StoreUnavailable as error:
            log.warning("results not packed", why=str(error))

    async def _off_loop(self, call: Callable[..., object], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
