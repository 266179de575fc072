"""Keeps results: gathers them for a second and writes them in one transaction, off the loop.

Every run leaves a sample, which is appended; the state of a target is written when it changes, for writing ten
thousand of them over and over would fill the disk's log. What runs without a change leave behind, when a target was
last seen and last fine, follows at a start from the newest sample of each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog
from msgspec.structs import replace

from sentinel.core.model import Result
from sentinel.engine.clock import Clock
from sentinel.engine.live import Live, Row
from sentinel.rules import Track
from sentinel.store.base import ProbeEvent, ProbeState, ResultStore, Sample, StoreUnavailable

log = structlog.get_logger(__name__)

EVERY_S = 1.0
NEWEST_EVERY_S = 300.0  # So far back a start after a crash looks through single samples.
PENDING_MAX = 200_000  # Samples held while the disk takes none; the oldest go first.


class Recorder:
    """Writes states, changes and samples behind the loop's back. Losing the last second is allowed; judging is not.

    ``zone`` is the time zone in whose days runs are counted.
    ``trouble`` says why the store took nothing the last time; empty when it did.
    """

    def __init__(self, store: ResultStore, writer: Executor, clock: Clock, keep: timedelta, zone: str = "UTC") -> None:
        self._store = store
        self._writer = writer
        self._clock = clock
        self.keep = keep
        self.zone = zone
        self.progressed_at = clock.monotonic()
        self.trouble = ""
        self._dirty: dict[tuple[str, str], Row] = {}
        self._events: list[ProbeEvent] = []
        self._samples: list[Sample] = []
        self._live: Live | None = None
        self._newest_kept_at = clock.monotonic()
        self._writing = asyncio.Lock()

    async def load(self, live: Live) -> None:
        """Give every target back what was known of it, and keep from now on when each was last seen."""
        loop = asyncio.get_running_loop()
        states = await loop.run_in_executor(self._writer, self._store.states)
        newest = await loop.run_in_executor(self._writer, self._store.newest)
        self.restore(live, states, newest)
        self._live = live

    def restore(self, live: Live, states: Iterable[ProbeState], newest: Iterable[Sample] = ()) -> None:
        """Give every target back its last state, and what its newest sample says beyond it."""
        for state in states:
            row = live.row(state.probe, state.target)
            if row is None:
                continue
            try:
                row.track = msgspec.json.decode(state.track, type=Track)
            except msgspec.DecodeError as error:  # Its next run says anew how it is.
                log.warning("state not readable", probe=state.probe, target=state.target, why=str(error))
                continue
            live.ran(row, state.last)
            row.kept = _standing(row, state.last)
        for sample in newest:
            row = live.row(sample.probe, sample.target)
            if row is not None and row.last is not None and row.last.at < sample.at:
                _go_on(live, row, row.last, sample)

    def add(self, row: Row, result: Result) -> None:
        """Take a result."""
        standing = _standing(row, result)
        if row.kept != standing:
            row.kept = standing
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
            if self._clock.monotonic() - self._newest_kept_at >= NEWEST_EVERY_S:
                await self._keep_newest()
            self.progressed_at = self._clock.monotonic()

    async def finish(self) -> None:
        """Write what has gathered and when each target was last seen, so that the next start is quick."""
        await self.flush()
        await self._keep_newest()

    async def flush(self) -> None:
        """Write what has gathered; what the disk does not take stays for the next time, within a limit."""
        async with self._writing:
            if self._dirty or self._events or self._samples:
                await self._flush()

    async def _flush(self) -> None:
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

    async def _keep_newest(self) -> None:
        """Keep when each target was last seen; without it a start looks further back, and is slower."""
        self._newest_kept_at = self._clock.monotonic()
        if self._live is None:
            return
        try:
            await self._off_loop(self._put_newest, list(self._live.rows()))
        except StoreUnavailable as error:
            log.warning("newest results not kept", why=str(error))

    def _put_newest(self, rows: list[Row]) -> None:
        lasts = [row.last for row in rows if row.last is not None]
        samples = [Sample(last.probe, last.target, last.at, last.ok, last.duration_s) for last in lasts]
        self._store.keep_newest(samples, self._clock.now())

    async def tidy(self, live: Live) -> None:
        """Pack what is old enough, forget what is too old and what is configured no more; it may take a while."""
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        # Before samples leave the tail, where a start would look for those that came after the last time.
        await self._keep_newest()
        try:
            await self._off_loop(self._store.pack, hour, ZoneInfo(self.zone))
            await self._off_loop(self._store.prune, now - self.keep)
            async with self._writing:  # A state that is written meanwhile, of a target that is new, is not to be lost.
                await self._off_loop(self._store.forget, [(row.plan.name, row.target) for row in live.rows()])
        except StoreUnavailable as error:
            log.warning("results not packed", why=str(error))

    async def _off_loop(self, call: Callable[..., object], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)


def _standing(row: Row, result: Result) -> int:
    """Return a number that is another one when a state is to be written; as a number, since each target has one.

    Not in it is what every good run changes: when it was, how long it took, and that it was the last good one.
    """
    track = row.track
    return hash((track.failing, track.since, track.streak, track.streak_since, result.ok, result.reason, result.detail))


def _go_on(live: Live, row: Row, last: Result, sample: Sample) -> None:
    """Take over what a run after the last change of state says; what it measured is not known any more."""
    if sample.ok != last.ok:  # Its state was not written with it: its next run says anew how it is.
        return
    live.ran(row, replace(last, at=sample.at, duration_s=sample.duration_s, value=None, suspect=False, doubt=""))
    if sample.ok and not row.track.failing:
        row.track = replace(row.track, last_good_at=sample.at)
