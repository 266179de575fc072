"""What comes in from people, and what comes of it: facts for the ledger."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from sentinel.core import answers
from sentinel.core.state import Incident
from sentinel.messages.replies import Choosable, ReplyKind

Door = Literal["sms", "mail"]
Action = Literal[
    "acknowledge", "escalate", "resolve", "note", "open", "unknown", "stranger", "automatic", "limited", "forged"
]
ACTIONS: Final[tuple[Action, ...]] = (
    *("acknowledge", "escalate", "resolve", "note", "open"),
    *("unknown", "stranger", "automatic", "limited", "forged"),
)
ADDRESS: Final[dict[Door, str]] = {"sms": "mobile", "mail": "email"}
AN_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something that came in. ``people`` are those it may be from; ``id`` is the carrier's own name for it.

    ``number`` is the incident that it answers to, where that is known; ``proved`` tells whether it may act.
    """

    channel: str
    door: Door
    people: tuple[str, ...]
    text: str
    id: str = ""
    title: str = ""
    number: str = ""
    proved: bool = True


class Received(msgspec.Struct, frozen=True, kw_only=True, tag="received"):
    """Something came in; ``id`` is a digest of the carrier's own name for it."""

    id: str
    at: datetime
    channel: str
    door: Door
    people: tuple[str, ...]
    text: str
    title: str = ""
    number: str = ""
    proved: bool = True


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled"):
    """What came of it."""

    id: str
    at: datetime
    person: str
    action: Action
    number: str = ""
    reply: ReplyKind | Literal[""] = ""


Fact = Received | Settled


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an answer: what it did, to which incident, and what is said back."""

    action: Action
    reply: ReplyKind | Literal[""] = ""
    state: Incident | None = None
    by: str = ""
    why: str = ""
    code: str = "1"
    which: tuple[Choosable, ...] = ()


class Budget:
    """So many an hour for each person."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._at: dict[str, deque[datetime]] = {}

    def take(self, person: str, now: datetime) -> bool:
        """Count one more, and tell whether it is still within."""
        moments = self._at.setdefault(person, deque(maxlen=self._most))
        if len(moments) == self._most and moments[0] > now - AN_HOUR:
            return False
        moments.append(now)
        return True


DONE: Final[dict[answers.Action, ReplyKind]] = {
    "acknowledge": "taken",
    "escalate": "escalated",
    "resolve": "resolved",
    "say": "noted",
}


def counted_as(action: answers.Action) -> Action:
    """Return what an answer of that sort is counted as."""
    return "note" if action == "say" else action


def nothing() -> Outcome:
    """Return that there was nothing to answer to."""
    return Outcome(action="unknown", reply="nothing")
