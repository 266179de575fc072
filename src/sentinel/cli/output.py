"""How commands print: tables for people, JSON for programs, and nothing that can fool a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, tzinfo
from typing import Any

import click

SAFE_MAX_CHARS = 2000
GAP = "  "
STYLES = {
    "open": "red",
    "failing": "red",
    "dead": "red",
    "P1": "red",
    "acknowledged": "yellow",
    "pending": "yellow",
    "P2": "yellow",
    "resolved": "green",
    "closed": "green",
    "ok": "green",
    "done": "green",
    "delivered": "green",
}


def print_json(value: Any) -> None:
    """Print for programs: characters outside ASCII as escapes, so that no terminal acts on them."""
    click.echo(json.dumps(value, indent=2, default=str))


def safe(text: object) -> str:
    """Return text from outside on one line, without controls and direction changes."""
    said = str(text)
    if said.isascii() and said.isprintable() and len(said) <= SAFE_MAX_CHARS:
        return said  # Most is, and importing what makes the rest harmless takes longer than the command.
    from sentinel.messages.clean import one_line

    return one_line(said, SAFE_MAX_CHARS)


def safe_lines(text: object) -> str:
    """Return text from outside on its own lines, without controls and direction changes."""
    from sentinel.messages.clean import clean

    return clean(str(text), SAFE_MAX_CHARS)


def colourful() -> bool:
    """Tell whether colours are wanted: on a terminal, unless NO_COLOR says otherwise."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def say(text: str, colour: str = "") -> None:
    """Print a line, in a colour when colours are wanted."""
    click.echo(click.style(text, fg=colour, bold=True) if colour and colourful() else text)


_ZONE: ContextVar[tzinfo | None] = ContextVar("zone", default=None)


@contextmanager
def in_zone(zone: tzinfo) -> Iterator[None]:
    """Write moments in a time zone other than this terminal's."""
    before = _ZONE.set(zone)
    try:
        yield
    finally:
        _ZONE.reset(before)


def local(moment: str | datetime | None, *, seconds: bool = False) -> str:
    """Write a moment in this terminal's time zone, or the one that was asked for."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return at.astimezone(_ZONE.get()).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: with lines and colours on a terminal, as aligned text otherwise."""
    cells = [[safe(cell) if cell is not None else "" for cell in row] for row in rows]
    if sys.stdout.isatty():
        _rich_table(headings, cells)
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for row in ([heading.upper() for heading in headings], *cells):
        line = GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _rich_table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell, style=f"bold {STYLES[cell]}" if cell in STYLES else "") for cell in row))
    Console(no_color=not colourful()).print(drawn)
