"""What was answered is on disk and is judged: whatever the store refuses once, whatever ends, and whoever has a bug."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sentinel.core.alerts import Alert, fingerprint
from sentinel.engine.alerts import JUDGED_TOGETHER_MAX, LULL_S, UNSAID_EVERY_S
from sentinel.engine.held_alerts import STALE_MAX, HeldAlerts
from sentinel.intake.postable import posted
from sentinel.store.base import StoreUnavailable
from tests.engine.whole import START
from tests.intake.test_flow import Tool, story, tool

FEW, LARGE = 1, 20


def said(prometheus: Tool, name: str, many: int = FEW, *, ends: float = 4) -> list[Alert]:
    """Return what a Prometheus says of so many hosts; they end in so many minutes."""
    now = prometheus.daemon.clock.now()
    sent = [
        {
            "labels": {"alertname": name, "severity": "critical", "instance": f"db{number}"},
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now + timedelta(minutes=ends)).isoformat(),
        }
        for number in range(many)
    ]
    return posted(sent, now, prometheus.daemon.alerts.settings.resolve_timeout)[0]


async def together(prometheus: Tool, *requests: list[Alert]) -> None:
    """Make requests that are handled together, as another one is being handled when they come."""
    alerts = prometheus.daemon.alerts
    tasks = [asyncio.create_task(alerts.take(said(prometheus, f"Before{len(alerts.firing())}")))]
    while not alerts._busy:
        await asyncio.sleep(0)
    tasks += [asyncio.create_task(alerts.take(one)) for one in requests]
    await asyncio.gather(*tasks)


def on_disk(prometheus: Tool) -> set[str]:
    return {alert.labels["alertname"] for alert in prometheus.daemon.store.alerts()}


def refuse_once(store: Any, method: str) -> None:
    """Have the store refuse what comes next to a method."""
    real: Callable[..., Any] = getattr(store, method)

    def refuse(*_: Any) -> None:
        setattr(store, method, real)
        raise StoreUnavailable("the disk is full")

    setattr(store, method, refuse)


@pytest.mark.rule("SRC-2")
@story
async def test_one_that_begins_and_ends_in_one_batch_was_there_all_the_same(folder: Path):
    async with tool(folder) as prometheus:
        for name, many in (("Few", FEW), ("Many", LARGE)):
            await together(prometheus, said(prometheus, name, many), said(prometheus, name, many, ends=0))
        assert prometheus.states() == {"Before0": "open", "Few": "resolved", "Before1": "open", "Many": "resolved"}


@pytest.mark.fault(1)
@pytest.mark.rule("SRC-2")
@story
async def test_a_large_request_that_only_ends_alerts_leaves_nothing_beside_it_unwritten(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.silence("alertname", "Muted", 60)
        await prometheus.daemon.alerts.take(said(prometheus, "Ends", LARGE))
        await asyncio.sleep(2)
        await together(prometheus, said(prometheus, "Ends", LARGE, ends=0), said(prometheus, "Muted"))
        assert "Muted" in on_disk(prometheus)


@pytest.mark.fault(1, 15)
@pytest.mark.rule("SRC-2")
@story
async def test_what_was_refused_once_is_on_disk_when_it_is_answered_the_next_time(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.silence("alertname", "Muted", 60)
        refuse_once(prometheus.daemon.store, "put_alerts")
        with pytest.raises(StoreUnavailable):
            await prometheus.daemon.alerts.take(said(prometheus, "Muted"))
        await prometheus.daemon.alerts.take(said(prometheus, "Muted"))
        assert "Muted" in on_disk(prometheus)


@pytest.mark.fault(15)
@pytest.mark.rule("SRC-2")
@story
async def test_a_store_that_refuses_once_makes_nobody_forget_what_is_over_meanwhile(folder: Path):
    async with tool(folder) as prometheus:
        alerts, store = prometheus.daemon.alerts, prometheus.daemon.store
        await alerts.take(said(prometheus, "Judged", LARGE))
        refuse_once(store, "commit")
        await asyncio.sleep(1)
        assert prometheus.states() == {}
        await alerts.take(said(prometheus, "Judged", LARGE, ends=0))
        assert prometheus.states() == {"Judged": "resolved"}
        await alerts.take(said(prometheus, "Over", LARGE))
        refuse_once(store, "commit")
        with pytest.raises(StoreUnavailable):
            await alerts.take(said(prometheus, "Over", LARGE, ends=0))
        await asyncio.sleep(2 * UNSAID_EVERY_S)
        assert prometheus.states() == {"Judged": "resolved", "Over": "resolved"}
        assert on_disk(prometheus) == set()


@pytest.mark.fault(1)
@pytest.mark.rule("SRC-2")
@story
async def test_what_ends_just_after_a_start_is_judged_by_what_was_on_disk(folder: Path):
    async with tool(folder) as prometheus:
        await prometheus.daemon.alerts.take(said(prometheus, "Storm", LARGE))
        assert prometheus.states() == {}
        later = prometheus.daemon.clock.now() + timedelta(seconds=3)
    async with tool(folder, start=later) as prometheus:
        await prometheus.daemon.alerts.take(said(prometheus, "Storm", LARGE, ends=0))
        assert prometheus.states() == {"Storm": "resolved"}


@pytest.mark.rule("SRC-2")
@story
async def test_a_bug_in_what_one_alert_means_keeps_no_other_from_being_said_or_from_ending(folder: Path):
    async with tool(folder) as prometheus:
        alerts, desk = prometheus.daemon.alerts, prometheus.daemon.desk
        await prometheus.silence("alertname", "Muted", 1)
        await alerts.take([*said(prometheus, "Muted"), *said(prometheus, "Ends", ends=2)])
        facts, recover = alerts._means._reader.facts, desk.recover

        def poisoned(alert: Alert, *others: Any) -> Any:
            if alert.labels["alertname"] == "Poison":
                raise ValueError("a bug")
            return facts(alert, *others)

        async def once(*_: Any) -> None:
            desk.recover = recover
            raise ValueError("a bug")

        alerts._means._reader.facts, desk.recover = poisoned, once
        await alerts.take(said(prometheus, "Poison", LARGE, ends=9))
        assert "Poison" in on_disk(prometheus)
        await asyncio.sleep(150)
        assert prometheus.states() == {"Ends": "resolved", "Muted": "open"}


@pytest.mark.rule("SRC-2")
@story
async def test_what_the_rules_said_before_a_reload_is_not_remembered_after_it(folder: Path):
    async with tool(folder) as prometheus:
        alerts, desk = prometheus.daemon.alerts, prometheus.daemon.desk
        take_alerts = desk.take_alerts

        async def reloading(*reports: Any) -> Any:
            came = await take_alerts(*reports)
            alerts.wake()
            return came

        desk.take_alerts = reloading
        await alerts.take(said(prometheus, "Asked"))
        asked: list[str] = []
        alerts._means.verdict = lambda alert, _now: asked.append(alert.fingerprint)  # type: ignore[method-assign]
        await alerts.take(said(prometheus, "Asked"))
        assert asked


@pytest.mark.fault(42)
@story
async def test_what_is_new_is_judged_before_what_nothing_could_be_said_of(folder: Path):
    async with tool(folder) as prometheus:
        alerts = prometheus.daemon.alerts
        await prometheus.silence("alertname", "Muted", 60)
        await alerts.take(said(prometheus, "Muted", 4 * JUDGED_TOGETHER_MAX, ends=30))
        await asyncio.sleep(2 * UNSAID_EVERY_S)
        asked: list[str] = []
        verdict = alerts._means.verdict

        def asking(alert: Alert, *others: Any) -> Any:
            asked.append(alert.labels["alertname"])
            return verdict(alert, *others)

        alerts._means.verdict = asking  # type: ignore[method-assign]
        async with asyncio.timeout(3 * UNSAID_EVERY_S):
            while not alerts._again:
                await asyncio.sleep(LULL_S / 2)
        await alerts.take(said(prometheus, "Fresh", LARGE))
        asked.clear()
        await asyncio.sleep(1)
        assert set(asked[:LARGE]) == {"Fresh"}
        assert prometheus.states() == {"Fresh": "open"}
        await asyncio.sleep(UNSAID_EVERY_S)
        assert asked.count("Muted") > 4 * JUDGED_TOGETHER_MAX, "each has its turn, however many there are"


# What is held ----------------------------------------------------------------------------------------------------


def held_for(days: int, **labels: str) -> Alert:
    """Return an alert that goes by one label, and says others when it ends."""
    identity = fingerprint({"id": labels["id"]})
    ends_at = START + timedelta(days=days)
    return Alert(fingerprint=identity, labels=labels, starts_at=START, ends_at=ends_at, updated_at=START)


def test_nothing_is_kept_of_what_is_over_however_far_its_end_was_and_whatever_it_said_last():
    held = HeldAlerts()
    for number in range(3 * STALE_MAX):
        held.hold(held_for(365, id=str(number), severity="critical"))
        over = held_for(0, id=str(number))
        held.hold(over)
        assert held.of_labels(over.labels) is over
        held.drop(over)
    assert not held
    assert not held._by_labels
    assert len(held._ends) <= STALE_MAX + 1
