"""The heartbeat probe: what it makes of what was heard, and of silence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from sentinel.core.pings import Heard
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
    seen = await judged(heard=Heard(at=NOW - timedelta(minutes=15)))
    assert seen.reason == ""
    assert seen.metric("probe_heartbeat_last_seen_timestamp_seconds") == (NOW - timedelta(minutes=15)).timestamp()


async def test_silence_beyond_the_grace_fails_and_says_since_when() -> None:
    seen = await judged(heard=Heard(at=NOW - timedelta(minutes=17, seconds=30)))
    assert seen.reason == "late"
    assert seen.detail == "a call was due 2m30s ago (10m apart); the last was at 2026-11-21 21:42:30 UTC"


async def test_before_the_first_call_waiting_counts_from_its_beginning() -> None:
    assert (await judged(since=NOW - timedelta(minutes=15))).reason == ""
    seen = await judged(since=NOW - timedelta(minutes=16))
    assert (seen.reason, seen.detail) == ("late", "a call was due 1m ago (10m apart); there never was one")
    assert seen.metric("probe_heartbeat_last_seen_timestamp_seconds") is None


async def test_a_call_that_reports_a_failure_fails_at_once() -> None:
    seen = await judged(heard=Heard(at=NOW, failure="exit status 2\n\x1b[31m"))
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
    assert overdue(last_seen, since, lambda moment: moment + EVERY, GRACE, NOW) == late


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"token": "short", "every": "10m"}, "shorter than 16 characters"),
        ({"token": TOKEN, "every": "10ms"}, "shorter than a second"),
        ({"token": TOKEN, "every": "10"}, "not a duration"),
        ({"token": TOKEN}, "does not say when calls are due"),
        ({"token": TOKEN, "every": "10m", "cron": "0 3 * * *"}, "exclude each other"),
        ({"token": TOKEN, "cron": "0 3 * * *"}, "`cron` and `timezone` go together"),
        ({"token": TOKEN, "cron": "0 3 31 2 *", "timezone": "Europe/Paris"}, "not a time of cron"),
        ({"token": TOKEN, "every": "10m", "slug": "Nightly"}, "should match pattern"),
    ],
)
def test_a_mistake_in_the_options_is_named_without_the_token(options: dict[str, str], mistake: str) -> None:
    with pytest.raises(ValidationError, match=mistake) as caught:
        HeartbeatOptions.model_validate(options)
    assert TOKEN not in str([error["msg"] for error in caught.value.errors()])


def test_the_kind_is_told_rather_than_run() -> None:
    assert KIND.passive
    assert TOKEN not in repr(HeartbeatOptions.model_validate({"token": TOKEN, "every": "10m"}))


NIGHTLY = HeartbeatOptions.model_validate(
    {"token": TOKEN, "cron": "30 2 * * *", "timezone": "Europe/Paris", "grace": "5m", "max_run": "1h"}
)


async def nightly(now: str, heard: Heard) -> Seen:
    moment = datetime.fromisoformat(now)
    sight = Sight("heartbeat", 5, Names(), TargetPolicy(), now=moment, since=moment - timedelta(days=9), heard=heard)
    return await Attempt().of(KIND, NIGHTLY, sight)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ("2026-10-24T00:34:00+00:00", ""),
        ("2026-10-24T00:35:01+00:00", "late"),  # 02:30 in summer time
        ("2026-10-23T12:00:00+00:00", ""),
    ],
)
async def test_a_call_may_be_due_by_cron_at_local_time(now: str, reason: str) -> None:
    seen = await nightly(now, Heard(at=datetime(2026, 10, 23, 0, 31, tzinfo=UTC)))
    assert seen.reason == reason
    if reason:
        assert "(30 2 * * * Europe/Paris)" in seen.detail


async def test_a_run_that_does_not_end_fails_though_the_next_call_is_not_due() -> None:
    began = datetime(2026, 10, 23, 0, 30, tzinfo=UTC)
    heard = Heard(at=began - timedelta(days=1), running={"": began}, ran_s=90)
    seen = await nightly("2026-10-23T01:29:00+00:00", heard)
    assert seen.reason == "", "the end is due at 02:30, but the run has an hour"
    seen = await nightly("2026-10-23T00:34:00+00:00", heard)
    assert (seen.reason, seen.metric("probe_heartbeat_runs_under_way"), seen.metric("probe_heartbeat_run_seconds")) == (
        "",
        1,
        90,
    )
    seen = await nightly("2026-10-23T01:31:00+00:00", heard)
    assert seen.reason == "overtime"
    assert seen.detail == "the run that began at 2026-10-23 00:30:00 UTC has not ended within 1h"
