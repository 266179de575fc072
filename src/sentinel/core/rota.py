"""What a rota is: turns that follow one another, and what people put over them (rules ESC-5, ESC-6). Plain data."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from sentinel.core.business import OutOfCalendar, business_time
from sentinel.core.calendar import Calendar, instant_of, shown_at

EntryKind = Literal["fill", "override", "swap"]

INSTANT: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
WEEK_DAYS: Final = 7
EPOCH_MONDAY: Final = date(2024, 1, 1)  # Where cycles are counted from when nobody says when they start.


class Covers(msgspec.Struct, frozen=True):
    """When somebody has to be there: always, or inside or outside the opening hours of a calendar."""

    calendar: Calendar | None = None
    inside: bool = True

    def holds(self, at: datetime) -> bool:
        """Tell whether an instant is covered."""
        if self.calendar is None:
            return True
        try:
            return bool(business_time(self.calendar).periods(at, at + INSTANT)) == self.inside
        except OutOfCalendar:  # A clock that is decades off must not leave a page with nobody.
            return True

    def edges(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the instants between two at which coverage may begin or end."""
        if self.calendar is None:
            return []
        try:
            periods = business_time(self.calendar).periods(start, end)
        except OutOfCalendar:
            return []
        return [edge for period in periods for edge in period if start < edge < end]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """People who take turns: the first of ``order`` from ``first_day`` on, each for ``days`` days.

    Turns change at ``hour``, local to ``timezone``; a time that does not exist is the first after it, of one that comes
    twice it is the first. An empty order is filled by hand, cycle by cycle.
    """

    timezone: str
    hour: time
    days: int = WEEK_DAYS
    first_day: date = EPOCH_MONDAY
    order: tuple[str, ...] = ()
    covers: Covers = Covers()

    def __post_init__(self) -> None:
        """Refuse turns that never end."""
        if self.days < 1:
            raise ValueError("a turn lasts a day at least")

    def begins_at(self, number: int) -> datetime:
        """Return when a cycle begins, in UTC; the one of ``first_day`` is number 0."""
        return instant_of(datetime.combine(self.day_of(number), self.hour), ZoneInfo(self.timezone))

    def day_of(self, number: int) -> date:
        """Return the local day on which a cycle begins."""
        return self.first_day + number * self.days * DAY

    def number_at(self, at: datetime) -> int:
        """Return the number of the cycle that an instant lies in; negative before the first."""
        day = shown_at(at, ZoneInfo(self.timezone)).date()
        number = (day - self.first_day).days // self.days
        while self.begins_at(number) > at:
            number -= 1
        while self.begins_at(number + 1) <= at:
            number += 1
        return number

    def holder(self, at: datetime) -> str:
        """Return whose turn it is; empty when it is nobody's."""
        if not self.order or not self.covers.holds(at):
            return ""
        number = self.number_at(at)
        return self.order[number % len(self.order)] if number >= 0 else ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody put over the turns, for a time: ``who`` instead of whoever it was.

    A ``swap`` exchanges ``who`` and ``with_``, each where the other was. Made in the configuration it has no
    ``made_at``. One that was ``undone_at`` some moment holds no more.
    """

    rota: str
    kind: EntryKind
    who: str
    starts_at: datetime
    ends_at: datetime
    with_: str = ""
    id: str = ""
    by: str = ""
    made_at: datetime | None = None
    note: str = ""
    undone_by: str = ""
    undone_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what takes no time."""
        if self.starts_at >= self.ends_at:
            raise ValueError("it begins before it ends")

    @property
    def people(self) -> tuple[str, ...]:
        """Return everybody it names."""
        return (self.who, self.with_) if self.with_ else (self.who,)

    def over(self, person: str) -> str:
        """Return who is on call where ``person`` was."""
        if self.kind != "swap":
            return self.who
        return {self.who: self.with_, self.with_: self.who}.get(person, person)


class Rota(msgspec.Struct, frozen=True, kw_only=True):
    """Who is on call when. A later layer wins over an earlier one, an entry over layers, a later entry over others.

    Cycles are those of the first layer. The next one is to be filled ``fill_by`` before it begins, and ``fill_warn``
    before it begins a warning goes to ``fill_to``. Who comes on is told ``notice_before``; never when it is None.
    """

    id: str
    name: str
    layers: tuple[Layer, ...]
    covers: Covers = Covers()
    entries: tuple[Entry, ...] = ()
    fill_by: timedelta = DAY
    fill_warn: timedelta = 3 * DAY
    fill_to: tuple[str, ...] = ()
    notice_before: timedelta | None = timedelta(hours=1)
    published: bool = False

    def __post_init__(self) -> None:
        """Refuse a rota without cycles."""
        if not self.layers:
            raise ValueError("a rota has a layer at least")

    @property
    def cycles(self) -> Layer:
        """Return the layer that gives the rota its cycles."""
        return self.layers[0]

    @property
    def people(self) -> tuple[str, ...]:
        """Return everybody who may be on call, each once."""
        named = [person for layer in self.layers for person in layer.order]
        named += [person for entry in self.entries for person in entry.people]
        return tuple(dict.fromkeys(named))


# Beyond what layers say: fills, then what the configuration overrides, then what people changed since.
_RANK: Final[dict[EntryKind, int]] = {"fill": 0, "override": 1, "swap": 1}
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


def with_entries(rota: Rota, entries: tuple[Entry, ...]) -> Rota:
    """Return the rota with more entries: those that hold, of this rota, in the order in which they win."""
    holding = [entry for entry in (*rota.entries, *entries) if entry.rota == rota.id and entry.undone_at is None]
    holding.sort(key=lambda entry: (_RANK[entry.kind], entry.made_at or _LONG_AGO))
    return msgspec.structs.replace(rota, entries=tuple(holding))
