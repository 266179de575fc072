"""Which incident a signal belongs to: the unfinished ones, found by signal, by fault, by number (rule SRC-8)."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Final

from sentinel.core import incident
from sentinel.core.state import Incident

Place = tuple[str, bool]  # A service, and whether it is needed rather than concerned itself.


class Drafted(dict[str, Incident]):
    """States that are decided and not written yet, by number; found like written ones by what came with them."""

    def __init__(self) -> None:
        super().__init__()
        self.by_key: dict[str, str] = {}
        self.by_dedup: dict[str, str] = {}
        self.by_place: dict[Place, dict[str, None]] = {}

    def put(self, state: Incident, before: Incident | None) -> None:
        """Take the state that follows from another one."""
        self[state.number] = state
        for key in _news(state, before):
            _claim(self.by_key, key, state, self)
        for fault in _faults(state, before):
            _claim(self.by_dedup, fault, state, self)
        if before is None or before.plan is not state.plan:
            for place in _places(state):
                self.by_place.setdefault(place, {}).setdefault(state.number)


NOTHING: Final = Drafted()


class Index:
    """The unfinished incidents, and ways to find them. One that is over stays while something follows from it."""

    def __init__(self) -> None:
        self.states: dict[str, Incident] = {}
        self._by_key: dict[str, str] = {}
        self._by_dedup: dict[str, str] = {}
        self._by_place: dict[Place, dict[str, None]] = {}
        self._wake: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def put(self, state: Incident) -> None:
        """Take an incident in, or its newer state."""
        number = state.number
        if state.over:
            self._drop(number)
        if state.finished:
            return
        if state.over:  # It holds no signal and no fault any more, but wakes for what follows from it.
            self.states[number] = state
            self._wake_at(state)
            return
        before = self.states.get(number)
        self.states[number] = state
        for key in _news(state, before):
            _claim(self._by_key, key, state, self.states)
        for fault in (state.dedup, *state.also):
            _claim(self._by_dedup, fault, state, self.states)
        if before is None or before.plan is not state.plan:
            self._place(state, before)
        self._wake_at(state)

    def _wake_at(self, state: Incident) -> None:
        number, moment = state.number, incident.wake_at(state)
        if moment is None:
            self._wake.pop(number, None)
        elif self._wake.get(number) != moment:
            self._wake[number] = moment
            heapq.heappush(self._heap, (moment, number))

    def _place(self, state: Incident, before: Incident | None) -> None:
        """Note which services an incident is of and needs, as its plan may have changed; older ones stay first."""
        now = _places(state)
        for place in set(_places(before)).difference(now) if before is not None else ():
            self._by_place[place].pop(state.number, None)
        for place in now:
            self._by_place.setdefault(place, {}).setdefault(state.number)

    def _drop(self, number: str) -> None:
        gone = self.states.pop(number, None)
        self._wake.pop(number, None)
        if gone is None:
            return
        for key in gone.signals:
            if self._by_key.get(key) == number:
                del self._by_key[key]
        for fault in (gone.dedup, *gone.also):
            if self._by_dedup.get(fault) == number:
                del self._by_dedup[fault]
        for place in _places(gone):
            self._by_place[place].pop(number, None)

    def get(self, number: str) -> Incident | None:
        """Return an unfinished incident."""
        return self.states.get(number)

    def signals(self) -> list[str]:
        """Return the keys of all signals that an incident holds."""
        return list(self._by_key)

    def all(self) -> list[Incident]:
        """Return the incidents that are neither closed nor merged, oldest first."""
        return [state for state in self.states.values() if not state.over]

    def followed(self) -> list[Incident]:
        """Return all that is kept: of those that are over, the ones whose review or actions are not."""
        return list(self.states.values())

    def holding(self, key: str, drafted: Drafted) -> Incident | None:
        """Return the unfinished incident that has this signal; drafted states go before written ones."""
        own = drafted.by_key.get(key)
        state = self._holder(own, self._by_key.get(key), drafted)
        return state if state is not None and key in state.signals else None

    def _holder(self, own: str | None, kept: str | None, drafted: Drafted) -> Incident | None:
        """Return which of two unfinished incidents holds something: what a draft says, and what is written."""
        state = drafted[own] if own is not None else None
        other = drafted.get(kept) or self.states[kept] if kept is not None and kept != own else None
        found = [one for one in (state, other) if one is not None and not one.over]
        return max(found, key=_claims, default=None)

    def explaining(
        self, key: str, dedup: str, drafted: Drafted, now: datetime, reopen_within: timedelta
    ) -> Incident | None:
        """Return the incident that a failing signal belongs to, or nothing when it is a new one.

        An active incident of the same signal or the same fault takes it, also of one that was merged into it. A
        resolved one takes it back when its own signal never stopped failing, or fails again soon.
        """
        held = self.holding(key, drafted)
        if held is not None and held.active:
            return held
        own = drafted.by_dedup.get(dedup)
        same = self._holder(own, self._by_dedup.get(dedup), drafted)
        if same is not None and same.active:
            return same
        if held is not None and held.resolved_at is not None:
            again = held.signals[key].failing or now - held.resolved_at < reopen_within
            return held if again else None
        return None

    def of(self, service: str, drafted: Drafted) -> Iterator[Incident]:
        """Yield the unfinished incidents of a service, the first opened first; drafted states go before written ones.

        A storm opens thousands: whoever asks looks at no more of them than needed.
        """
        return self._at((service, False), drafted)

    def needing(self, service: str, drafted: Drafted) -> Iterator[Incident]:
        """Yield the unfinished incidents of services that depend on one, as ``of`` does."""
        return self._at((service, True), drafted)

    def _at(self, place: Place, drafted: Drafted) -> Iterator[Incident]:
        written = self._by_place.get(place, {})
        added = (number for number in drafted.by_place.get(place, ()) if number not in written)
        found = (drafted.get(number) or self.states[number] for number in chain(written, added))
        return (state for state in found if not state.over)

    def waking(self) -> tuple[datetime, str] | None:
        """Return the earliest moment at which time alone brings something, and to which incident."""
        while self._heap:
            moment, number = self._heap[0]
            if self._wake.get(number) == moment:
                return moment, number
            heapq.heappop(self._heap)
        return None

    def due(self, now: datetime, most: int) -> list[str]:
        """Return the incidents that wanted to be woken by now, the longest overdue first."""
        found: list[tuple[datetime, str]] = []
        while len(found) < most and (coming := self.waking()) and coming[0] <= now:
            heapq.heappop(self._heap)
            if coming not in found[-1:]:  # The same moment may stand there twice.
                found.append(coming)
        for entry in found:  # They stay until their states say otherwise.
            heapq.heappush(self._heap, entry)
        return [number for _, number in found]


def _places(state: Incident) -> tuple[Place, ...]:
    """Return where an incident is looked for: by its service, and by those that it depends on."""
    return ((state.service, False), *((service, True) for service in state.plan.depends_on))


def _faults(state: Incident, before: Incident | None) -> tuple[str, ...]:
    """Return the faults that an incident stands for now, where that or whether it is active has changed."""
    same = before is not None and before.active == state.active and before.also == state.also
    return () if same else (state.dedup, *state.also)


def _news(state: Incident, before: Incident | None) -> Iterator[str]:
    """Yield the signals that came: none ever goes, and those that come stand last.

    Whether it is active decides who holds what, so that all are looked at again when that changes.
    """
    known = len(before.signals) if before is not None and before.active == state.active else 0
    return islice(reversed(state.signals), len(state.signals) - known)


def _claims(state: Incident) -> tuple[bool, datetime]:
    return state.active, state.opened_at


def _claim(holders: dict[str, str], what: str, state: Incident, states: Mapping[str, Incident]) -> None:
    """Let an incident hold a signal or a fault, unless an active or a newer one does.

    What is still told of an incident long resolved must not take these from the one that came after it.
    """
    holder = states.get(holders.get(what, ""))
    if holder is None or _claims(state) >= _claims(holder):
        holders[what] = state.number
