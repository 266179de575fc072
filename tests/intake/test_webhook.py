"""Alertmanager's webhook, version 4: groups become alerts, each by its fingerprint."""

from __future__ import annotations

from typing import Any

import pytest

from tests.intake.conftest import KEY, Door

HOOK = "/hooks/alertmanager"


def notification(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return what an Alertmanager 0.25 sends."""
    sent = {
        "receiver": "wh",
        "status": "firing",
        "alerts": list(alerts) or [one()],
        "groupLabels": {"alertname": "X"},
        "commonLabels": {"alertname": "X", "severity": "critical"},
        "commonAnnotations": {"summary": "s"},
        "externalURL": "http://am.example.org:9093",
        "version": "4",
        "groupKey": '{}:{alertname="X"}',
        "truncatedAlerts": 0,
    }
    return {**sent, **changes}


def one(status: str = "firing", **changes: Any) -> dict[str, Any]:
    """Return one alert of it; moments have nanoseconds, and no end is Go's zero time."""
    sent = {
        "status": status,
        "labels": {"alertname": "X", "severity": "critical"},
        "annotations": {"summary": "s"},
        "startsAt": "2026-11-21T22:02:07.408694172Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-21T22:09:07.408694172Z",
        "generatorURL": "http://p.example.org/g",
        "fingerprint": "46cb33eddc576899",
    }
    return {**sent, **changes}


async def sent(door: Door, body: Any, status: int = 200, **headers: str) -> Any:
    async with door.http.post(HOOK, json=body, headers=headers) as answer:
        content = await answer.read()
        assert answer.status == status, content
        return await answer.json() if content else None


@pytest.mark.rule("SRC-2")
async def test_a_firing_group_opens_an_incident_its_repeats_change_nothing_and_its_resolution_ends_it(door: Door):
    for _ in range(3):
        assert await sent(door, notification()) is None
    (incident,) = await door.incidents()
    assert (incident["title"], incident["priority"], incident["state"]) == ("s", "P1", "open")
    assert incident["t0"].startswith("2026-11-21T22:02:07.408694")
    await sent(door, notification(one("resolved"), status="resolved"))
    assert [each["state"] for each in await door.incidents()] == ["resolved"]
    await sent(door, notification(one("resolved"), status="resolved"))
    assert [each["state"] for each in await door.incidents()] == ["resolved"]
    assert door.whole.value("sentinel_alerts_received_total", source="webhook", status="resolved") == 2


async def test_an_alert_that_comes_directly_and_through_an_alertmanager_is_one(door: Door):
    await door.post({"labels": {"alertname": "X", "severity": "critical"}})
    await sent(door, notification())
    assert len(await door.alerts()) == 1
    assert len(await door.incidents()) == 1


async def test_a_group_is_taken_apart(door: Door):
    other = one(labels={"alertname": "Y", "severity": "critical"})
    await sent(door, notification(one(), other))
    await sent(door, notification(one("resolved"), other))
    assert [each["labels"]["alertname"] for each in await door.alerts()] == ["Y"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        notification(version="3"),
        notification(alerts=None),
        notification(one("unknown")),
        notification(one(labels={})),
        notification({**one(), "labels": None}),
        notification({**one(), "startsAt": 12}),
    ],
)
async def test_what_is_no_notification_is_refused_and_says_why(door: Door, body: Any):
    async with door.http.post(HOOK, json=body) as answer:
        assert answer.status in {400, 422}
        assert (await answer.json())["detail"]
    assert await door.alerts() == []
    assert door.whole.value("sentinel_alerts_invalid_total", source="webhook") == 1


async def test_who_has_the_key_comes_in_and_who_has_another_one_does_not(door: Door):
    away = {"X-Forwarded-For": "203.0.113.9"}  # Not this machine, whoever says so.
    await sent(door, notification(), 403, **away)
    await sent(door, notification(), 401, Authorization="Bearer another-key-of-length", **away)
    await sent(door, notification(), 401, Authorization="Basic !!!")
    await sent(door, notification(), Authorization=f"Bearer {KEY}", **away)
    async with door.http.post(f"{HOOK}?key={KEY}", json=notification(), headers=away) as answer:
        assert answer.status == 200
    assert len(await door.incidents()) == 1
