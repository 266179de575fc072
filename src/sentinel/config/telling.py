"""Who is told, in the words of the file: steps of escalations, recipients, tickets, the last resort."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sentinel.config.base import LevelField, Section
from sentinel.config.fields import Duration, OneOrMany
from sentinel.config.readings import Repeats
from sentinel.core.model import Unless

Moment = Literal[
    "opened",
    "acknowledged",
    "escalated",
    "raised",
    "resolved",
    "reopened",
    "closed",
    "pending",
    "resumed",
    "recategorised",
    "workaround",
    "sla_warning",
    "sla_breach",
    "change",
]


class StepEntry(Section):
    """One rung of an escalation."""

    at: Duration
    to: OneOrMany[str] = Field(min_length=1)
    by: OneOrMany[str] = ()
    unless: Unless = "acknowledged"
    repeat: Repeats | None = None
    min_level: LevelField = 3


class RecipientEntry(Section):
    """Who else hears of incidents."""

    who: str
    by: OneOrMany[str] = ()
    on: OneOrMany[Moment] = ("opened", "resolved")
    min_level: LevelField = 3
    services: OneOrMany[str] = ()
