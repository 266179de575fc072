"""Keeping a matrix: each party proposes its own part, the keeper validates, the last validated one holds (rule ESC-4).

What happens is kept as facts in the order it did; the matrix that holds is what they add up to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from sentinel.core.matrix import LEVELS, SIDES, Matrix, Side, Table, at, levels
from sentinel.core.model import Person, Refused

CONTACTS_MAX: Final = 20  # of one side at one level

Own = dict[str, tuple[str, ...]]  # the contacts of one party, by level


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun", omit_defaults=True):
    """The first version, as the configuration had it when the first change to it was proposed."""

    at: datetime
    in_hours: Table
    out_of_hours: Table


class Proposed(msgspec.Struct, frozen=True, kw_only=True, tag="proposed", omit_defaults=True):
    """Somebody of a party proposes contacts of it; levels that are not named stay."""

    at: datetime
    by: str
    side: Side
    in_hours: Own = {}
    out_of_hours: Own = {}
    note: str = ""


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True, tag="withdrawn", omit_defaults=True):
    """A proposal is taken back by its party, or set aside by the keeper."""

    at: datetime
    by: str
    number: int
    why: str = ""


class Validated(msgspec.Struct, frozen=True, kw_only=True, tag="validated", omit_defaults=True):
    """A version takes effect: whole, so that it can be read without what came before."""

    at: datetime
    by: str
    committee: str
    version: int
    in_hours: Table
    out_of_hours: Table
    note: str = ""


Fact = Begun | Proposed | Withdrawn | Validated


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A matrix as it is now: the version that holds, and what is proposed beside it, by number."""

    matrix: Matrix
    proposals: dict[int, Proposed] = {}
    begun: bool = False


def kept(configured: Matrix, facts: Iterable[Fact]) -> Kept:
    """Return what facts add up to, over the matrix as the configuration has it."""
    matrix, proposals, count, begun = configured, dict[int, Proposed](), 0, False
    for fact in facts:
        match fact:
            case Begun():
                begun = True
                matrix = replace(matrix, in_hours=fact.in_hours, out_of_hours=fact.out_of_hours)
            case Proposed():
                count += 1
                proposals[count] = fact
            case Withdrawn():
                proposals.pop(fact.number, None)
            case Validated():
                proposals.clear()
                matrix = replace(
                    matrix,
                    version=fact.version,
                    committee=fact.committee,
                    in_hours=fact.in_hours,
                    out_of_hours=fact.out_of_hours,
                    validated_by=fact.by,
                    validated_at=fact.at,
                )
    return Kept(matrix=matrix, proposals=proposals, begun=begun)


def propose(now: Kept, proposal: Proposed, people: Mapping[str, Person]) -> list[Fact]:
    """Return the facts of a proposal, if it is one that its author may make.

    Raises:
        Refused: nobody knows the author, it is about another party than theirs, or no contact is as it must be.
    """
    author = _known(proposal.by, people)
    if author.side != proposal.side:
        raise Refused(
            f"{author.name} is of the {author.side}'s side, and each party proposes its own part of the matrix only, "
            f"not the {proposal.side}'s."
        )
    if not proposal.in_hours and not proposal.out_of_hours:
        raise Refused("A proposal names contacts at a level at least.")
    for own in (proposal.in_hours, proposal.out_of_hours):
        for level, whom in own.items():
            _fitting(level, whom, proposal.side, people)
    first = Begun(at=proposal.at, in_hours=now.matrix.in_hours, out_of_hours=now.matrix.out_of_hours)
    return [proposal] if now.begun else [first, proposal]


def _fitting(level: str, whom: Sequence[str], side: Side, people: Mapping[str, Person]) -> None:
    if level not in {str(one) for one in LEVELS}:
        raise Refused(f"There is no level {level}; a matrix has the levels 1 to {max(LEVELS)}.")
    if len(whom) > CONTACTS_MAX:
        raise Refused(f"A party has at most {CONTACTS_MAX} contacts at a level.")
    for who in whom:
        person = _known(who, people)
        if person.side != side:
            raise Refused(f"{person.name} is of the {person.side}'s side, and cannot be a contact of the {side}'s.")


def _known(who: str, people: Mapping[str, Person]) -> Person:
    if who not in people:
        raise Refused(f"{who} is nobody of the configuration, and only its people stand in a matrix or change it.")
    return people[who]


def withdraw(now: Kept, withdrawal: Withdrawn, people: Mapping[str, Person]) -> list[Fact]:
    """Return the fact that a proposal is taken back.

    Raises:
        Refused: there is none of that number, or it is not theirs to take back.
    """
    proposal = now.proposals.get(withdrawal.number)
    if proposal is None:
        raise Refused(f"No proposal {withdrawal.number} waits for validation.")
    author = _known(withdrawal.by, people)
    if author.id != now.matrix.keeper and author.side != proposal.side:
        raise Refused(f"Proposal {withdrawal.number} is the {proposal.side}'s; they or the keeper take it back.")
    return [withdrawal]


def validate(now: Kept, by: str, said: tuple[str, str], at_: datetime, people: Mapping[str, Person]) -> list[Fact]:
    """Return the fact of the next version: the one that holds, with everything that is proposed.

    ``said`` is which contract committee validated it, and a note.

    Raises:
        Refused: somebody else than the keeper asks, no committee is named, nothing is proposed, or a level that
            reaches somebody now would reach nobody.
    """
    matrix, (committee, note) = now.matrix, said
    if by != matrix.keeper:
        keeper = people[matrix.keeper].name if matrix.keeper in people else matrix.keeper
        raise Refused(f"The matrix is kept by {keeper}, who alone validates it.")
    if not committee.strip():
        raise Refused("Validating needs the contract committee that did.")
    if not now.proposals:
        raise Refused("Nothing is proposed.")
    in_hours, out_of_hours = matrix.in_hours, matrix.out_of_hours
    for proposal in now.proposals.values():
        in_hours = _with(in_hours, proposal.side, proposal.in_hours)
        out_of_hours = _with(out_of_hours, proposal.side, proposal.out_of_hours)
    coming = replace(matrix, in_hours=in_hours, out_of_hours=out_of_hours)
    for out, level in levels(matrix):
        if not any(who in people for who in at(coming.table(out), level)):
            part = "out of hours" if out else "in business hours"
            raise Refused(f"Level {level} {part} would reach nobody.")
    return [
        Validated(
            at=at_,
            by=by,
            committee=committee,
            version=matrix.version + 1,
            in_hours=in_hours,
            out_of_hours=out_of_hours,
            note=note,
        )
    ]


def _with(table: Table, side: Side, own: Own) -> Table:
    """Return a table with one party's contacts as proposed; a level nobody is left at is no level any more."""
    changed = {level: dict(sides) for level, sides in table.items()}
    for level, whom in own.items():
        changed.setdefault(level, {})[side] = tuple(dict.fromkeys(whom))
    ordered = {
        level: {side: changed[level][side] for side in SIDES if changed[level].get(side)} for level in sorted(changed)
    }
    return {level: sides for level, sides in ordered.items() if sides}


def gone(matrix: Matrix, people: Mapping[str, Person]) -> tuple[str, ...]:
    """Return the contacts whom the configuration no longer knows: they are passed over, and that must be said."""
    return tuple(who for who in matrix.everybody() if who not in people)
