"""A declarative mapping: how a JSON body of any shape says what fires and what is over (rule SRC-2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from sentinel.core.json_paths import JsonPath, Place, Template, Unreadable, kind_of
from sentinel.core.matching import like

MANY_MAX: Final = 500
ID_MAX_CHARS: Final = 500
MILLISECONDS_FROM: Final = 100_000_000_000  # Seconds reach this in the year 5138.
FIRST_YEAR, LAST_YEAR = 1990, 2098
ANY: Final = "*"

Meaning = Literal["firing", "resolved", "ignored"]


class Condition(msgspec.Struct, frozen=True):
    """One path, and the values of which one must stand there; ``*`` stands for anything, ``""`` for nothing at all."""

    path: JsonPath
    values: tuple[str, ...]

    def holds(self, place: Place) -> bool:
        """Tell whether one of the values stands there.

        Raises:
            Unreadable: it is an object.
        """
        found = self.path.said(place) or ""
        return any(like(found, value) for value in self.values)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a body, or an entry of its list, says. Of what is ignored nothing else is read.

    ``unread_since`` is what stands where a moment was looked for and none is.
    """

    meaning: Meaning
    id: str = ""
    title: str = ""
    detail: str = ""
    url: str = ""
    since: datetime | None = None
    unread_since: str = ""
    labels: dict[str, str] = {}


class BodyMapping(msgspec.Struct, frozen=True, kw_only=True):
    """How bodies are read. Without conditions for ``firing`` all fires that is neither ignored nor over."""

    name: str
    id: Template
    many: JsonPath | None = None
    firing: tuple[Condition, ...] = ()
    resolved: tuple[Condition, ...] = ()
    ignore: tuple[Condition, ...] = ()
    title: Template | None = None
    detail: Template | None = None
    url: Template | None = None
    since: JsonPath | None = None
    labels: Mapping[str, Template] = {}
    translate: Mapping[str, Mapping[str, str]] = {}
    service: str = ""
    expires: timedelta = timedelta(days=30)

    def places(self, body: Any) -> Iterator[tuple[str, Place]]:
        """Yield each part of a body that says something, with where it stands.

        Raises:
            Unreadable: there is no list where one must be, or it is too long.
        """
        if self.many is None:
            yield "", Place(body, body)
            return
        listed = self.many.find(Place(body, body))
        if not isinstance(listed, list):
            raise Unreadable(self.many.text, f"is {kind_of(listed)}, not the list that `many` names")
        if len(listed) > MANY_MAX:
            raise Unreadable(self.many.text, f"has more than {MANY_MAX} entries")
        for number, part in enumerate(listed):
            yield f"{self.many.text}[{number}]", Place(part, body)

    def read(self, place: Place) -> Said:
        """Return what a part of a body says.

        Raises:
            Unreadable: it lacks something that must be there.
        """
        meaning = self._meaning(place)
        if meaning == "ignored":
            return Said(meaning=meaning)
        named = self.id.fill(place).strip()
        if not named:
            raise Unreadable("id", "is empty: nothing would tell one signal from another")
        if len(named) > ID_MAX_CHARS:
            raise Unreadable("id", f"is longer than {ID_MAX_CHARS} characters")
        since, unread = self._since(place)
        return Said(
            meaning=meaning,
            id=named,
            title=_filled(self.title, place),
            detail=_filled(self.detail, place),
            url=_filled(self.url, place),
            since=since,
            unread_since=unread,
            labels=dict(self._labels(place)),
        )

    def _meaning(self, place: Place) -> Meaning:
        if _hold(self.ignore, place):
            return "ignored"
        if _hold(self.resolved, place):
            return "resolved"
        if not self.firing or _hold(self.firing, place):
            return "firing"
        asked = dict.fromkeys(one.path for one in (*self.firing, *self.resolved))
        told = ", ".join(f"`{path.text}` is {_shown(path.said(place))}" for path in asked)
        raise Unreadable("firing", f"and `resolved` fit neither: {told}")

    def _since(self, place: Place) -> tuple[datetime | None, str]:
        """Return since when, or what stands there instead of a moment."""
        if self.since is None:
            return None, ""
        found = self.since.find(place)
        if found in (None, "", 0):
            return None, ""
        read = moment(found)
        return read, "" if read else _shown(found if isinstance(found, str | int | float) else kind_of(found))

    def _labels(self, place: Place) -> Iterator[tuple[str, str]]:
        for name, template in self.labels.items():
            value = template.fill(place).strip()
            table = self.translate.get(name, {})
            value = table.get(value, table.get(ANY, value))
            if value:
                yield name, value


def moment(value: Any) -> datetime | None:
    """Read a moment: RFC 3339 with an offset, or seconds or milliseconds since 1970; nothing for anything else."""
    try:
        if isinstance(value, str) and not value.isascii():
            return None
        if isinstance(value, str) and not _is_number(value):
            read = datetime.fromisoformat(value)
            if read.tzinfo is None:
                return None
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            number = float(value)
            read = datetime.fromtimestamp(number / (1000 if abs(number) >= MILLISECONDS_FROM else 1), UTC)
        else:
            return None
        read = read.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return read if FIRST_YEAR <= read.year <= LAST_YEAR else None


def _is_number(text: str) -> bool:
    whole, _, part = text.strip().partition(".")
    return whole.isdecimal() and (part.isdecimal() or not part)


def _hold(conditions: tuple[Condition, ...], place: Place) -> bool:
    return bool(conditions) and all(one.holds(place) for one in conditions)


def _filled(template: Template | None, place: Place) -> str:
    return template.fill(place) if template is not None else ""


def _shown(value: object) -> str:
    if value is None:
        return "not there"
    text = str(value)
    return f"'{text[:60]}…'" if len(text) > 60 else f"'{text}'"
