"""The report on an incident as Markdown, for who works on it as text; as a page it is a template."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from sentinel.messages.clean import clean, one_line
from sentinel.web.review_document import Document, Section, Table

CELL_MAX_CHARS: Final = 2000
TEXT_MAX_CHARS: Final = 50_000
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(document: Document) -> str:
    """Write a report as Markdown; what comes from outside cannot become a link, a table or HTML."""
    blocks = [f"# {plain(document.title)}", plain(document.status), *(plain(line) for line in document.about)]
    for section in document.sections:
        blocks += _section(section)
    return "\n\n".join(blocks) + "\n"


def _section(section: Section) -> Iterable[str]:
    yield f"## {plain(section.title)}"
    if section.written:
        # People may write Markdown of their own; but no HTML.
        yield clean(section.written, TEXT_MAX_CHARS).replace("<", "&lt;")
    if section.lines:
        yield "\n".join(f"- {plain(line)}" for line in section.lines)
    if section.table is not None:
        yield "\n".join(_table(section.table))
    if section.empty and not section.written:
        yield f"*{plain(section.empty)}*"


def _table(table: Table) -> Iterable[str]:
    yield f"| {' | '.join(map(plain, table.headings))} |"
    yield f"|{'---|' * len(table.headings)}"
    for row in table.rows:
        yield f"| {' | '.join(map(plain, row))} |"


def plain(text: str) -> str:
    """Return text on one line that Markdown takes as it is."""
    return _SPECIAL.sub(r"\\\1", one_line(text, CELL_MAX_CHARS))
