"""The alert of Prometheus that fires for ever is a heartbeat: its absence is an incident, itself it never is one."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.alerts import Alert
from sentinel.core.state import Incident
from sentinel.intake import alertmanager, postable, webhook
from sentinel.web.context import Context
from tests import virtual
from tests.engine.whole import PEOPLE, Whole, whole

CONFIG = (
    """\
intake: {alertmanager: {enabled: true}}
"""
    + PEOPLE
    + """\
probes:
  prometheus:
    type: heartbeat
    service: campus
    alert: {alertname: Watchdog, cluster: "prod*"}
    every: 5m
    grace: 1m
    interval: 1m
"""
)
LABELS = {"alertname": "Watchdog", "cluster": "prod-1", "severity": "critical"}


def posted(now: datetime, labels: dict[str, str] = LABELS) -> list[Alert]:
    """Read an alert as Prometheus posts it, over and over."""
    ends_at = now + timedelta(minutes=4)
    body = [{"labels": labels, "startsAt": "2026-11-20T00:00:00Z", "endsAt": ends_at.isoformat()}]
    taken, wrong = postable.posted(body, now, timedelta(minutes=5))
    assert wrong == []
    return taken


def notified(now: datetime, status: str = "firing") -> list[Alert]:
    """Read an alert as an Alertmanager's webhook sends it."""
    alert: dict[str, Any] = {"status": status, "labels": LABELS, "startsAt": "2026-11-20T00:00:00Z"}
    if status == "resolved":
        alert["endsAt"] = now.isoformat()
    return webhook.alerts_of({"version": "4", "alerts": [alert]}, now)


def running(one: Whole) -> list[Incident]:
    return [state for state in one.daemon.desk.open() if state.active]


async def say(one: Whole, context: Context, door: str, minutes: int) -> None:
    for _ in range(minutes):
        now = one.daemon.clock.now()
        await alertmanager.keep(context, door, posted(now) if door == "alertmanager" else notified(now), 0)
        await asyncio.sleep(60)


@pytest.mark.parametrize("door", ["alertmanager", "webhook"])
def test_its_absence_opens_an_incident_and_its_return_ends_it(tmp_path: Path, door: str) -> None:
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            context = one.doors.context()
            await say(one, context, door, 15)
            assert one.daemon.desk.open() == []
            assert one.daemon.alerts.firing() == [], "it is no alert, however critical it says it is"
            await asyncio.sleep(8 * 60)
            (told,) = running(one)
            assert told.service == "campus"
            assert "a call was due" in next(iter(told.signals.values())).signal.detail
            await say(one, context, door, 5)
            assert running(one) == [] or all(state.phase == "resolved" for state in running(one))

    virtual.run(story())


def test_an_alert_beside_it_goes_its_usual_way(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            context, now = one.doors.context(), one.daemon.clock.now()
            other = {"alertname": "DiskFull", "severity": "critical", "service": "campus"}
            await alertmanager.keep(context, "alertmanager", [*posted(now), *posted(now, other)], 0)
            assert [alert.labels["alertname"] for alert in one.daemon.alerts.firing()] == ["DiskFull"]
            assert len(running(one)) == 1

    virtual.run(story())


def test_only_what_has_all_the_labels_is_a_call(tmp_path: Path) -> None:
    async def story() -> None:
        async with whole(tmp_path, CONFIG) as one:
            context, now = one.doors.context(), one.daemon.clock.now()
            await alertmanager.keep(context, "alertmanager", posted(now, {**LABELS, "cluster": "test"}), 0)
            assert one.daemon.heartbeats.of("prometheus").at is None
            assert len(one.daemon.alerts.firing()) == 1
            await alertmanager.keep(context, "webhook", notified(now, "resolved"), 0)
            assert one.daemon.heartbeats.of("prometheus").at is None, "that it is over is no call"

    virtual.run(story())
