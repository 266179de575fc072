"""Hours of a week and lengths of business time, as people write them: ``mon-fri: 09:00-19:00``, ``2h``, ``6d``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from sentinel.config.fields import OneOrMany
from sentinel.config.quantities import read_duration
from sentinel.config.words import ReadsText, quoted, read_text, scalar, wrong
from sentinel.core.business import BusinessDuration
from sentinel.core.calendar import Hours

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OPEN_TIME_MAX: Final = timedelta(days=366)
OPENING_DAYS_MAX: Final = 366
OPENINGS_MAX: Final = 48  # a day

_OPENING = re.compile(r"(\d\d):(\d\d) ?- ?(\d\d):(\d\d)", re.ASCII)
_AS_OPENING: Final = "write it as `09:00-19:00`"
_AS_LENGTH: Final = "write it as `30m`, `4h`, `1h30m` or `2d`"


@dataclass(frozen=True)
class Opening(ReadsText):
    """``09:00-19:00``: from the first minute to just before the second; ``24:00`` is the end of the day."""

    hours: Hours

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": "^[0-2][0-9]:[0-5][0-9] ?- ?[0-2][0-9]:[0-5][0-9]$",
        "examples": ["09:00-19:00"],
    }

    @classmethod
    def read(cls, value: object) -> Opening:
        """Read two times of day."""
        found = _OPENING.fullmatch(read_text(value, "an opening", _AS_OPENING))
        if not found:
            raise wrong(f"{quoted(value)} is not an opening", _AS_OPENING)
        opens, closes = (_minute(hour, minute) for hour, minute in (found.groups()[:2], found.groups()[2:]))
        if opens is None or closes is None:
            raise wrong(f"{quoted(value)} is not an opening", "times of day end at 24:00")
        if opens == closes:
            raise wrong(f"{quoted(value)} never opens", "a whole day is `00:00-24:00`")
        if opens > closes:
            first, last = str(value).split("-")
            both = f"`{first.strip()}-24:00` on this day and `00:00-{last.strip()}` on the next"
            raise wrong(f"{quoted(value)} ends before it begins", f"write {both}")
        return cls(Hours(opens, closes))


def _minute(hour: str, minute: str) -> int | None:
    found = int(hour) * 60 + int(minute)
    return found if int(minute) < 60 and found <= 24 * 60 else None


def read_weekdays(value: object) -> str:
    """Read ``mon`` or ``mon-fri``, which may go over Sunday."""
    text = read_text(value, "a weekday", "write `mon` or `mon-fri`").lower()
    if not all(part in WEEKDAYS for part in text.split("-", 1)):
        raise wrong(f"{quoted(value)} is not a weekday", f"write {', '.join(WEEKDAYS)}, or `mon-fri`")
    return text


def days_of(weekdays: str) -> tuple[int, ...]:
    """Return the numbers of ``mon`` or ``mon-fri``; Monday is 0."""
    first, _, last = weekdays.partition("-")
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return tuple((begin + number) % 7 for number in range((end - begin) % 7 + 1))


def _in_order(openings: tuple[Opening, ...]) -> tuple[Opening, ...]:
    """Put the openings of a day in order, and refuse those that hold the same minute."""
    ordered = sorted(openings, key=lambda opening: opening.hours.opens_minute)
    for earlier, later in pairwise(ordered):
        if later.hours.opens_minute < earlier.hours.closes_minute:
            raise wrong("two openings of the day overlap")
    return tuple(ordered)


def _some_hours(value: object) -> object:
    if value == {}:
        raise wrong("it never opens", "write `{mon-fri: 09:00-19:00}`")
    return value


def _each_day_once(week: dict[str, tuple[Opening, ...]]) -> dict[str, tuple[Opening, ...]]:
    seen: dict[int, str] = {}
    for weekdays in week:
        for day in days_of(weekdays):
            if day in seen:
                raise wrong(f"`{WEEKDAYS[day]}` is given twice, by `{seen[day]}` and by `{weekdays}`")
            seen[day] = weekdays
    return week


Weekdays = Annotated[str, BeforeValidator(read_weekdays), Field(pattern="^[a-z]{3}(-[a-z]{3})?$")]
DayHours = Annotated[OneOrMany[Opening], Field(min_length=1, max_length=OPENINGS_MAX), AfterValidator(_in_order)]
WeekHours = Annotated[
    dict[Weekdays, DayHours], Field(min_length=1), BeforeValidator(_some_hours), AfterValidator(_each_day_once)
]


def read_business_duration(value: object) -> BusinessDuration:
    """Read ``30m``, ``4h``, ``1h30m`` as open time, and ``2d`` as opening days; never both (rule CAL-4)."""
    if isinstance(value, BusinessDuration):
        return value
    text = read_text(value, "a duration", _AS_LENGTH)
    if re.fullmatch(r"\d{1,6}d", text, re.ASCII):
        days = int(text[:-1])
        if not 1 <= days <= OPENING_DAYS_MAX:
            raise wrong(f"{quoted(value)} is not possible here", f"from `1d` to `{OPENING_DAYS_MAX}d`")
        return BusinessDuration(days=days)
    if re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise wrong(f"{quoted(value)} is not a duration", f"write `{text}m`, `{text}h` or `{text}d`")
    time = read_duration(value)
    if "d" in text:
        what = f"{quoted(value)} mixes opening days and open time"
        raise wrong(what, "write either: `2d` are opening days, `12h` is open time")
    if not re.fullmatch(r"(\d+(\.\d+)?[hm])+", text, re.ASCII):
        raise wrong(f"{quoted(value)} is neither open time nor opening days", _AS_LENGTH)
    if not timedelta(0) < time <= OPEN_TIME_MAX:
        raise wrong(f"{quoted(value)} is not possible here", f"from `1m` to `{OPEN_TIME_MAX.days * 24}h`")
    return BusinessDuration(time=time)


BusinessLength = Annotated[
    BusinessDuration,
    PlainValidator(read_business_duration),
    scalar("open time in h and m, or opening days in d", r"^([0-9]+d|([0-9]+(\.[0-9]+)?[hm])+)$", "4h"),
]
