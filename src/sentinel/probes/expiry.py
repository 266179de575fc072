"""The expiry probe: a contract, licence or subscription that ends on a known day, told ahead of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationInfo, model_validator

from sentinel.config.fields import Duration, OneOrMany, quoted, read_date, read_instant, write_duration, wrong
from sentinel.config.words import scalar
from sentinel.probes.base import Failed, Options, ProbeKind, Sight

TARGETS_MAX = 1000
STAGES_MAX = 10
A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ends:
    """The moment something ends, and the last day people know it by."""

    at: datetime
    last_day: date
    day_long: bool = False

    def days_since(self, now: datetime) -> int:
        """Return how long ago that was, in days; a last day that is over was at least one day ago."""
        return (now - self.at) // A_DAY + self.day_long


def read_ends(value: object, info: ValidationInfo) -> Ends:
    """Read when something ends: a day lasts up to midnight at the site; a moment is meant as it stands."""
    if isinstance(value, Ends):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip(), re.ASCII):
        last_day = read_date(value)
        if last_day == date.max:
            raise wrong(f"{quoted(value)} is out of the calendar")
        return Ends(read_instant((last_day + A_DAY).isoformat(), info), last_day, day_long=True)
    at = read_instant(value, info)
    return Ends(at, at.date())


End = Annotated[Ends, BeforeValidator(read_ends), scalar("the last day", r"^[0-9]{4}-", "2027-01-31")]


class ExpiryOptions(Options):
    """The options of the expiry probe: ``ends``, or ``targets`` with a day each, and how long before to warn."""

    what: Annotated[str, Field(min_length=1, max_length=100)] = "contract"
    ends: End | None = None
    many: dict[str, End] = Field({}, alias="targets", max_length=TARGETS_MAX)
    warn: Annotated[OneOrMany[Duration], Field(min_length=1, max_length=STAGES_MAX)] = (timedelta(days=30),)

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        if (self.ends is None) == (not self.many):
            raise wrong("either `ends` or `targets` is needed", "write `ends: 2027-01-31`")
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each thing that ends."""
        return tuple(self.many) or (self.what,)

    def end_of(self, target: str) -> Ends:
        """Return when one of the targets ends."""
        if self.ends is not None:
            return self.ends
        return self.many[target]


async def run(options: ExpiryOptions, sight: Sight) -> None:
    """Compare the end of ``sight.target`` with now; the value is the days left.

    Raises:
        Failed: ``expires`` it ends within the longest of the warnings; ``expired`` it has ended (rule CLS-10: a
            lapsed contract).
    """
    ends = options.end_of(sight.target)
    left = ends.at - sight.now
    days = left // A_DAY
    sight.value = float(days)
    if left <= timedelta(0):
        ago = _days(ends.days_since(sight.now))
        raise Failed("expired", f"{sight.target} ended on {ends.last_day}, {ago} ago")
    reached = [stage for stage in options.warn if left <= stage]
    if reached:
        stage = write_duration(min(reached))
        raise Failed("expires", f"{sight.target} ends in {_days(days)}, on {ends.last_day} (warning of {stage})")


def _days(count: int) -> str:
    return "less than a day" if count == 0 else f"{count} day{'s' * (count != 1)}"


KIND = ProbeKind("expiry", ExpiryOptions, run, frozenset({"expires", "expired"}))
