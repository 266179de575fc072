"""The section ``rotas``: who is on call when (rules ESC-5 and ESC-6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from sentinel.config.base import Section
from sentinel.config.calendars import ALWAYS_NAME, Calendars
from sentinel.config.fields import Date, Duration, Flag, Instant, OneOrMany, TimeZoneName, read_duration, wrong
from sentinel.config.hours import WEEKDAYS
from sentinel.config.words import ReadsText, quoted, read_text
from sentinel.core.rota import EPOCH_MONDAY, WEEK_DAYS, Covers, Entry, Layer, Rota, with_entries

CYCLE_MAX_DAYS: Final = 366
ORDER_MAX: Final = 500
LAYERS_MAX: Final = 20
OVERRIDES_MAX: Final = 1_000
AHEAD_MAX: Final = timedelta(days=60)

Words = Annotated[str, Field(min_length=1, max_length=500)]
Ahead = Annotated[Duration, Field(gt=timedelta(0), le=AHEAD_MAX)]


@dataclass(frozen=True)
class Covering(ReadsText):
    """``always``, ``inside CALENDAR`` or ``outside CALENDAR``."""

    where: Literal["always", "inside", "outside"]
    calendar: str = ""

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": r"^(always|(inside|outside) \S+)$",
        "examples": ["outside business"],
    }

    @classmethod
    def read(cls, value: object) -> Covering:
        """Read when somebody must be there."""
        suggestion = "write `always`, `inside CALENDAR` or `outside CALENDAR`"
        where, _, calendar = read_text(value, "a time to cover", suggestion).partition(" ")
        calendar = calendar.strip()
        match where:
            case "always" if not calendar:
                return cls("always")
            case "inside" if calendar:
                return cls("inside", calendar)
            case "outside" if calendar:
                return cls("outside", calendar)
        raise wrong(f"{quoted(value)} is not a time to cover", suggestion)


@dataclass(frozen=True)
class Handover(ReadsText):
    """``mon 09:00``, or ``09:00`` where turns are not whole weeks. Monday is 0."""

    weekday: int | None
    hour: time

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": "^([a-z]{3} )?[0-2][0-9]:[0-5][0-9]$",
        "examples": ["mon 09:00"],
    }

    @classmethod
    def read(cls, value: object) -> Handover:
        """Read when one hands over to the next."""
        suggestion = "write it as `mon 09:00`, or `09:00` for turns of days"
        text = read_text(value, "a hand-over", suggestion).lower()
        found = re.fullmatch(r"(?:([a-z]{3}) +)?([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
        if not found or (found[1] and found[1] not in WEEKDAYS):
            raise wrong(f"{quoted(value)} is not a hand-over", suggestion)
        weekday = WEEKDAYS.index(found[1]) if found[1] else None
        return cls(weekday, time(int(found[2]), int(found[3])))


@dataclass(frozen=True)
class CycleLength(ReadsText):
    """``1w``, ``2w``, ``1d``: whole days, so that a hand-over is always at the same local time."""

    days: int

    _SCHEMA: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^[0-9]+[wd]$", "examples": ["1w"]}

    @classmethod
    def read(cls, value: object) -> CycleLength:
        """Read a number of weeks or days."""
        found = re.fullmatch(r"(\d{1,3})([wd])", read_text(value, "a number of days", "write `1w` or `1d`"), re.ASCII)
        if not found:
            raise wrong(f"{quoted(value)} is not a number of weeks or days", "write `1w` or `1d`")
        days = int(found[1]) * (WEEK_DAYS if found[2] == "w" else 1)
        if not 1 <= days <= CYCLE_MAX_DAYS:
            raise wrong(f"{quoted(value)} is not possible here", f"from `1d` to `{CYCLE_MAX_DAYS}d`")
        return cls(days)


def read_notice(value: object) -> object:
    """Read how long ahead, or ``never``."""
    return None if value == "never" else read_duration(value)


Notice = Annotated[
    Annotated[timedelta, Field(ge=timedelta(0), le=AHEAD_MAX)] | None,
    BeforeValidator(read_notice, json_schema_input_type=str),
]


class LayerEntry(Section):
    """Turns that win over those before it, where it has somebody. What it does not say is as in the rota."""

    order: OneOrMany[str] = Field(min_length=1, max_length=ORDER_MAX)
    covers: Covering = Covering("always")
    timezone: TimeZoneName | None = None
    handover: Handover | None = None
    length: CycleLength | None = None
    starts: Date | None = None


class OverrideEntry(Section):
    """For a time somebody else."""

    from_: Instant = Field(alias="from")
    until: Instant
    who: str
    note: Words | None = None

    @model_validator(mode="after")
    def _takes_time(self) -> OverrideEntry:
        if self.from_ >= self.until:
            raise wrong("the override ends before it begins")
        return self


class RotaEntry(Section):
    """Who is on call when. Without ``order`` each cycle is filled by hand."""

    name: Words | None = None
    covers: Covering = Covering("always")
    timezone: TimeZoneName | None = None
    handover: Handover = Handover(0, time(9))
    length: CycleLength = CycleLength(WEEK_DAYS)
    starts: Date | None = None
    order: OneOrMany[str] = Field((), max_length=ORDER_MAX)
    layers: tuple[LayerEntry, ...] = Field((), max_length=LAYERS_MAX)
    overrides: tuple[OverrideEntry, ...] = Field((), max_length=OVERRIDES_MAX)
    fill_by: Ahead = timedelta(days=1)
    fill_warn: Ahead = timedelta(days=3)
    fill_to: OneOrMany[str] = ()
    notice: Notice = timedelta(hours=1)
    ical: Flag = False

    @model_validator(mode="after")
    def _fits(self) -> RotaEntry:
        if self.fill_warn < self.fill_by:
            raise wrong("the warning comes after the limit", "make `fill_warn` longer than `fill_by`")
        for turns in self.turns():
            turns.check()
        return self

    def turns(self) -> Iterator[Turns]:
        """Yield the rota's own turns, then those of its layers."""
        always = Covering("always")
        yield Turns(self.order, always, self.timezone, self.handover, self.length, self.starts)
        for layer in self.layers:
            yield Turns(
                layer.order,
                layer.covers,
                layer.timezone or self.timezone,
                layer.handover or self.handover,
                layer.length or self.length,
                layer.starts or self.starts,
            )


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of a rota or of a layer, all said."""

    order: tuple[str, ...]
    covers: Covering
    timezone: str | None
    handover: Handover
    length: CycleLength
    starts: date | None

    def check(self) -> None:
        """Refuse turns that nobody could tell the beginning of."""
        if self.handover.weekday is not None and self.length.days % WEEK_DAYS:
            raise wrong("turns that are no whole weeks change on every day of the week", "write `handover: 09:00`")
        if len(self.order) > 1 and self.starts is None:
            raise wrong("nobody knows whose turn it is", "write `starts`: the first of `order` takes that cycle")

    def first_day(self) -> date:
        """Return the day of the first hand-over: the first on its weekday, from ``starts`` on."""
        day = self.starts or EPOCH_MONDAY
        weekday = self.handover.weekday
        return day if weekday is None else day + timedelta(days=(weekday - day.weekday()) % WEEK_DAYS)

    def layer(self, calendars: Calendars, timezone: str) -> Layer:
        """Return them as the core knows them."""
        return Layer(
            timezone=self.timezone or timezone,
            hour=self.handover.hour,
            days=self.length.days,
            first_day=self.first_day(),
            order=self.order,
            covers=covers_of(self.covers, calendars),
        )


def covers_of(covering: Covering, calendars: Calendars) -> Covers:
    """Return what is covered."""
    if covering.where == "always":
        return Covers()
    inside = covering.where == "inside"
    if covering.calendar == ALWAYS_NAME and inside:
        return Covers()
    return Covers(calendars[covering.calendar], inside=inside)


def rota_of(name: str, entry: RotaEntry, calendars: Calendars, timezone: str, fill_to: tuple[str, ...]) -> Rota:
    """Return a rota as the core knows it; ``timezone`` and ``fill_to`` are what holds when it says nothing."""
    overrides = tuple(
        Entry(rota=name, kind="override", who=one.who, starts_at=one.from_, ends_at=one.until, note=one.note or "")
        for one in entry.overrides
    )
    rota = Rota(
        id=name,
        name=entry.name or name,
        layers=tuple(turns.layer(calendars, timezone) for turns in entry.turns()),
        covers=covers_of(entry.covers, calendars),
        fill_by=entry.fill_by,
        fill_warn=entry.fill_warn,
        fill_to=entry.fill_to or fill_to,
        notice_before=entry.notice,
        published=entry.ical,
    )
    return with_entries(rota, overrides)
