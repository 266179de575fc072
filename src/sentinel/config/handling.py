"""The section ``incidents``: how incidents are handled, from the receipt to the closing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from sentinel.config.base import Section
from sentinel.config.fields import Count, Duration, Flag
from sentinel.config.hours import BusinessLength
from sentinel.config.quantities import read_whole
from sentinel.config.readings import OpeningDays
from sentinel.core.business import BusinessDuration


class Tolerance(Section):
    """What is tolerated of a service: how long an outage may last (rule SLA-5)."""

    outage: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(days=7))] = timedelta(minutes=10)


class ProblemRules(Section):
    """From how many incidents of one fault within how long on a problem is proposed (0: never), and of which cause."""

    after: Annotated[Count, Field(le=1000)] = 3
    within: Annotated[Duration, Field(ge=timedelta(hours=1), le=timedelta(days=366))] = timedelta(days=30)
    unknown_cause: Flag = True


class FlappingRules(Section):
    """How many changes (0: never) within how long make an incident flap (rule LIF-10)."""

    changes: Annotated[Count, Field(le=50)] = 4
    within: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=7))] = timedelta(hours=1)


class IncidentRules(Section):
    """How incidents are handled (rules LIF-2 to LIF-10, SRC-4).

    When a resolved one closes by itself, and how long a fault that comes back reopens it; how often whom the work
    waits for is reminded; when a level 2 that nobody takes cascades (``0s``: never); what is done at once.
    """

    close_after: OpeningDays = OpeningDays(2)
    reopen_within: Duration = timedelta(minutes=30)
    remind_pending: BusinessLength = BusinessDuration(days=1)
    cascade_after: Duration = timedelta(minutes=15)
    immediate_within: Duration = timedelta(minutes=10)
    receipt_min_level: Annotated[Literal[1, 2, 3], BeforeValidator(read_whole)] = 2
    problems: ProblemRules = ProblemRules()
    flapping: FlappingRules = FlappingRules()
