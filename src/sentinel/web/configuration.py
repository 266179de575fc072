"""What administrators are shown of the configuration; made outside the web, which knows nothing of its files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """What a reload would change in a section; without names the section as a whole."""

    section: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the file: each entry with its name and its text, secrets hidden."""

    name: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The configuration on disk. With ``mistakes`` nothing of it can be shown; ``same`` is what runs."""

    path: str
    files: tuple[str, ...] = ()
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    same: bool = False
    differences: tuple[Difference, ...] = ()
    sections: tuple[Section, ...] = ()
