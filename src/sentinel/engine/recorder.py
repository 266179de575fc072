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


class Recorder:
    """Writes states, changes and samples behind the loop's back. Losing the last second is allowed; judging is not.

    ``trouble`` says why the store took nothing the last time; empty when it did.
    """

    def __init__(self, store: ResultStore, writer: Executor, clock: Clock, keep: timedelta) -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self.keep = keep
        self.progressed_at = clock.monotonic()
        self.trouble = ""
        self._dirty: dict[tuple[str, str], Row] = {}
        self._events: list[ProbeEvent] = []
        self._samples: list[Sample] = []

    def restore(self, live: Live, states: list[ProbeState]) -> None:
        """Give every target back what was known of it."""
        for state in states:
            row = live.row(state.probe, state.target)
            if row is None:
                continue
            try:
                row.track = msgspec.json.decode(state.track, type=Track)
            except msgspec.DecodeError as error:  # Its next run says anew how it is.
                log.warning("state not readable", probe=state.probe, target=state.target, why=str(error))
                continue
            row.last = state.last

    def add(self, row: Row, result: Result) -> None:
        """Take a result."""
        self._dirty[(result.probe, result.target)] = row
        self._samples.append(Sample(result.probe, result.target, result.at, result.ok, result.duration_s))

    def event(self, event: ProbeEvent) -> None:
        """Take a failure or a change of state."""
        self._events.append(event)

    async def run(self) -> None:
        """Write once a second until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.flush()
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
            self.trouble = str(error)
            self._dirty = {**dirty, **self._dirty}
            self._events = [*events, *self._events][-PENDING_MAX:]
            self._samples = [*samples, *self._samples][-PENDING_MAX:]
        else:
            self.trouble = ""

    async def tidy(self, live: Live) -> None:
        """Pack what is old enough, forget what is too old and what is configured no more; it may take a while."""
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        try:
            await self._off_loop(self._store.pack, hour)
            await self._off_loop(self._store.prune, now - self.keep)
            await self._off_loop(self._store.forget, [(row.plan.name, row.target) for row in live.rows()])
        except StoreUnavailable as error:
            log.warning("results not packed", why=str(error))

    async def _off_loop(self, call: Callable[..., object], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)
