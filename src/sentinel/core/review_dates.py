"""When a report is due, and when an action is: told in the calendar of the review (rules REX-2, REX-3)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple

from sentinel.core.actions import ActionDates
from sentinel.core.business import BusinessTime
from sentinel.core.calendar import instant_of, minute_of
from sentinel.core.review_plan import ReviewPlan

DAY = timedelta(days=1)
LOOK_BACK = timedelta(days=14)  # No calendar that people work by is closed for longer.


class ReviewDates(NamedTuple):
    """When the report is due, and when its owner is reminded before."""

    due_at: datetime
    remind_at: tuple[datetime, ...]


def of_report(plan: ReviewPlan, ended_at: datetime, time: BusinessTime) -> ReviewDates:
    """Return when the report on what ended is due; so many opening days before that is counted from the end too."""
    due_at = time.after(ended_at, plan.due)
    moments = set()
    for before in plan.remind:
        if plan.due.days and 0 < before.days < plan.due.days:
            moments.add(time.add_days(ended_at, plan.due.days - before.days))
        elif plan.due.time and timedelta(0) < before.time < plan.due.time:
            moments.add(time.add(ended_at, plan.due.time - before.time))
    return ReviewDates(due_at, tuple(sorted(at for at in moments if ended_at < at < due_at)))


def of_action(plan: ReviewPlan, due_on: date, time: BusinessTime) -> ActionDates:
    """Return when the owner of an action is reminded, and from when on it is late: the first opening after its day.

    The reminder comes so many days before, at the opening; where nobody is there any more until its day is over, at
    the last opening before.
    """
    over = instant_of(minute_of(due_on + DAY, 0), time.zone)
    begins = instant_of(minute_of(due_on - plan.remind_action_days * DAY, 0), time.zone)
    remind_at = time.opening(begins)
    if remind_at >= over:
        earlier = time.periods(begins - LOOK_BACK, begins)
        remind_at = earlier[-1].begins_at if earlier else begins
    return remind_at, time.opening(over)
