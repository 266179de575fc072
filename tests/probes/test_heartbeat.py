"""The heartbeat probe: what it makes of what was heard, and of silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from sentinel.probes.base import Sight
from sentinel.probes.heartbeat import KIND, HeartbeatOptions, overdue
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names
from tests.probes.seeing import Attempt, Seen

NOW = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
TOKEN = "0123456789abcdef-canary"
EVERY, GRACE = timedelta(minutes=10), timedelta(minutes=5)


async def judged(**told: object) -> Seen:
    options = HeartbeatOptions.model_validate({"token": TOKEN, "every": "10m", "grace": "5m"})
    sight = Sight("heartbeat", 5, Names(), TargetPolicy(), now=NOW, **told)  # type: ignore[arg-type]
    return await Attempt().of(KIND, options, sight)


async def test_a_call_in_time_is_fine() -> None:
    seen = await judged(heard_at=NOW - timedelta(minutes=15))
    assert seen.reason == ""
    assert seen.metric("probe_heartbeat_last_seen_timestamp_seconds") == (NOW - timedelta(minutes=15)).timestamp()


async def test_silence_beyond_the_grace_fails_and_says_since_when() -> None:
    seen = await judged(heard_at=NOW - timedelta(minutes=17, seconds=30))
    assert seen.reason == "late"
    assert seen.detail == "a call was due 2m30s ago (10m apart); the last was at 2026-11-21 21:42:30 UTC"


async def test_before_the_first_call_waiting_counts_from_its_beginning() -> None:
    assert (await judged(since=NOW - timedelta(minutes=15))).reason == ""
    seen = await judged(since=NOW - timedelta(minutes=16))
    assert (seen.reason, seen.detail) == ("late", "a call was due 1m ago (10m apart); there never was one")
    assert seen.metric("probe_heartbeat_last_seen_timestamp_seconds") is None


async def test_a_call_that_reports_a_failure_fails_at_once() -> None:
    seen = await judged(heard_at=NOW, heard_fail="exit status 2\n\x1b[31m")
    assert seen.reason == "failed"
    assert "exit status 2\ufffd\ufffd[31m" in seen.detail


START = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("last_seen", "since", "late"),
    [
        (NOW, START, None),
        (NOW - EVERY - GRACE, START, None),
        (NOW - EVERY - GRACE - timedelta(seconds=1), START, timedelta(seconds=1)),
        (NOW + timedelta(hours=1), START, None),
        # We were away when it was due: it gets the whole time again.
        (NOW - timedelta(hours=3), NOW - timedelta(minutes=14), None),
        (NOW - timedelta(hours=3), NOW - timedelta(minutes=16), timedelta(minutes=1)),
        # We were away, and back before it was due.
        (NOW - timedelta(minutes=16), NOW - timedelta(minutes=7), timedelta(minutes=1)),
        (None, NOW - timedelta(minutes=14), None),
        (None, NOW - timedelta(minutes=16), timedelta(minutes=1)),
    ],
)
def test_a_call_is_overdue_once_its_time_and_the_grace_are_over(
    last_seen: datetime | None, since: datetime, late: timedelta | None
) -> None:
    assert overdue(last_seen, since, EVERY, GRACE, NOW) == late


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"token": "short", "every": "10m"}, "shorter than 16 characters"),
        ({"token": TOKEN, "every": "10ms"}, "shorter than a second"),
        ({"token": TOKEN}, "Field required"),
        ({"token": TOKEN, "every": "10"}, "not a duration"),
    ],
)
def test_a_mistake_in_the_options_is_named_without_the_token(options: dict[str, str], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake) as caught:
        HeartbeatOptions.model_validate(options)
    assert TOKEN not in str([error["msg"] for error in caught.value.errors()])


def test_the_kind_is_told_rather_than_run() -> None:
    assert KIND.passive
    assert TOKEN not in repr(HeartbeatOptions.model_validate({"token": TOKEN, "every": "10m"}))
