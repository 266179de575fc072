"""The metrics page: Sentinel's own metrics by the client library, the ``probe_*`` families by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from sentinel.engine import crises, series, targets
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.engine.live import Live
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
        meters.states.update(
            {
                "sentinel_probes": lambda: [(key, float(number)) for key, number in live.counts().items()],
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
        if not self._live.stale(now):
            self._last_cycle = now

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the page and its content type, in OpenMetrics when the client asks for it."""
        probes = series.parts(self._live.rows())
        if OPENMETRICS in accept:
            own: bytes = openmetrics.generate_latest(self._meters.registry)  # type: ignore[no-untyped-call]
            return b"".join((own.removesuffix(END), *probes, END)), openmetrics.CONTENT_TYPE_LATEST
        return b"".join((generate_latest(self._meters.registry), *probes)), TEXT

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
