"""Overload: the team works strictly by its targets while there is more to do than it can begin at once (rule SLA-11).

It is switched by hand, or by the length of the queue: on when that passes a limit, off when it has fallen to a lower
one. What a person has switched on only a person switches off; what a person has switched off comes on by itself only
after the queue has been short once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from sentinel.core.model import Level, Refused
from sentinel.core.state import Incident

LEVEL_MIN: Final[Level] = 2  # What is only recorded waits for nobody.
UNLIMITED: Final = "the queue has no limit any more"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many may wait: with more than ``queue`` it goes on by itself, with ``until`` or fewer off again."""

    queue: int
    until: int


class Switched(msgspec.Struct, frozen=True, kw_only=True, tag="switched", omit_defaults=True):
    """Overload began or ended. ``by`` is empty when the queue did it, which then was ``waiting`` long."""

    at: datetime
    on: bool
    why: str
    by: str = ""
    waiting: int = 0


class Eased(msgspec.Struct, frozen=True, kw_only=True, tag="eased", omit_defaults=True):
    """The queue is short for the first time since a person switched overload off."""

    at: datetime
    waiting: int = 0


Fact = Switched | Eased


class Overload(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the team is overloaded, since when, who said so and why; ``armed`` if the queue may switch it on."""

    on: bool = False
    since: datetime | None = None
    by: str = ""
    why: str = ""
    armed: bool = True


def overload_of(facts: Iterable[Fact]) -> Overload:
    """Return what the facts add up to."""
    now = Overload()
    for fact in facts:
        match fact:
            case Switched():
                armed = fact.on or not fact.by
                now = Overload(on=fact.on, since=fact.at, by=fact.by, why=fact.why, armed=armed)
            case Eased():
                now = msgspec.structs.replace(now, armed=True)
    return now


def waiting(found: Iterable[Incident]) -> int:
    """Return how long the queue is: requests, and incidents that are more than recorded, which nobody has taken."""
    return sum(
        one.active and not one.acknowledged_by and (one.kind == "request" or one.level >= LEVEL_MIN) for one in found
    )


def switch(now: Overload, said: Switched) -> list[Fact]:
    """Return what follows when a person switches it.

    Raises:
        Refused: it is so already, or no reason is given.
    """
    if not said.why.strip():
        raise Refused("Switching overload on or off needs a reason.")
    if now.on == said.on and not (now.on and not now.by):
        raise Refused(f"Overload is {'on' if now.on else 'off'} already.")
    return [said]


def look(now: Overload, count: int, limits: Limits | None, at: datetime) -> list[Fact]:
    """Return what the length of the queue brings about."""
    if limits is None:
        return [Switched(at=at, on=False, why=UNLIMITED, waiting=count)] if now.on and not now.by else []
    if now.on:
        if now.by or count > limits.until:
            return []
        why = f"{count} are waiting, which is no more than {limits.until}"
        return [Switched(at=at, on=False, why=why, waiting=count)]
    if not now.armed:
        return [Eased(at=at, waiting=count)] if count <= limits.until else []
    if count <= limits.queue:
        return []
    return [Switched(at=at, on=True, why=f"{count} are waiting, which is more than {limits.queue}", waiting=count)]
