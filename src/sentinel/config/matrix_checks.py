"""What must fit together in ``matrices``: its people are there and of their side, every level used reaches somebody."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel.config.contract_checks import Fault
from sentinel.config.errors import Path
from sentinel.config.matrices import Levels, matrix_of
from sentinel.config.sections import Config
from sentinel.config.words import did_you_mean, quoted
from sentinel.core import matrix
from sentinel.core.matrix import SIDES

PREFIX = "matrix:"
SHAPE = "write `matrix:NAME/1`, or `matrix:NAME/out/1` out of hours"


def faults_of(config: Config) -> Iterator[Fault]:
    """Yield what does not fit in the matrices."""
    for name, entry in config.matrices.items():
        path: Path = ("matrices", name)
        yield from _person(config, entry.keeper, (*path, "keeper"), "provider", "keep the matrix")
        for part, written in (("in_hours", entry.in_hours), ("out_of_hours", entry.out_of_hours)):
            yield from _levels(config, written, (*path, part))


def _levels(config: Config, written: Levels, path: Path) -> Iterator[Fault]:
    for level, contacts in written.items():
        if not any(getattr(contacts, side) for side in SIDES):
            yield Fault((*path, str(level)), f"level {level} reaches nobody", "name somebody, or leave the level out")
        for side in SIDES:
            for number, who in enumerate(getattr(contacts, side)):
                yield from _person(config, who, (*path, str(level), side, number), side, f"stand under `{side}`")


def _person(config: Config, who: str, path: Path, side: str, does: str) -> Iterator[Fault]:
    if who not in config.names["people"]:
        near = did_you_mean(who, sorted(config.names["people"]))
        yield Fault(path, f"unknown person {quoted(who)}", "a matrix holds people, not groups" if ":" in who else near)
    elif (entry := config.people.get(who)) is not None and entry.side != side:
        yield Fault(path, f"{quoted(who)} is of the {entry.side}'s side, and cannot {does}", f"write `side: {side}`")


def audience_fault(config: Config, word: str, path: Path) -> Fault | None:
    """Return what is wrong with an audience that names a level of a matrix; a matrix that is wrong still counts."""
    found = matrix.read(word.removeprefix(PREFIX))
    if found is None:
        return Fault(path, f"{quoted(word)} names no level of a matrix", SHAPE)
    name, out, level = found
    if name not in config.names["matrices"]:
        near = did_you_mean(name, sorted(config.names["matrices"]))
        return Fault(path, f"unknown matrix {quoted(name)}", near)
    entry = config.matrices.get(name)
    if entry is not None and not matrix.at(matrix_of(name, entry).table(out), level):
        part = "out_of_hours" if out else "in_hours"
        return Fault(path, f"{quoted(word)} reaches nobody", f"name somebody at matrices.{name}.{part}.{level}")
    return None


def members(config: Config, name: str) -> tuple[str, ...]:
    """Return whom the file puts behind the rest of such an audience."""
    found = matrix.read(name)
    entry = config.matrices.get(found[0]) if found else None
    return matrix.contacts(name, {found[0]: matrix_of(found[0], entry)}) if found and entry else ()
