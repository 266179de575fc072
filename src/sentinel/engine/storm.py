"""Storms: which message goes by itself, which is gathered, and when a digest leaves (rule DSP-7).

Told the time, it touches nothing. All of it is about one person and one channel, a lane; what it knows is read back
from the outbox at a start, so that a restart gives nobody a second helping.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from sentinel.core.flow import Flow, Rate
from sentinel.engine.outbox import Lane
from sentinel.store.base import Passed

WINDOW: Final = timedelta(minutes=15)
ALONE_MAX: Final = 3  # Incidents told by themselves in a window; in a storm messages, so that with digests it is five.
GATHER_FOR: Final = timedelta(seconds=60)
DIGEST_EVERY: Final = timedelta(minutes=10)
ELSEWHERE_AFTER: Final = timedelta(minutes=15)  # Nobody waits longer for a digest without being told another way.
HOLD_FOR: Final = timedelta(seconds=5)  # A lane of which the store takes nothing lets the others pass so long.
KEPT_MAX: Final = 1_000  # Messages a lane remembers, or as many as its budget.


class Passing(NamedTuple):
    """A message that left: when, and about which incident; nothing for a digest and what has no incident."""

    at: datetime
    incident: str
    digest: bool


class Placed(NamedTuple):
    """Where a message goes; ``at`` is when the digest leaves that it is gathered for."""

    how: Literal["alone", "gathered", "digest", "held"]
    at: datetime


@dataclass(slots=True)
class _State:
    passed: deque[Passing]
    under_way: Counter[str] = field(default_factory=Counter)
    digest_at: datetime | None = None
    digesting: bool = False
    held_until: datetime | None = None

    def since(self, now: datetime, within: timedelta) -> list[Passing]:
        """Return what left in that stretch of time; after the clock was set back, what left later than now too."""
        return [one for one in self.passed if one.at > now - within]

    @property
    def last_digest_at(self) -> datetime | None:
        return next((one.at for one in reversed(self.passed) if one.digest), None)


class Storms:
    """Keeps every lane. There are as many as people and channels are configured, and each remembers a bounded time."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, _State] = {}

    # One person and channel -------------------------------------------------------------------------------------

    def place(self, lane: Lane, incident: str, flow: Flow, now: datetime) -> Placed:
        """Say where a message that is due goes."""
        state = self._state(lane, flow)
        if state.digesting or (state.held_until is not None and now < state.held_until <= now + HOLD_FOR):
            return Placed("held", now)
        if state.digest_at is not None and state.digest_at <= now:
            state.digest_at = max(now, _free_at(state, flow, now))
            if state.digest_at <= now:
                return Placed("digest", now)
        if _goes_alone(state, incident, flow, now):
            return Placed("alone", now)
        slot = _slot(state, flow, now)
        # After the clock was set back the slot must not be as far away as that.
        state.digest_at = slot if state.digest_at is None else min(state.digest_at, slot)
        return Placed("gathered", state.digest_at)

    def begin(self, lane: Lane, incident: str, flow: Flow) -> None:
        """Take note that a message goes by itself."""
        self._state(lane, flow).under_way[incident] += 1

    def ended(self, lane: Lane, incident: str, accepted_at: datetime | None) -> None:
        """Take note of what came of it."""
        state = self._lanes[lane]
        state.under_way[incident] -= 1
        state.under_way += Counter()  # Without what has come to nothing.
        if accepted_at is not None:
            state.passed.append(Passing(accepted_at, incident, digest=False))

    def begin_digest(self, lane: Lane) -> None:
        """Take note that a digest is on its way: until it has ended, nothing else of this lane is looked at."""
        state = self._lanes[lane]
        state.digesting, state.digest_at = True, None

    def ended_digest(self, lane: Lane, accepted_at: datetime | None) -> None:
        """Take note of what came of it."""
        state = self._lanes[lane]
        state.digesting = False
        if accepted_at is not None:
            state.passed.append(Passing(accepted_at, "", digest=True))

    def hold(self, lane: Lane, now: datetime) -> None:
        """Leave a lane alone for a moment: the store took nothing of it."""
        self._lanes[lane].held_until = now + HOLD_FOR

    def held(self, now: datetime) -> list[Lane]:
        """Return the lanes that are not to be looked at now."""
        return [
            lane
            for lane, state in self._lanes.items()
            if state.digesting or (state.held_until is not None and now < state.held_until <= now + HOLD_FOR)
        ]

    # After a start ----------------------------------------------------------------------------------------------

    def restore(self, passed: Iterable[Passed], slots: Iterable[tuple[Lane, datetime]], flows: dict[str, Flow]) -> None:
        """Take up what left lately, oldest first, and when digests were to leave."""
        for one in passed:
            flow = flows.get(one.channel)
            if flow is None or not one.person:
                continue
            state = self._state((one.person, one.channel), flow)
            told = {seen.incident for seen in state.since(one.at, WINDOW) if seen.incident}
            # A digest of a single message looks like any other; it was one if it came after the first three.
            digest = one.messages > 1 or (bool(one.incident) and len(told) >= ALONE_MAX and one.incident not in told)
            state.passed.append(Passing(one.at, "" if digest else one.incident, digest))
        for lane, at in slots:
            if lane[1] in flows:
                self._state(lane, flows[lane[1]]).digest_at = at

    def _state(self, lane: Lane, flow: Flow) -> _State:
        most = max(KEPT_MAX, *(rate.most for rate in flow.per_person), 0)
        state = self._lanes.get(lane)
        if state is None:
            state = self._lanes[lane] = _State(deque(maxlen=most))
        elif state.passed.maxlen != most:  # A reload changed the budget.
            state.passed = deque(state.passed, maxlen=most)
        return state


