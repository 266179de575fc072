"""The metrics page: Sentinel's own metrics by the client library, the ``probe_*`` families by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from sentinel.engine import crises, series, targets
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.live import Live, counted
from sentinel.metrics import Meters, Sample, incident_counts, oldest_unacknowledged, request_counts
from sentinel.store.base import Store

OPENMETRICS = "application/openmetrics-text"
# Every name here is one that this version of the format can write, and old scrapers read nothing newer.
TEXT = "text/plain; version=0.0.4; charset=utf-8"
END = b"# EOF\n"


class Pages:
    """Writes the page. What only the database knows is refreshed beside it, so that a scrape never waits for a disk."""

    def __init__(self, meters: Meters, live: Live, desk: Desk, store: Store, clock: Clock) -> None:
        self._meters = meters
        self._live = live
        self._desk = desk
        self._store = store
        self._clock = clock
        self._queue: dict[str, tuple[int, datetime]] = {}
        self._owed_tickets: dict[str, datetime] = {}
        self._size_bytes = 0
        self._last_cycle: datetime | None = None
        self._counts: Counter[tuple[str, str]] = Counter()
        meters.states.update(
            {
                "sentinel_probes": lambda: [(key, float(number)) for key, number in self._counts.items()],
                "sentinel_incidents": lambda: incident_counts(desk.open()),
                "sentinel_requests": lambda: request_counts(desk.open()),
                "sentinel_sla_target_seconds": self._promised,
                "sentinel_sla_remaining_seconds": lambda: targets.remaining(
                    desk.open(), desk.policy.directory, clock.now()
                ),
                "sentinel_crisis_step_late_seconds": lambda: crises.steps_late(desk.open(), clock.now()),
                "sentinel_crisis_update_due_timestamp_seconds": lambda: crises.updates_due(desk.open()),
                "sentinel_incident_oldest_unacknowledged_timestamp_seconds": lambda: oldest_unacknowledged(desk.open()),
                "sentinel_notification_queue_length": self._waiting,
                "sentinel_notification_queue_oldest_timestamp_seconds": self._oldest,
                "sentinel_ticket_sync_lag_seconds": self._behind,
                "sentinel_watchdog_last_cycle_timestamp_seconds": self._cycle,
                "sentinel_store_size_bytes": lambda: [((), float(self._size_bytes))],
            }
        )

    @property
    def last_cycle(self) -> datetime | None:
        """Return when every probe had last been run within its interval."""
        return self._last_cycle

    @property
    def oldest_queued(self) -> dict[str, datetime]:
        """Return for each channel with waiting messages when the oldest was created."""
        return {channel: oldest for channel, (_, oldest) in self._queue.items()}

    async def refresh(self, read: Callable[..., Awaitable[Any]]) -> None:
        """Look at what only the database knows."""
        self._queue = await read(self._store.queue)
        self._owed_tickets = await read(self._store.owed_tickets)
        self._size_bytes = await read(self._store.size_bytes)
        now = self._clock.now()
        if not await self._live.find_stale(now):
            self._last_cycle = now

    def metrics(self, accept: str) -> tuple[Iterator[bytes], str]:
        """Return the page in pieces and its content type, in OpenMetrics when the client asks for it.

        A piece takes about a millisecond, and may be empty: whoever sends the page gives others their turn after each.
        """
        if OPENMETRICS in accept:
            return self._pieces(_in_openmetrics, END), openmetrics.CONTENT_TYPE_LATEST
        return self._pieces(generate_latest, b""), TEXT

    def _pieces(self, write: Callable[[Collector], bytes], end: bytes) -> Iterator[bytes]:
        counts: Counter[tuple[str, str]] = Counter()
        for rows in self._live.slices():
            counts.update(counted(rows))
            yield b""
        self._counts = counts
        own: list[bytes] = []
        for family in self._meters.registry.collect():
            own.append(write(_One(family)))
            yield b""
        yield b"".join(own)
        yield from series.pieces(self._live.slices())
        yield end

    def _promised(self) -> Iterable[Sample]:
        return targets.promised(self._meters.expected.services, self._desk.policy.directory, self._clock.now())

    def _waiting(self) -> Iterable[Sample]:
        counts = dict.fromkeys(self._meters.expected.channels, 0) | {name: n for name, (n, _) in self._queue.items()}
        return [((channel,), float(number)) for channel, number in counts.items()]

    def _oldest(self) -> Iterable[Sample]:
        return [((channel,), oldest.timestamp()) for channel, (_, oldest) in self._queue.items()]

    def _behind(self) -> Iterable[Sample]:
        now = self._clock.now()
        for backend in self._meters.expected.backends | self._owed_tickets.keys():
            yield (backend,), max(0.0, (now - self._owed_tickets.get(backend, now)).total_seconds())

    def _cycle(self) -> Iterable[Sample]:
        return [((), self._last_cycle.timestamp())] if self._last_cycle else []


class _One(Collector):
    """Lets the client library write one family at a time."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        return (self._family,)


def _in_openmetrics(families: Collector) -> bytes:
    text: bytes = openmetrics.generate_latest(families)  # type: ignore[no-untyped-call]
    return text.removesuffix(END)
