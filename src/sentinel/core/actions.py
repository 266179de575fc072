"""Actions: who does what by when, followed to the end (rule REX-2). A review has them, and a problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from sentinel.core.model import Refused

ACTIONS_MAX = 100
DISCUSSED_MAX = 50
Standing = Literal["open", "late", "done"]


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody is to do: ``owner`` is the id of a person, or any name; ``ticket`` and ``change`` say where.

    The owner is reminded at ``remind_at``; from ``late_at`` on it is late.
    """

    id: str
    title: str
    owner: str
    due_on: date
    ticket: str = ""
    change: str = ""
    remind_at: datetime | None = None
    late_at: datetime | None = None


class Discussed(msgspec.Struct, frozen=True, array_like=True):
    """The production committee looked at an action: when, who says so, what was said."""

    at: datetime
    by: str
    text: str = ""


class ActionState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An action, and what came of it so far."""

    action: Action
    added_at: datetime
    added_by: str = ""
    reminded: bool = False
    late: bool = False
    discussed: tuple[Discussed, ...] = ()
    done_at: datetime | None = None
    done_by: str = ""
    outcome: str = ""

    @property
    def open(self) -> bool:
        """Tell whether it is still to be done."""
        return self.done_at is None

    @property
    def standing(self) -> Standing:
        """Return how it stands."""
        return "done" if self.done_at is not None else "late" if self.late else "open"

    def next_at(self) -> datetime | None:
        """Return when time alone next brings something."""
        if not self.open or self.late:
            return None
        moments = (None if self.reminded else self.action.remind_at, self.action.late_at)
        return min((at for at in moments if at is not None), default=None)


Actions = dict[str, ActionState]
ActionDates = tuple[datetime | None, datetime | None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An action as somebody asks for it."""

    title: str
    owner: str
    due_on: date
    ticket: str = ""
    change: str = ""


def made(
    wanted: Wanted, known: Mapping[str, ActionState], now: datetime, dates: Callable[[date], ActionDates] | None
) -> Action:
    """Return the next action of a plan; ``dates`` says when its owner is reminded, and from when on it is late.

    Raises:
        Refused: it has no title or no owner, its date is past, or there are too many.
    """
    if not wanted.title.strip():
        raise Refused("An action needs a text: what is to be done.")
    if not wanted.owner.strip():
        raise Refused("An action needs an owner.")
    if len(known) >= ACTIONS_MAX:
        raise Refused(f"There are {ACTIONS_MAX} actions already.")
    remind_at, late_at = dates(wanted.due_on) if dates else (None, None)
    if late_at is not None and late_at <= now:
        raise Refused(f"{wanted.due_on} is past: an action is done by a day to come.")
    return Action(
        id=f"A{len(known) + 1}",
        title=wanted.title.strip(),
        owner=wanted.owner.strip(),
        due_on=wanted.due_on,
        ticket=wanted.ticket.strip(),
        change=wanted.change.strip(),
        remind_at=remind_at if remind_at is not None and remind_at > now else None,  # They are told of it right now.
        late_at=late_at,
    )


def undone(known: Mapping[str, ActionState], action_id: str, whose: str) -> ActionState:
    """Return an action that is still to be done.

    Raises:
        Refused: there is none of that id, or it is done.
    """
    one = known.get(action_id)
    if one is None:
        raise Refused(f"{whose} has no action {action_id}; it has {', '.join(known) or 'none'}.")
    if not one.open:
        raise Refused(f"The action {action_id} of {whose} was done already.")
    return one


def finished(one: ActionState, at: datetime, by: str, outcome: str) -> ActionState:
    """Return an action that is done."""
    return replace(one, done_at=at, done_by=by, outcome=outcome)


def discussed(one: ActionState, at: datetime, by: str, text: str) -> ActionState:
    """Return an action that the committee looked at."""
    return replace(one, discussed=(*one.discussed, Discussed(at, by, text))[-DISCUSSED_MAX:])


def next_at(known: Iterable[ActionState]) -> datetime | None:
    """Return when time alone next brings something to one of several actions."""
    moments = (one.next_at() for one in known)
    return min((at for at in moments if at is not None), default=None)


def due(known: Iterable[ActionState], now: datetime) -> list[tuple[Action, Literal["reminded", "late"]]]:
    """Return what is to be said of actions by now: one that has become late needs no reminder any more."""
    found: list[tuple[Action, Literal["reminded", "late"]]] = []
    for one in known:
        at = one.next_at()
        if at is None or now < at:
            continue
        late_at = one.action.late_at
        found.append((one.action, "late" if late_at is not None and now >= late_at else "reminded"))
    return found
