"""Shifts as a calendar that other programs subscribe to: iCalendar, RFC 5545.

It holds names and times, no address and no secret. Times are UTC; who reads it sees their own. The same shift has the
same UID for ever, whoever takes it over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from sentinel import __version__
from sentinel.core.oncall import Shift
from sentinel.messages.clean import one_line

CONTENT_TYPE: Final = "text/calendar"
LINE_MAX_BYTES: Final = 75
TEXT_MAX_CHARS: Final = 200
REFRESH: Final = "PT1H"

_ESCAPES: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,"})


def calendar(title: str, shifts: Iterable[tuple[Shift, str]], people: Mapping[str, str], now: datetime) -> str:
    """Return a calendar of shifts, each with the name of its rota; ``people`` maps ids to names."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:-//Sentinel//Sentinel {__version__}//EN",
        "CALSCALE:GREGORIAN",
        f"X-WR-CALNAME:{text(title)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{REFRESH}",
        f"X-PUBLISHED-TTL:{REFRESH}",
    ]
    for shift, rota in shifts:
        lines += _event(shift, f"{rota}: {people.get(shift.person, shift.person)}", now)
    lines.append("END:VCALENDAR")
    return "".join(f"{piece}\r\n" for line in lines for piece in folded(line))


def _event(shift: Shift, summary: str, now: datetime) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{text(shift.rota)}-{stamp(shift.starts_at)}@oncall.sentinel",
        f"DTSTAMP:{stamp(now)}",
        f"DTSTART:{stamp(shift.starts_at)}",
        f"DTEND:{stamp(shift.ends_at)}",
        f"SUMMARY:{text(summary)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def stamp(moment: datetime) -> str:
    """Write a moment in UTC, to the second."""
    return f"{moment:%Y%m%dT%H%M%SZ}"


def text(value: str) -> str:
    """Write a text on one line, as values are written."""
    return one_line(value, TEXT_MAX_CHARS).translate(_ESCAPES)


def folded(line: str) -> Iterator[str]:
    """Yield a line in pieces of 75 octets at most, cut between characters; all but the first begin with a blank."""
    piece, length = "", 0
    for character in line:
        size = len(character.encode())
        if length + size > LINE_MAX_BYTES:
            yield piece
            piece, length = " ", 1
        piece += character
        length += size
    yield piece
