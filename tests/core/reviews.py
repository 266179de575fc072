"""Reviews for stories: five opening days in business hours, Elise writes the report, Rita may read it."""

from __future__ import annotations

from datetime import date, datetime

from msgspec.structs import replace

from sentinel.core import review_dates
from sentinel.core.actions import ActionDates
from sentinel.core.business import BusinessDuration, business_time
from sentinel.core.model import Directory
from sentinel.core.review_dates import ReviewDates
from sentinel.core.review_plan import ReviewPlan
from tests.core.contracts import BUSINESS, under
from tests.core.story import PLAN, Story

REVIEW = ReviewPlan(
    of=("crisis", "major"),
    due=BusinessDuration(days=5),
    calendar="business",
    owner=("elise",),
    readers=("rita",),
    remind=(BusinessDuration(days=2), BusinessDuration(days=1)),
    remind_action_days=2,
)
REVIEWED = replace(PLAN, review=REVIEW, ticket="", manager=("hugo",))


def dates_of_report(plan: ReviewPlan, ended_at: datetime) -> ReviewDates:
    return review_dates.of_report(plan, ended_at, business_time(BUSINESS))


def dates_of_action(plan: ReviewPlan, due_on: date) -> ActionDates:
    return review_dates.of_action(plan, due_on, business_time(BUSINESS))


def directory() -> Directory:
    """Return who can be told, with the business hours in which reports and actions fall due."""
    bare = under(None)
    assert bare.terms is not None
    terms = replace(bare.terms, review_dates=dates_of_report, action_dates=dates_of_action)
    return replace(bare, terms=terms)


def story(plan: object = REVIEWED) -> Story:
    return Story(plan, directory())  # type: ignore[arg-type]
