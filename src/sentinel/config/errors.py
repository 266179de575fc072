"""Mistakes in what people wrote: gathered all at once, each with its place, shown one a line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from sentinel.config.words import HIDDEN, did_you_mean

Path: TypeAlias = tuple[str | int, ...]

MISTAKES_SHOWN_MAX: Final = 20
HIDE_ANYWHERE_MIN_CHARS: Final = 4  # a shorter secret is a common part of words, and is hidden where it is quoted


class Place(NamedTuple):
    """Where something stands: lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake, or one warning: what is wrong, at which path, and what to write instead."""

    file: str
    line: int
    column: int
    path: str
    text: str
    suggestion: str = ""

    def __str__(self) -> str:
        where = f" (at {self.path})" if self.path else ""
        hint = f"; {self.suggestion}" if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {self.text}{where}{hint}"


class ConfigError(Exception):
    """The configuration cannot be used; ``mistakes`` holds all that is wrong, in the order of the files."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        lines = [str(mistake) for mistake in mistakes[:MISTAKES_SHOWN_MAX]]
        left = len(mistakes) - len(lines)
        if left:
            lines.append(f"and {left} more mistake{'s' if left > 1 else ''}")
        super().__init__("\n".join(lines))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class _Noted:
    place: Place
    path: Path
    text: str
    suggest: Callable[[], str] | str


class Mistakes:
    """Gathers mistakes while the reading goes on."""

    def __init__(self) -> None:
        self.fatal = False  # a file could not be read whole
        self._settled: set[Place] = set()
        self._noted: dict[tuple[Place, str], _Noted] = {}

    def __bool__(self) -> bool:
        return bool(self._noted)

    def add(self, place: Place, path: Path, text: str, suggest: Callable[[], str] | str = "") -> None:
        """Note a mistake; the same one at the same place, seen through an alias, counts once."""
        if place not in self._settled:
            self._noted.setdefault((place, text), _Noted(place, path, text, suggest))

    def settle(self, place: Place) -> None:
        """Take nothing more at a place: what follows there would only be a consequence."""
        self._settled.add(place)

    def unknown(self, place: Place, path: Path, text: str, word: tuple[str, Iterable[str]]) -> None:
        """Note a word that is not among the known ones; the nearest is looked for only if the mistake is shown."""
        self.add(place, path, text, partial(did_you_mean, *word))

    def finish(self, files: Collection[str], hidden: Collection[str]) -> list[Mistake]:
        """Return all, sorted by file and line, the most precise first, with every hidden text masked."""
        order = {file: number for number, file in enumerate(files)}
        noted = sorted(
            self._noted.values(),
            key=lambda one: (order.get(one.place.file, -1), one.place.line, -len(one.path), one.place.column, one.text),
        )
        masks = [mask for value in sorted(hidden, key=len, reverse=True) for mask in _masks(value)]
        return [_finished(one, shown < MISTAKES_SHOWN_MAX, masks) for shown, one in enumerate(noted)]


def _masks(value: str) -> list[str]:
    if len(value) < HIDE_ANYWHERE_MIN_CHARS:
        return [f"'{value}'", repr(value)]
    return [value, repr(value)[1:-1]]


def _finished(one: _Noted, shown: bool, masks: list[str]) -> Mistake:
    # Looking for near words among thousands takes milliseconds each: what nobody sees gets no suggestion.
    suggestion = one.suggest if isinstance(one.suggest, str) else one.suggest() if shown else ""
    text = one.text
    for mask in masks:
        text, suggestion = text.replace(mask, HIDDEN), suggestion.replace(mask, HIDDEN)
    return Mistake(*one.place, ".".join(map(str, one.path)), text, suggestion)
