"""Records of problems: what a fault is, what is known of it, and what is done about it (rule LIF-8).

A problem that the incident manager accepts becomes a record; incidents of the same fault are linked to it. Until it is
solved it is a *known error* as soon as somebody has written down its cause or how to get round it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from sentinel.core import actions
from sentinel.core.actions import Action, Actions, ActionState
from sentinel.core.known_error import KnownError
from sentinel.core.model import Refused

INCIDENTS_MAX = 1000
FAULTS_MAX = 100
NOTES_MAX = 500

ProblemPhase = Literal["open", "known_error", "solved"]


class Fact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """The base of all that happens to a problem; without ``by`` it is Sentinel's own doing."""

    at: datetime
    by: str = ""


class ProblemOpened(Fact, frozen=True, kw_only=True, tag="opened"):
    """A proposed problem was accepted; ``manager`` and ``owner`` hold who answers for it."""

    title: str
    service: str = ""
    why: str = ""
    manager: tuple[str, ...] = ()
    owner: str = ""


class IncidentLinked(Fact, frozen=True, kw_only=True, tag="linked"):
    """An incident, and the fault it is of, belong to the problem."""

    incident: str
    dedup: str = ""


class IncidentUnlinked(Fact, frozen=True, kw_only=True, tag="unlinked"):
    """An incident does not belong to the problem after all, nor does its fault."""

    incident: str
    dedup: str = ""


class OwnerNamed(Fact, frozen=True, kw_only=True, tag="owner-named"):
    """Somebody answers for the problem."""

    owner: str


class ProblemNoted(Fact, frozen=True, kw_only=True, tag="noted"):
    """Somebody wrote something down."""

    text: str


class ErrorKnown(Fact, frozen=True, kw_only=True, tag="error-known"):
    """The cause is known, or how to get round it; what is empty stays as it was."""

    cause: str = ""
    workaround: str = ""


class ProblemSolved(Fact, frozen=True, kw_only=True, tag="solved"):
    """The fault does not come again."""

    text: str


class ProblemReopened(Fact, frozen=True, kw_only=True, tag="reopened"):
    """It did come again."""

    text: str


class ProblemActionAdded(Fact, frozen=True, kw_only=True, tag="action-added"):
    """Somebody is to do something about it."""

    action: Action


class ProblemActionDone(Fact, frozen=True, kw_only=True, tag="action-done"):
    """An action is done."""

    action: str
    text: str = ""


class ProblemActionReviewed(Fact, frozen=True, kw_only=True, tag="action-reviewed"):
    """The production committee looked at an action."""

    action: str
    text: str = ""


class ProblemActionReminded(Fact, frozen=True, kw_only=True, tag="action-reminded"):
    """Who has an action was reminded of it."""

    action: str


class ProblemActionLate(Fact, frozen=True, kw_only=True, tag="action-late"):
    """An action was not done on its date."""

    action: str


ProblemFact = (
    ProblemOpened
    | IncidentLinked
    | IncidentUnlinked
    | OwnerNamed
    | ProblemNoted
    | ErrorKnown
    | ProblemSolved
    | ProblemReopened
    | ProblemActionAdded
    | ProblemActionDone
    | ProblemActionReviewed
    | ProblemActionReminded
    | ProblemActionLate
)


class ProblemNote(msgspec.Struct, frozen=True, array_like=True):
    """What somebody wrote down, and when."""

    at: datetime
    by: str
    text: str


class ProblemRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A problem as it is now. ``faults`` are the keys of which it explains every incident to come, ``unlinked``
    the incidents that somebody took away."""

    number: str
    title: str
    opened_at: datetime
    opened_by: str
    phase: ProblemPhase = "open"
    service: str = ""
    why: str = ""
    manager: tuple[str, ...] = ()
    owner: str = ""
    incidents: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()
    cause: str = ""
    workaround: str = ""
    solution: str = ""
    solved_at: datetime | None = None
    notes: tuple[ProblemNote, ...] = ()
    actions: Actions = {}

    def known_error(self) -> KnownError | None:
        """Return what an incident to come is told of it; nothing once it is solved."""
        if self.phase == "solved":
            return None
        return KnownError(number=self.number, title=self.title, cause=self.cause, workaround=self.workaround)


def folded(number: str, facts: Iterable[ProblemFact]) -> ProblemRecord:
    """Return the record that facts add up to; the first is its opening."""
    record: ProblemRecord | None = None
    for fact in facts:
        record = _after(record, number, fact)
    assert record is not None, "a record begins with its opening"
    return record


def _after(record: ProblemRecord | None, number: str, fact: ProblemFact) -> ProblemRecord:
    if isinstance(fact, ProblemOpened):
        return ProblemRecord(
            number=number,
            title=fact.title,
            opened_at=fact.at,
            opened_by=fact.by,
            service=fact.service,
            why=fact.why,
            manager=fact.manager,
            owner=fact.owner,
        )
    assert record is not None, "a record begins with its opening"
    return _acted(_told(record, fact), fact)


def _told(record: ProblemRecord, fact: ProblemFact) -> ProblemRecord:
    match fact:
        case IncidentLinked(incident=incident, dedup=dedup):
            faults = tuple(dict.fromkeys(filter(None, (*record.faults, dedup))))[-FAULTS_MAX:]
            incidents = tuple(dict.fromkeys((*record.incidents, incident)))[-INCIDENTS_MAX:]
            return replace(record, incidents=incidents, faults=faults)
        case IncidentUnlinked(incident=incident, dedup=dedup):
            left = tuple(one for one in record.incidents if one != incident)
            faults = tuple(one for one in record.faults if one != dedup)
            gone = (*record.unlinked, incident)[-INCIDENTS_MAX:]
            return replace(record, incidents=left, faults=faults, unlinked=gone)
        case OwnerNamed(owner=owner):
            return replace(record, owner=owner)
        case ProblemNoted(at=at, by=by, text=text):
            return replace(record, notes=(*record.notes, ProblemNote(at, by, text))[-NOTES_MAX:])
        case ErrorKnown(cause=cause, workaround=workaround):
            cause, workaround = cause or record.cause, workaround or record.workaround
            return replace(record, phase="known_error", cause=cause, workaround=workaround)
        case ProblemSolved(at=at, text=text):
            return replace(record, phase="solved", solution=text, solved_at=at)
        case ProblemReopened(at=at, by=by, text=text):
            phase: ProblemPhase = "known_error" if record.cause or record.workaround else "open"
            notes = (*record.notes, ProblemNote(at, by, text))[-NOTES_MAX:]
            return replace(record, phase=phase, solved_at=None, notes=notes)
    return record


def _acted(record: ProblemRecord, fact: ProblemFact) -> ProblemRecord:
    match fact:
        case ProblemActionAdded(at=at, by=by, action=action):
            one = ActionState(action=action, added_at=at, added_by=by)
        case ProblemActionDone(at=at, by=by, action=name, text=text):
            one = actions.finished(record.actions[name], at, by, text)
        case ProblemActionReviewed(at=at, by=by, action=name, text=text):
            one = actions.discussed(record.actions[name], at, by, text)
        case ProblemActionReminded(action=name):
            one = replace(record.actions[name], reminded=True)
        case ProblemActionLate(action=name):
            one = replace(record.actions[name], late=True)
        case _:
            return record
    return replace(record, actions={**record.actions, one.action.id: one})


def unsolved(record: ProblemRecord) -> ProblemRecord:
    """Return a record of which something can still be said.

    Raises:
        Refused: it is solved.
    """
    if record.phase == "solved":
        raise Refused(f"{record.number} is solved: reopen it first.")
    return record


def worded(text: str, needs: str) -> str:
    """Return what somebody wrote.

    Raises:
        Refused: it is nothing; ``needs`` begins the sentence.
    """
    if not text.strip():
        raise Refused(f"{needs} needs a text.")
    return text.strip()