def looked_back(flows: Iterable[Flow]) -> timedelta:
    """Return how far back what left matters."""
    rates = (rate for flow in flows for rate in (*flow.per_person, *flow.total))
    return max((WINDOW, *(rate.within for rate in rates)))


def _goes_alone(state: _State, incident: str, flow: Flow, now: datetime) -> bool:
    """Tell whether a message goes by itself: the first incidents do, unless half of the budget is used."""
    lately = state.since(now, WINDOW)
    told = {one.incident for one in lately if one.incident} | state.under_way.keys()
    if any(_used(state, rate, now) >= _half(rate) for rate in flow.per_person):
        return False
    storming = state.digest_at is not None or any(one.digest for one in lately)
    if storming and sum(not one.digest for one in lately) + state.under_way.total() >= ALONE_MAX:
        return False
    return incident in told or len(told) < ALONE_MAX


def _slot(state: _State, flow: Flow, now: datetime) -> datetime:
    """Return when the next digest leaves if gathering for it begins now."""
    at, last = now + GATHER_FOR, state.last_digest_at
    if last is not None:
        pause = DIGEST_EVERY
        for rate in flow.per_person:
            if _used(state, rate, now) >= _half(rate):
                pause = max(pause, rate.within / max(1, rate.most - _half(rate)))
        at = max(at, min(last, now) + pause)
    return max(at, _free_at(state, flow, now))


def _free_at(state: _State, flow: Flow, now: datetime) -> datetime:
    """Return when one more message is within the person's budget."""
    left = [one.at for one in state.passed] + [now] * state.under_way.total()
    return max((rate_free_at(left, rate, now) for rate in flow.per_person), default=now)


def rate_free_at(left: Iterable[datetime], rate: Rate, now: datetime) -> datetime:
    """Return when one more is within a rate, given the moments at which others left."""
    counted = [min(at, now) for at in left if at > now - rate.within]
    return now if len(counted) < rate.most else counted[-rate.most] + rate.within


def _used(state: _State, rate: Rate, now: datetime) -> int:
    return len(state.since(now, rate.within)) + state.under_way.total()


def _half(rate: Rate) -> int:
    return (rate.most + 1) // 2
