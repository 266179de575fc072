"""Everything that is known of the alerts, requests and heartbeats of Opsgenie's clients: on disk before it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec.structs import replace

from sentinel.core.alerts import Alert
from sentinel.core.state import Incident
from sentinel.engine.alerts import Alerts, TooMany
from sentinel.engine.clock import Clock
from sentinel.engine.desk import Desk
from sentinel.intake.opsgenie.meaning import alert_of, alone
from sentinel.intake.opsgenie.records import Beat, Kept, Outcome
from sentinel.intake.opsgenie.shelf import Shelf, record
from sentinel.store.base import Store

ALERTS_MAX: Final = 10_000  # Closed ones among them: the oldest of those are forgotten first.
CLOSED_KEPT_FOR: Final = timedelta(days=30)
OUTCOMES_MAX: Final = 20_000
OUTCOMES_KEPT_FOR: Final = timedelta(days=1)
LOCKS: Final = 64

ALERTS: Final = "opsgenie-alert"
OUTCOMES: Final = "opsgenie-request"
BEATS: Final = "opsgenie-heartbeat"

IdentifierType = Literal["id", "tiny", "alias"]


class Book:
    """Finds and keeps. ``services`` returns the services there are, and whose the alerts of an integration usually are.

    Each integration sees what is its own. Alerts of those in ``together`` join incidents as all failures do; of any
    other each alert has an incident of its own, since its client acknowledges one and means one.
    """

    def __init__(self, desk: Desk, alerts: Alerts, kept: tuple[Store, Executor], clock: Clock) -> None:
        self.desk = desk
        self.clock = clock
        self.together: Container[str] = ()
        self.services: Callable[[str], tuple[Container[str], str]] = lambda _integration: ((), "")
        self.beats: dict[tuple[str, str], Beat] = {}
        self._alerts = alerts
        self.shelf = Shelf(*kept)
        self._kept: dict[str, Kept] = {}
        self._by_alias: dict[tuple[str, str], str] = {}
        self._by_tiny: dict[int, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._locks = tuple(asyncio.Lock() for _ in range(LOCKS))
        self._last_tiny = 0

    async def load(self) -> None:
        """Read what is kept.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        found: list[Kept] = await self.shelf.read(ALERTS, Kept)
        for kept in sorted(found, key=lambda one: one.tiny):
            self._put(kept)
        outcomes: list[Outcome] = await self.shelf.read(OUTCOMES, Outcome)
        self._outcomes = {one.id: one for one in sorted(outcomes, key=lambda one: one.at)}
        beats: list[Beat] = await self.shelf.read(BEATS, Beat)
        self.beats = {(one.integration, one.name): one for one in beats}

    # What can be asked ------------------------------------------------------------------------------------------

    def find(self, integration: str, identifier: str, kind: IdentifierType) -> Kept | None:
        """Return an alert of an integration; by its alias only one that is open."""
        name: str | None = identifier
        if kind == "alias":
            name = self._by_alias.get((integration, identifier))
        elif kind == "tiny":
            name = self._by_tiny.get(int(identifier)) if identifier.isdecimal() and len(identifier) < 15 else None
        kept = self._kept.get(name or "")
        if kept is None or kept.integration != integration or (kind == "alias" and not self.is_open(kept)):
            return None
        return kept

    def of(self, integration: str) -> list[Kept]:
        """Return all alerts of an integration, oldest first."""
        return [kept for kept in self._kept.values() if kept.integration == integration]

    def __contains__(self, alert: object) -> bool:
        """Tell whether an alert of that id is kept."""
        return alert in self._kept

    def open(self) -> list[Kept]:
        """Return the alerts that nobody has closed here."""
        return [self._kept[one] for one in self._by_alias.values()]

    def outcome(self, integration: str, request: str) -> Outcome | None:
        """Return what came of a request of an integration."""
        found = self._outcomes.get(request)
        return found if found is not None and found.integration == integration else None

    def incident(self, kept: Kept) -> Incident | None:
        """Return the unfinished incident of an alert that nobody has closed here."""
        return self.desk.holding(kept.key) if kept.open else None

    def is_open(self, kept: Kept) -> bool:
        """Tell whether an alert is open: neither it nor its incident is over."""
        if not kept.open or not kept.incident:
            return kept.open
        state = self.incident(kept)
        return state is not None and state.active

    def is_said(self, kept: Kept) -> bool:
        """Tell whether the alert that stands for it fires."""
        return self._alerts.holds(kept.fingerprint)

    # What changes it --------------------------------------------------------------------------------------------

    def lock(self, integration: str, alias: str) -> asyncio.Lock:
        """Return what whoever changes an alert of an alias holds meanwhile."""
        return self._locks[hash((integration, alias)) % LOCKS]

    def room(self) -> None:
        """See that one alert more may be kept.

        Raises:
            TooMany: as many are open as are kept.
        """
        if len(self._by_alias) >= ALERTS_MAX:
            raise TooMany(f"{ALERTS_MAX} alerts are open already.")

    def next_tiny(self) -> int:
        """Return a short number that no other alert has."""
        self._last_tiny += 1
        return self._last_tiny

    async def keep(self, *kept: Kept, outcome: Outcome | None = None, beats: Sequence[Beat] = ()) -> None:
        """Keep alerts, what came of a request, and heartbeats; all of it is on disk before it holds.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        rows = [record(ALERTS, one.id, one) for one in kept]
        rows += [record(BEATS, f"{one.integration}/{one.name}", one) for one in beats]
        if outcome is not None:
            rows.append(record(OUTCOMES, outcome.id, outcome))
        await self.shelf.write(rows, ())
        for one in kept:
            self._put(one)
        for beat in beats:
            self.beats[beat.integration, beat.name] = beat
        if outcome is not None:
            self._outcomes[outcome.id] = outcome

    async def forget(self, kept: Kept, outcome: Outcome) -> None:
        """Forget an alert.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self.shelf.write([record(OUTCOMES, outcome.id, outcome)], [(ALERTS, kept.id)])
        self._outcomes[outcome.id] = outcome
        self._drop(kept)

    async def forget_beat(self, beat: Beat) -> None:
        """Forget a heartbeat.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        await self.shelf.write((), [(BEATS, f"{beat.integration}/{beat.name}")])
        self.beats.pop((beat.integration, beat.name), None)

    async def say(self, *kept: Kept) -> None:
        """Say to the desk how alerts are: that they fire, or are over.

        Raises:
            TooMany: more alerts fire than Sentinel holds.
            StoreUnavailable: it is not on disk.
        """
        now = self.clock.now()
        await self._alerts.take([self._alert(one, now) for one in kept])

    async def close(self, kept: Kept, by: str, text: str) -> Kept:
        """Close an alert: its signal is over. Return it as it is then; it is not kept yet.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        now = self.clock.now()
        closed = replace(kept, closed_at=now, closed_by=by, snoozed_until=None).written(now, text, by)
        await self.say(closed)
        return closed

    async def settled(self, kept: Kept) -> Kept:
        """Return an alert as it is now: it is closed when its incident is over.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        if not kept.open or self.is_open(kept):
            return kept
        state = self.incident(kept)
        by = state.resolved_by if state is not None else ""
        closed = await self.close(kept, by, f"Alert closed with {kept.incident}")
        await self.keep(closed)
        return closed

    async def leave(self, integration: str, alias: str) -> None:
        """Close the alert of an alias whose incident is over: what comes now is another one.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        name = self._by_alias.get((integration, alias))
        if name is not None:
            await self.settled(self._kept[name])

    async def tidy(self) -> None:
        """Forget what was closed or asked long ago.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        now = self.clock.now()
        old = [one for one in self._kept.values() if one.closed_at and one.closed_at < now - CLOSED_KEPT_FOR]
        closed = sorted((one for one in self._kept.values() if one.closed_at), key=_closed_at)
        old = [*old, *closed[: max(0, len(self._kept) - ALERTS_MAX)]]
        asked = [one.id for one in self._outcomes.values() if one.at < now - OUTCOMES_KEPT_FOR]
        asked += list(self._outcomes)[: max(0, len(self._outcomes) - OUTCOMES_MAX)]
        gone = {(ALERTS, one.id) for one in old if one.tiny != self._last_tiny} | {(OUTCOMES, one) for one in asked}
        if not gone:
            return
        await self.shelf.write((), sorted(gone))
        for subject, name in gone:
            if subject == ALERTS:
                self._drop(self._kept[name])
            else:
                self._outcomes.pop(name, None)

    # How it is done ---------------------------------------------------------------------------------------------

    def _alert(self, kept: Kept, now: datetime) -> Alert:
        said = alert_of(kept, now, self.services(kept.integration))
        return said if kept.integration in self.together else alone(said, kept)

    def _put(self, kept: Kept) -> None:
        self._kept[kept.id] = kept
        self._by_tiny[kept.tiny] = kept.id
        self._last_tiny = max(self._last_tiny, kept.tiny)
        name = kept.integration, kept.alias
        if kept.open:
            self._by_alias[name] = kept.id
        elif self._by_alias.get(name) == kept.id:
            del self._by_alias[name]

    def _drop(self, kept: Kept) -> None:
        self._kept.pop(kept.id, None)
        self._by_tiny.pop(kept.tiny, None)
        if self._by_alias.get((kept.integration, kept.alias)) == kept.id:
            del self._by_alias[kept.integration, kept.alias]


def _closed_at(kept: Kept) -> datetime:
    assert kept.closed_at is not None, "only closed ones are asked"
    return kept.closed_at
