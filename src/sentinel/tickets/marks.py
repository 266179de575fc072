"""How a back-end's ticket and the notes in it are known to be ours: marks that survive being kept as HTML."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Final

from sentinel.tickets.base import Ticket

NOTE_MAX_CHARS: Final = 1500
TITLE_MAX_CHARS: Final = 250
BODY_MAX_CHARS: Final = 16_000
GATHERED_MAX_CHARS: Final = 16_000
COMMENT_MAX_CHARS: Final = 4000
COMMENTS_MAX: Final = 100
DIGEST_CHARS: Final = 12
_OURS: Final = re.compile(r"\[[A-Z]+-\d+/[0-9a-z]+\]\s*\Z")
_BREAK: Final = re.compile(r"<(?:br|/p|/div|/li)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[a-zA-Z/!][^<>]{0,2000}>")
_BLANK_LINES: Final = re.compile(r"\n{3,}")


def key_mark(ticket: Ticket) -> str:
    """Return what the title begins with: by it the ticket is found again."""
    return f"[{ticket.key}]"


def title_of(ticket: Ticket, title_max_chars: int = TITLE_MAX_CHARS) -> str:
    """Return the title, on one line, with the mark of its key in front."""
    return " ".join(f"{key_mark(ticket)} {_shown(ticket.title)}".split())[:title_max_chars].rstrip()


def body_of(ticket: Ticket) -> str:
    """Return what the ticket says when it is opened."""
    links = "".join(f"\n{link}" for link in ticket.links)
    return _shown(f"{ticket.description}\n\nService: {ticket.service}{links}")[:BODY_MAX_CHARS]


def note_mark(ticket: Ticket, sequence: int) -> str:
    """Return what a note ends with: by it the note is not written twice, and not read back as a comment."""
    return f"[{ticket.key}/{sequence}]"


def note_of(ticket: Ticket, sequence: int, text: str) -> str:
    """Return a note as it is written there."""
    return f"{_shown(text)[:NOTE_MAX_CHARS]} {note_mark(ticket, sequence)}"


def missing(ticket: Ticket, there: str) -> list[str]:
    """Return the notes, as they are written there, of which nothing is in what is there."""
    notes = ((sequence, text) for sequence, text in ticket.notes if note_mark(ticket, sequence) not in there)
    return [note_of(ticket, sequence, text) for sequence, text in notes]


def gathered(ticket: Ticket, there: str) -> list[str]:
    """Return the notes of which nothing is there yet, as few texts: each request to a back-end takes its time."""
    texts: list[str] = []
    for note in missing(ticket, there):
        if texts and len(texts[-1]) + len(note) < GATHERED_MAX_CHARS:
            texts[-1] += f"\n{note}"
        else:
            texts.append(note)
    return texts


def solution_of(ticket: Ticket) -> str:
    """Return the text of the end as it is written there; empty when there is none."""
    said = _shown(ticket.resolution)[:NOTE_MAX_CHARS]
    return f"{said} {solution_mark(ticket)}" if said else ""


def solution_mark(ticket: Ticket) -> str:
    """Return what the text of the end is marked with, each text with another."""
    return f"[{ticket.key}/{hashlib.sha256(ticket.resolution.encode()).hexdigest()[:DIGEST_CHARS]}]"


def is_ours(text: str) -> bool:
    """Tell whether we wrote it: our mark ends it, and not as a quotation."""
    last = plain(text).rstrip().rpartition("\n")[2].lstrip()
    return bool(_OURS.search(last)) and not last.startswith(">")


def plain(text: str) -> str:
    """Return a text that may be HTML as plain text, without what is not for the eye."""
    without = _TAG.sub("", _BREAK.sub("\n", text)) if "<" in text else text
    return _BLANK_LINES.sub("\n\n", _shown(html.unescape(without))).strip()


def comment_of(text: str) -> str:
    """Return what somebody wrote there as plain text, cut; for back-ends whose texts are no HTML."""
    return _shown(text).strip()[:COMMENT_MAX_CHARS]


def _shown(text: str) -> str:
    """Leave out what is not for the eye: databases refuse some of it, terminals obey the rest."""
    return "".join(one for one in text.replace("\r\n", "\n") if one.isprintable() or one in "\n\t")
