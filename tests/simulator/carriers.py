"""The world's gateways and its ticket system: they take what they are given, or do as their mood is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sentinel.channels.base import Message, Undelivered
from sentinel.core.state import Incident
from sentinel.tickets.base import TicketReference
from tests.simulator.death import Killed

if TYPE_CHECKING:
    from tests.simulator.life import Life
    from tests.simulator.world import World

Mood = Literal["well", "refusing", "flaky", "silent", "losing", "slow", "busy", "banning"]
MOODS: tuple[Mood, ...] = ("refusing", "flaky", "silent", "losing", "slow", "busy", "banning")
QUICK_S, SLOW_S, SILENT_S = (0.05, 1.5), (3.0, 30.0), 300.0
BUSY_S = (5.0, 900.0)


@dataclass
class Gateway:
    """One channel's other end. ``well_since_s`` is when it last came to itself."""

    world: World
    channel: str
    mood: Mood = "well"
    well_since_s: float = 0.0
    asked_s: float = 0.0  # the longest patience it asked for
    banned: set[str] = field(default_factory=set)
    taken: int = 0

    def change(self, mood: Mood) -> None:
        if mood == "well" or self.mood == "well":
            self.well_since_s = self.world.now_s if mood == "well" else float("inf")
        self.mood = mood
        self.world.say(f"channel {self.channel} is {mood}")

    def healthy_for_s(self) -> float:
        return self.world.now_s - self.well_since_s

    async def carry(self, life: Life, message: Message) -> str:
        """Take a message, or not, as the mood is."""
        letters, chance = self.world.oracle.letters, self.world.faults.chance
        attempt = letters.attempted(life, message.id, self.channel)
        self.world.say(f"try {message.id} life={life.number}")
        await asyncio.sleep(chance.uniform(*(SLOW_S if self.mood == "slow" else QUICK_S)))
        self.world.faults.at_send(life, "before")
        mood = self._decided(chance.random())
        if mood == "banning" and message.to not in self.banned and chance.random() < 0.5:
            self.banned.add(message.to)
        if mood == "banning" and message.to in self.banned:
            attempt.refused_for_ever = True
            raise Undelivered("this address is not known", permanent=True)
        if mood == "refusing":
            raise Undelivered("gateway answered 500")
        if mood == "busy":
            after_s = round(chance.uniform(*BUSY_S), 1)
            self.asked_s = max(self.asked_s, after_s)
            raise Undelivered("gateway answered 429", after_s=after_s)
        reference = ""
        if mood != "silent" or chance.random() < 0.5:  # Silence may come after it was taken.
            self.taken += 1
            reference = f"{self.channel}-{self.taken}"
            letters.accepted(attempt, reference)
            self.world.people.received(message.thread, message.to, message.id)
        self.world.faults.at_send(life, "after")
        if mood == "silent":
            attempt.lost = True
            await asyncio.sleep(SILENT_S)
        if mood == "losing":
            attempt.lost = True
            raise Undelivered("the connection was reset")
        await asyncio.sleep(chance.uniform(*QUICK_S))
        if not life.alive:
            raise Killed
        return reference

    def _decided(self, chance: float) -> Mood:
        if self.mood == "flaky":
            return "refusing" if chance < 0.5 else "losing" if chance < 0.7 else "well"
        return self.mood


@dataclass
class Tickets:
    """The ticket system: one ticket for each incident, down now and then."""

    world: World
    down: bool = False
    kept: dict[str, int] = field(default_factory=dict)

    async def put(self, life: Life, state: Incident) -> TicketReference:
        await asyncio.sleep(self.world.faults.chance.uniform(*QUICK_S))
        if self.down:
            raise Undelivered("ticket back-end is down")
        self.kept[state.number] = max(self.kept.get(state.number, 0), state.sequence)
        self.world.faults.at_send(life, "after")
        return TicketReference(f"T-{state.number}")
