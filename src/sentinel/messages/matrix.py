"""What is said of an escalation matrix: a version that takes effect, to each of its contacts (rule ESC-4)."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.matrix import SIDES, Matrix, Table
from sentinel.core.model import Directory, Person
from sentinel.messages.catalogue import Voice
from sentinel.messages.notice import Notice


class MatrixWords:
    """Speaks of matrices."""

    def published(self, message: str, matrix: Matrix, reader: Person, directory: Directory) -> bytes:
        """Return the body of the message that makes a version available to one of its contacts."""
        assert matrix.validated_at is not None, "only what was validated is made available"
        voice = Voice(reader.language, ZoneInfo(reader.timezone))
        keeper = directory.people.get(matrix.validated_by)
        notice = Notice(
            id=message,
            kind="matrix",
            at=matrix.validated_at,
            title=matrix.name,
            by=keeper.name if keeper else matrix.validated_by,
            whom=matrix.committee,
            count=matrix.version,
            text="\n".join(_written(matrix, voice, directory)),
        )
        return msgspec.json.encode(notice)


def _written(matrix: Matrix, voice: Voice, directory: Directory) -> Iterator[str]:
    for key, table in (("in_hours", matrix.in_hours), ("out_of_hours", matrix.out_of_hours)):
        if table:
            yield voice.word(key)
            yield from _levels(table, voice, directory)
            yield ""


def _levels(table: Table, voice: Voice, directory: Directory) -> Iterator[str]:
    colon = voice.word("colon")
    for level, sides in sorted(table.items()):
        yield f"  {voice.word('level')} {level}"
        for side in SIDES:
            known = [directory.people[who] for who in sides.get(side, ()) if who in directory.people]
            if known:
                yield f"    {voice.word(side)}{colon}{'; '.join(map(_person, known))}"


def _person(person: Person) -> str:
    reached = ", ".join(filter(None, (person.addresses.get(kind, "") for kind in ("mobile", "email"))))
    return f"{person.name} ({reached})" if reached else person.name
