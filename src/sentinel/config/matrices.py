"""The section ``matrices``: the first version of each escalation matrix, and who keeps it (rule ESC-4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.fields import OneOrMany
from sentinel.config.quantities import read_whole
from sentinel.config.words import wrong
from sentinel.core.matrix import SIDES, Matrix, Table

MatrixLevel = Annotated[Literal[1, 2, 3], BeforeValidator(read_whole)]


class MatrixContacts(Section):
    """Who is reached at a level, by side."""

    provider: OneOrMany[str] = ()
    customer: OneOrMany[str] = ()
    partner: OneOrMany[str] = ()


Levels = dict[MatrixLevel, MatrixContacts]


class MatrixEntry(Section):
    """An escalation matrix as it is until another version is validated."""

    name: Text | None = None
    keeper: Text
    committee: Text | None = None
    in_hours: Levels = {}
    out_of_hours: Levels = {}

    @model_validator(mode="after")
    def _reaches_somebody(self) -> MatrixEntry:
        if not self.in_hours and not self.out_of_hours:
            raise wrong("the matrix is empty", "write `in_hours` or `out_of_hours`")
        return self


def matrix_of(name: str, entry: MatrixEntry) -> Matrix:
    """Return the first version of a matrix."""
    return Matrix(
        id=name,
        name=entry.name or name,
        keeper=entry.keeper,
        committee=entry.committee or "",
        in_hours=_table(entry.in_hours),
        out_of_hours=_table(entry.out_of_hours),
    )


def _table(written: Levels) -> Table:
    return {
        str(level): {side: getattr(contacts, side) for side in SIDES if getattr(contacts, side)}
        for level, contacts in sorted(written.items())
    }
