"""What may go now: there is room in its channel, and no storm gathers it (rule DSP-7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sentinel.channels.base import Sender
from sentinel.core.flow import Flow
from sentinel.engine.storm import Placed, Storms
from sentinel.store.base import OutboxRow

CONCURRENCY: Final = 4
MARKED: Final = 4  # Times as many messages are marked as being sent as are sent at once: they are written together.


@dataclass(frozen=True, slots=True)
class Carrier:
    """A channel ready to carry: how to send a row by it, how many at once; and how much, if it reaches people."""

    sender: Sender
    concurrency: int = CONCURRENCY
    flow: Flow | None = None


class Claim(NamedTuple):
    """What has a place among those that are under way, and the flow of its channel at that moment."""

    row: OutboxRow
    flow: Flow | None


class Room:
    """How much of each channel is under way, and how much may be: messages are marked ahead of those being sent."""

    def __init__(self, at_once: Callable[[str], int], carried: Callable[[str], bool]) -> None:
        self._at_once = at_once
        self._carried = carried
        self._load: Counter[str] = Counter()

    def has(self, channel: str, *, urgent: bool = False) -> bool:
        """Tell whether more may be under way; what is urgent is marked all the same, and passes the gate first."""
        return self._load[channel] < self._limit(channel) + (self._at_once(channel) if urgent else 0)

    def waits_for_nobody(self, channel: str) -> bool:
        """Tell whether one more would be sent at once."""
        return self._carried(channel) and self._load[channel] < self._at_once(channel)

    def full(self) -> set[str]:
        """Return the channels that take nothing more, urgent or not."""
        return {channel for channel in self._load if not self.has(channel, urgent=True)}

    def enter(self, channel: str) -> None:
        """Take note that one more is under way."""
        self._load[channel] += 1

    def leave(self, channel: str) -> bool:
        """Take note that one is not under way any more; tell whether there is room for several."""
        self._load[channel] -= 1
        return self._load[channel] <= self._limit(channel) // 2

    def _limit(self, channel: str) -> int:
        return self._at_once(channel) * (MARKED if self._carried(channel) else 1)


class Passage:
    """Gives places. ``carriers`` are those of now; ``alone`` tells what is never gathered."""

    def __init__(
        self, storms: Storms, carriers: Callable[[], dict[str, Carrier]], alone: Callable[[OutboxRow], bool]
    ) -> None:
        self._storms = storms
        self._carriers = carriers
        self._alone = alone
        self.room = Room(self.at_once, lambda channel: channel in carriers())

    def at_once(self, channel: str) -> int:
        """Return how many messages of a channel are sent at a time."""
        carrier = self._carriers().get(channel)
        return carrier.concurrency if carrier else CONCURRENCY

    def flow_of(self, row: OutboxRow) -> Flow | None:
        """Return how much of such messages one person gets; nothing where that has no limit."""
        carrier = self._carriers().get(row.channel)
        return carrier.flow if carrier and row.person and row.kind == "message" else None

    def place(self, row: OutboxRow, now: datetime) -> Placed:
        """Say whether a row goes by itself. Only what is about incidents is ever gathered, and only for people."""
        flow = self.flow_of(row)
        if flow is None or not row.incident or self._alone(row):
            return Placed("alone", now)
        return self._storms.place((row.person, row.channel), row.incident, flow, now)

    def enter(self, row: OutboxRow) -> Claim:
        """Give a row that goes by itself its place."""
        flow = self.flow_of(row)
        if flow is not None:
            self._storms.begin((row.person, row.channel), row.incident, flow)
        self.room.enter(row.channel)
        return Claim(row, flow)

    def leave(self, claim: Claim, accepted_at: datetime | None) -> bool:
        """Take the place back, and note whether a carrier took the message; tell whether there is room for several."""
        row = claim.row
        if claim.flow is not None:
            self._storms.ended((row.person, row.channel), row.incident, accepted_at)
        return self.room.leave(row.channel)
