"""The review after an incident: ``incidents.review``, and what a crisis says otherwise (rules REX-1 to REX-3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from sentinel.config.base import Section, Text
from sentinel.config.calendars import BUSINESS
from sentinel.config.fields import Duration, OneOrMany
from sentinel.config.hours import BusinessLength
from sentinel.config.words import wrong
from sentinel.core.business import BusinessDuration
from sentinel.core.model import Priority
from sentinel.core.review_plan import ReviewPlan

REMINDERS_MAX: Final = 10
REMIND: Final = (BusinessDuration(days=2), BusinessDuration(days=1))
REMIND_ACTION_MAX: Final = timedelta(days=60)
Reviewed = Literal["crisis", "major"] | Priority


class ReviewEntry(Section):
    """Which incidents are reviewed, who writes the report, who gets it, when it is due, when people are reminded."""

    for_: OneOrMany[Reviewed] = Field(("crisis", "major"), alias="for")
    due: BusinessLength = BusinessDuration(days=5)
    calendar: Text = BUSINESS
    owner: OneOrMany[str] = ()
    readers: OneOrMany[str] = ()
    remind: Annotated[OneOrMany[BusinessLength], Field(max_length=REMINDERS_MAX)] = REMIND
    remind_action: Annotated[Duration, Field(ge=timedelta(0), le=REMIND_ACTION_MAX)] = timedelta(days=2)

    @model_validator(mode="after")
    def _reminds_before(self) -> ReviewEntry:
        for before in self.remind if "remind" in self.model_fields_set else ():
            if bool(before.days) != bool(self.due.days) or (before.days, before.time) >= (self.due.days, self.due.time):
                raise wrong("a reminder does not come before the report is due", "write it as `due` is, and shorter")
        if self.remind_action % timedelta(days=1):
            raise wrong("`remind_action` is a number of days", "write it as `2d`")
        return self


def plan_of(common: ReviewEntry, own: ReviewEntry | None, contacts: Mapping[str, tuple[str, ...]]) -> ReviewPlan:
    """Return the plan of a service's review: what its crisis says goes before what holds for all.

    Without an owner it is the service's incident manager.
    """
    said = own.model_fields_set if own is not None else frozenset()
    chosen = {name: getattr(own if name in said else common, name) for name in ReviewEntry.model_fields}
    return ReviewPlan(
        of=chosen["for_"],
        due=chosen["due"],
        calendar=chosen["calendar"],
        owner=chosen["owner"] or contacts.get("incident_manager", ()),
        readers=chosen["readers"],
        remind=chosen["remind"],
        remind_action_days=chosen["remind_action"].days,
    )
