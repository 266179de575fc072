"""The expiry probe: what ends on a known day is told ahead of it, and told apart once it has ended."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from sentinel.probes.base import Sight
from sentinel.probes.expiry import KIND, ExpiryOptions
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.probes.seeing import Attempt, Seen

OPTIONS = {"what": "Licence du bus", "ends": "2027-01-31", "warn": ["30d", "7d"]}
PARIS = {"timezone": ZoneInfo("Europe/Paris")}


async def judged(now: datetime, **options: object) -> Seen:
    parsed = ExpiryOptions.model_validate(OPTIONS | options, context=PARIS)
    return await Attempt().of(KIND, parsed, Sight(parsed.targets()[0], 5, Names(), TargetPolicy(), now=now))


async def test_well_before_its_end_all_is_fine() -> None:
    seen = await judged(datetime(2026, 12, 31, 12, tzinfo=UTC))
    assert (seen.reason, seen.sight.value) == ("", 31.0)


@pytest.mark.fault(65)
@pytest.mark.parametrize(
    ("now", "detail"),
    [
        (datetime(2027, 1, 2, 12, tzinfo=UTC), "Licence du bus ends in 29 days, on 2027-01-31 (warning of 30d)"),
        (datetime(2027, 1, 30, 12, tzinfo=UTC), "Licence du bus ends in 1 day, on 2027-01-31 (warning of 7d)"),
        (
            datetime(2027, 1, 31, 22, 59, tzinfo=UTC),
            "Licence du bus ends in less than a day, on 2027-01-31 (warning of 7d)",
        ),
    ],
)
async def test_within_a_warning_the_days_left_are_said(now: datetime, detail: str) -> None:
    seen = await judged(now)
    assert (seen.reason, seen.detail) == ("expires", detail)


@pytest.mark.fault(65)
@pytest.mark.rule("CLS-10")
@pytest.mark.parametrize(
    ("now", "ago"),
    [(datetime(2027, 1, 31, 23, 0, tzinfo=UTC), "1 day"), (datetime(2027, 2, 5, 12, tzinfo=UTC), "5 days")],
)
async def test_a_lapsed_contract_has_a_reason_of_its_own(now: datetime, ago: str) -> None:
    seen = await judged(now)
    assert (seen.reason, seen.detail) == ("expired", f"Licence du bus ended on 2027-01-31, {ago} ago")


async def test_each_target_has_its_own_day() -> None:
    options = ExpiryOptions.model_validate(
        {"targets": {"support": "2027-01-01", "domain": "2028-01-01"}}, context=PARIS
    )
    now = datetime(2026, 12, 20, tzinfo=UTC)
    reasons = {}
    for target in options.targets():
        reasons[target] = (await Attempt().of(KIND, options, Sight(target, 5, Names(), TargetPolicy(), now=now))).reason
    assert reasons == {"support": "expires", "domain": ""}


async def test_a_moment_is_meant_as_it_stands() -> None:
    assert (await judged(datetime(2027, 1, 31, 10, 59, tzinfo=UTC), ends="2027-01-31 12:00")).reason == "expires"
    ended = await judged(datetime(2027, 1, 31, 11, 0, tzinfo=UTC), ends="2027-01-31 12:00")
    assert (ended.reason, ended.detail) == ("expired", "Licence du bus ended on 2027-01-31, less than a day ago")


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({}, "either `ends` or `targets`"),
        ({"ends": "2027-01-31", "targets": {"a": "2027-01-31"}}, "either `ends` or `targets`"),
        ({"ends": "31/01/2027"}, "not a date"),
        ({"ends": "9999-12-31"}, "out of the calendar"),
        ({"ends": "2027-01-31", "warn": []}, "at least 1 item"),
    ],
)
def test_a_mistake_in_the_options_is_named(options: dict[str, object], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake):
        ExpiryOptions.model_validate(options, context=PARIS)
