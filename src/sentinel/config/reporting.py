"""The section ``reports``: which reports are sent to whom, and how often (rule SLA-8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field

from sentinel.config.base import Section, Text
from sentinel.config.fields import OneOrMany
from sentinel.config.hours import WEEKDAYS
from sentinel.config.words import ReadsText, quoted, read_text, wrong
from sentinel.core.model import Language
from sentinel.core.occasions import LAST_DAY, Every

SERVICES_MAX: Final = 500
TO_MAX: Final = 100
SENT_AT: Final = time(7)

_NTH: Final = {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "last": -1}
_HOW: Final = "write `monthly on 1st mon`, `monthly on 1`, `weekly on mon` or `daily`"
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True)
class HowOften(ReadsText):
    """``monthly on 1st mon``, ``monthly on 15``, ``weekly on fri``, ``daily``."""

    every: Every

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": "^(daily|weekly on [a-z]{3}|monthly on (((1st|2nd|3rd|4th|last) [a-z]{3})|[0-9]{1,2}))$",
        "examples": ["monthly on 1st mon"],
    }

    @classmethod
    def read(cls, value: object) -> HowOften:
        """Read how often something happens."""
        match read_text(value, "how often", _HOW).lower().split():
            case ["daily"]:
                return cls(Every(often="daily"))
            case ["weekly", "on", day] if day in WEEKDAYS:
                return cls(Every(often="weekly", weekday=WEEKDAYS.index(day)))
            case ["monthly", "on", nth, day] if nth in _NTH and day in WEEKDAYS:
                return cls(Every(often="monthly", weekday=WEEKDAYS.index(day), nth=_NTH[nth]))
            case ["monthly", "on", number] if re.fullmatch(r"\d{1,2}", number, re.ASCII):
                if 1 <= int(number) <= LAST_DAY:
                    return cls(Every(often="monthly", day=int(number)))
                raise wrong(f"no month has a day {number}", f"from 1 to {LAST_DAY}")
        raise wrong(f"{quoted(value)} does not say how often", _HOW)


@dataclass(frozen=True)
class TimeOfDay(ReadsText):
    """``07:00``, in the time zone of the site."""

    time: time

    _SCHEMA: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": "^[0-2][0-9]:[0-5][0-9]$",
        "examples": ["07:00"],
    }

    @classmethod
    def read(cls, value: object) -> TimeOfDay:
        """Read a time of day."""
        found = _CLOCK.fullmatch(read_text(value, "a time of day", "write `07:00`"))
        if not found:
            raise wrong(f"{quoted(value)} is not a time of day", "write it as `07:00`")
        return cls(time(int(found[1]), int(found[2])))


class ReportEntry(Section):
    """A report that is sent: how often, to whom, about which services (all of a ``customer``, or all there are)."""

    name: Text
    every: HowOften
    at: TimeOfDay = TimeOfDay(SENT_AT)
    to: Annotated[OneOrMany[str], Field(min_length=1, max_length=TO_MAX)]
    services: Annotated[OneOrMany[str], Field(max_length=SERVICES_MAX)] = ()
    customer: Text | None = None
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """A report that is sent; without a ``language`` each person reads it in their own."""

    name: str
    every: Every
    to: tuple[str, ...]
    services: tuple[str, ...]
    customer: str
    language: Language | None


def report_of(entry: ReportEntry) -> ReportPlan:
    """Return a report as the daemon knows it."""
    often = entry.every.every
    return ReportPlan(
        name=entry.name,
        every=Every(often=often.often, weekday=often.weekday, nth=often.nth, day=often.day, at=entry.at.time),
        to=entry.to,
        services=entry.services,
        customer=entry.customer or "",
        language=entry.language,
    )
