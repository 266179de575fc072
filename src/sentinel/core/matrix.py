"""The escalation matrix: who is reached at which level, on each side, in business hours and out of them (rule ESC-4).

Plain data; how a version comes to hold is in ``core/matrix_keeping.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

Side = Literal["provider", "customer", "partner"]
Contacts = dict[Side, tuple[str, ...]]  # the ids of people
Table = dict[str, Contacts]  # by level: `1`, `2`, `3`

SIDES: Final[tuple[Side, ...]] = ("provider", "customer", "partner")
LEVELS: Final = (1, 2, 3)
OUT: Final = "out"


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a matrix. The keeper validates what comes after it; the first is that of the configuration."""

    id: str
    name: str
    keeper: str
    committee: str = ""
    version: int = 1
    in_hours: Table = {}
    out_of_hours: Table = {}
    validated_by: str = ""
    validated_at: datetime | None = None

    def table(self, out: bool) -> Table:
        """Return the contacts in business hours, or those out of them."""
        return self.out_of_hours if out else self.in_hours

    def everybody(self) -> tuple[str, ...]:
        """Return every contact once, in the order of the levels."""
        tables = (self.in_hours, self.out_of_hours)
        return tuple(dict.fromkeys(who for table in tables for level in LEVELS for who in at(table, level)))


def at(table: Table, level: int) -> tuple[str, ...]:
    """Return who is reached at a level: the provider's people first, each once."""
    sides = table.get(str(level), {})
    return tuple(dict.fromkeys(who for side in SIDES for who in sides.get(side, ())))


def read(word: str) -> tuple[str, bool, int] | None:
    """Read what stands behind ``matrix:`` in an audience: ``NAME/1``, or ``NAME/out/1`` out of hours."""
    name, *part, level = word.split("/") if "/" in word else ("", "")
    if not name or part not in ([], [OUT]) or level not in {str(one) for one in LEVELS}:
        return None
    return name, bool(part), int(level)


def contacts(word: str, matrices: Mapping[str, Matrix]) -> tuple[str, ...]:
    """Return whom such a word stands for now; nobody when there is no such matrix or level."""
    found = read(word)
    matrix = matrices.get(found[0]) if found else None
    return at(matrix.table(found[1]), found[2]) if matrix and found else ()


def levels(matrix: Matrix) -> Iterator[tuple[bool, int]]:
    """Yield each part and level at which somebody is reached."""
    for out in (False, True):
        yield from ((out, level) for level in LEVELS if at(matrix.table(out), level))
