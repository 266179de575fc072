"""The section ``incidents``: how incidents are handled, from the receipt to the closing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from sentinel.config.base import Section
from sentinel.config.fields import Count, Duration, Flag, Positive
from sentinel.config.hours import BusinessLength
from sentinel.config.quantities import read_percent, read_whole
from sentinel.config.readings import OpeningDays
from sentinel.config.reviews import ReviewEntry
from sentinel.config.words import quoted, scalar, wrong
from sentinel.core.business import BusinessDuration

NO_LOSS_PERCENT: Final = 0.0
ANY_LOSS_PERCENT: Final = 100.0


def read_loss(value: object) -> float:
    """Read how much data may be damaged: none, or any amount, since no check says how much it is."""
    percent = read_percent(value)
    if percent not in {NO_LOSS_PERCENT, ANY_LOSS_PERCENT}:
        suggestion = "a check says that data is damaged, not how much: `0%` or `100%`"
        raise wrong(f"{quoted(value)} cannot be watched", suggestion)
    return percent


Loss = Annotated[float, BeforeValidator(read_loss), scalar("none or all", "^(0|100)%$", "0%")]


class Tolerance(Section):
    """What is tolerated of a service (rule SLA-5).

    How long an outage may last, within what time data is restored (clock time), and whether any may be damaged.
    """

    outage: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=7))] = timedelta(minutes=10)
    restore: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=31))] = timedelta(hours=4)
    integrity_loss: Loss = NO_LOSS_PERCENT


class ProblemRules(Section):
    """From how many incidents of one fault within how long on a problem is proposed (0: never), and of which cause."""

    after: Annotated[Count, Field(le=1000)] = 3
    within: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=366))] = timedelta(days=30)
    unknown_cause: Flag = True


class FlappingRules(Section):
    """How many changes (0: never) within how long make an incident flap (rule LIF-10)."""

    changes: Annotated[Count, Field(le=50)] = 4
    within: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = timedelta(hours=1)


class OverloadRules(Section):
    """With how many waiting overload begins by itself (more than ``queue``), and ends (``until`` or fewer)."""

    queue: Annotated[Positive, Field(le=100_000)]
    until: Count | None = None

    @model_validator(mode="after")
    def _ends_below(self) -> OverloadRules:
        if self.until is not None and self.until >= self.queue:
            raise wrong(f"it would end at {self.until}, where it has not begun", "write an `until` below `queue`")
        return self


class IncidentRules(Section):
    """How incidents are handled (rules LIF-2 to LIF-10, SRC-4), and reviewed (REX).

    When a resolved one closes by itself, and how long a fault that comes back reopens it; how often whom the work
    waits for is reminded; when a level 2 that nobody takes cascades (``0s``: never); what is done at once.
    """

    close_after: OpeningDays = OpeningDays(2)
    reopen_within: Duration = timedelta(minutes=30)
    remind_pending: BusinessLength = BusinessDuration(days=1)
    cascade_after: Duration = timedelta(minutes=15)
    immediate_within: Duration = timedelta(minutes=10)
    receipt_min_level: Annotated[Literal[1, 2, 3], BeforeValidator(read_whole)] = 2
    problems: ProblemRules = ProblemRules.defaults()
    flapping: FlappingRules = FlappingRules.defaults()
    overload: OverloadRules | None = None
    review: ReviewEntry = ReviewEntry.defaults()
