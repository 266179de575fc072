"""What the configuration of now has agreed about time: asked at the moment of a decision, kept in the event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

import msgspec

from sentinel.core.actions import ActionDates
from sentinel.core.model import Plan, Priority, Watch
from sentinel.core.review_dates import ReviewDates
from sentinel.core.review_plan import ReviewPlan
from sentinel.core.sla import Contract


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """``contract_of`` gives the contract of a service, if it has one (rule SLA-9).

    ``remind_at`` gives when someone who is waited on since a moment is reminded, ``close_by`` when what is resolved
    at a moment closes by itself. ``watch_at`` gives which ladder of a plan is in force at a moment, for an incident of
    a service and priority (rule ESC-3). ``review_dates`` gives when the report is due on what ended at a moment,
    ``action_dates`` when the owner of an action is reminded and from when on it is late (rules REX-2 and REX-3).
    """

    contract_of: Callable[[str], Contract | None]
    remind_at: Callable[[datetime], datetime | None]
    close_by: Callable[[datetime], datetime]
    watch_at: Callable[[str, Priority, Plan, datetime], Watch] | None = None
    review_dates: Callable[[ReviewPlan, datetime], ReviewDates] | None = None
    action_dates: Callable[[ReviewPlan, date], ActionDates] | None = None
