"""A storm of alerts: they are on disk before the answer, and judged next, some at a time; on virtual time."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.alerts import Alert
from sentinel.engine.alerts import JUDGED_FIRST_MAX, JUDGED_TOGETHER_MAX
from sentinel.intake.postable import posted
from sentinel.store.base import StoreUnavailable
from tests.intake.test_flow import Tool, story, tool

MANY = 2 * JUDGED_TOGETHER_MAX
SOON_S = 2.0


def storm(prometheus: Tool, many: int = MANY, *, ends: float = 4) -> list[Alert]:
    """Return what a Prometheus says of so many hosts; they end in so many minutes."""
    now = prometheus.daemon.clock.now()
    labels: dict[str, Any] = {"alertname": "DiskFull", "severity": "critical", "job": "campus-1"}
    sent = [
        {
            "labels": {**labels, "instance": f"db{number}"},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now + timedelta(minutes=ends)).isoformat(),
        }
        for number in range(many)
    ]
    taken, wrong = posted(sent, now, prometheus.daemon.alerts.settings.resolve_timeout)
    assert not wrong
    return taken


def reported(prometheus: Tool) -> int:
    return sum(alert.reported for alert in prometheus.daemon.store.alerts())


@pytest.mark.rule("SRC-2")
@story
async def test_a_large_request_is_on_disk_when_it_is_answered_and_judged_next(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.daemon.alerts.take(storm(prometheus))
        assert len(prometheus.daemon.store.alerts()) == MANY
        assert reported(prometheus) == 0
        await asyncio.sleep(SOON_S)
        assert reported(prometheus) == MANY


@pytest.mark.rule("SRC-2")
@story
async def test_a_few_alerts_are_judged_before_the_answer(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.daemon.alerts.take(storm(prometheus, JUDGED_FIRST_MAX))
        assert reported(prometheus) == JUDGED_FIRST_MAX


@pytest.mark.fault(1)
@pytest.mark.rule("SRC-2")
@story
async def test_what_was_answered_and_not_judged_is_judged_after_a_start(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.daemon.alerts.take(storm(prometheus))
        assert prometheus.states() == {}
        later = prometheus.daemon.clock.now() + timedelta(seconds=20)
    async with tool(folder, start=later) as prometheus:
        await asyncio.sleep(10)
        assert reported(prometheus) == MANY


@pytest.mark.rule("SRC-2")
@story
async def test_one_that_is_over_before_it_is_judged_was_there_all_the_same(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.daemon.alerts.take(storm(prometheus))
        await prometheus.daemon.alerts.take(storm(prometheus, 1, ends=0))
        assert prometheus.states() == {"DiskFull": "resolved"}
        await asyncio.sleep(SOON_S)
        assert reported(prometheus) == MANY - 1


@pytest.mark.fault(15)
@story
async def test_a_disk_that_takes_nothing_refuses_a_large_request_and_pages_leave(folder: Path):
    async with tool(folder) as prometheus:
        with closing(sqlite3.connect(folder / "sentinel.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable):
                await prometheus.daemon.alerts.take(storm(prometheus, JUDGED_TOGETHER_MAX))
            await asyncio.sleep(SOON_S)
            assert prometheus.whole.mailed(), "whoever is on call hears of it all the same"
            other.execute("ROLLBACK")
        await asyncio.sleep(30)
        assert reported(prometheus) == JUDGED_TOGETHER_MAX
