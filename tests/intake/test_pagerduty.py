"""PagerDuty's Events API: what an Alertmanager really sent, both versions, changes, keys, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sentinel.core import events as e
from sentinel.intake.pagerduty_events import Invalid, alert_of, body_of, event_of
from tests.intake.conftest import ALERTS, Door, opened

V2, FIRST = "/pagerduty/v2/enqueue", "/pagerduty/generic/2010-04-15/create_event.json"
CHANGE = "/pagerduty/v2/change/enqueue"
KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
SENT = Path(__file__).with_name("alertmanager-0.25-pagerduty.jsonl").read_text().splitlines()
CONFIGURATION = f"""{ALERTS}
  pagerduty:
    keys:
      legacy: {{key: {KEY}, service: campus}}
      lab: {{key: {OTHER_KEY}}}
"""
NOW = datetime(2026, 11, 21, 22, 10, tzinfo=UTC)


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path, CONFIGURATION) as made:
        yield made


async def sent(door: Door, body: Any, path: str = V2, **headers: str) -> tuple[int, dict[str, Any]]:
    """Send an event from far away: the key in it is all that lets it in."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Forwarded-For": "203.0.113.9", **headers}
    async with door.http.post(path, data=content, headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


def event(action: str = "trigger", dedup_key: str = "disk-1", **payload: Any) -> dict[str, Any]:
    """Return an event of the second version."""
    said = {"summary": "the disk is full", "source": "db1", "severity": "critical", **payload}
    return {"routing_key": KEY, "event_action": action, "dedup_key": dedup_key, "payload": said}


async def noted(door: Door, number: str = "INC-1") -> list[tuple[str, str, tuple[Any, ...]]]:
    timeline = door.whole.daemon.store.timeline(number)
    return [(one.event.by, one.event.text, one.event.tell) for one in timeline if isinstance(one.event, e.Noted)]


def telling(door: Door) -> list[str]:
    """Return what happened to the first incident that tells somebody."""
    timeline = door.whole.daemon.store.timeline("INC-1")
    return [type(one.event).__name__ for one in timeline if getattr(one.event, "tell", ())]


@pytest.mark.rule("SRC-2")
async def test_what_an_alertmanager_sent_opens_one_incident_for_a_group_and_resolves_it(door: Door):
    first, second, over, another = (json.loads(line) | {"routing_key": KEY} for line in SENT)
    status, said = await sent(door, first)
    key = first["dedup_key"]
    assert (status, said) == (202, {"status": "success", "message": "Event processed", "dedup_key": key})
    (incident,) = await door.incidents()
    wanted = {"title": "[FIRING:1] DiskFull paris (db1 critical)", "priority": "P1", "service": "campus"}
    assert {name: incident[name] for name in wanted} == wanted
    state = await door.whole.daemon.desk.look_at("INC-1")
    (standing,) = state.signals.values()
    labels = {"integration": "legacy", "severity": "critical", "group": "grp", "class": "cls", "component": "cmp"}
    assert labels.items() <= standing.signal.labels.items()
    assert "- alertname = DiskFull" in standing.signal.detail
    for _ in range(2):  # It is sent again when nobody answers in time.
        assert (await sent(door, second))[0] == 202
    ((by, text, told),) = await noted(door)
    assert (by, text.splitlines()[0], told) == ("legacy", "[FIRING:2] DiskFull paris (critical)", ())
    assert (await sent(door, over))[0] == 202
    assert (await sent(door, over))[0] == 202
    assert (await sent(door, another))[0] == 202
    assert [(one["number"], one["state"]) for one in await door.incidents()] == [
        ("INC-1", "resolved"),
        ("INC-2", "open"),
    ]
    assert door.whole.value("sentinel_alerts_received_total", source="pagerduty", status="firing") == 4
    assert door.whole.value("sentinel_alerts_invalid_total", source="pagerduty") == 0


async def test_an_acknowledgement_puts_the_integrations_name_on_it_and_stops_the_ladder(door: Door):
    await sent(door, event())
    assert await sent(door, event("acknowledge")) == (
        202,
        {"status": "success", "message": "Event processed", "dedup_key": "disk-1"},
    )
    state = await door.whole.daemon.desk.look_at("INC-1")
    assert (state.phase, state.acknowledged_by) == ("acknowledged", "legacy")
    heard = telling(door)
    await sent(door, event("acknowledge"))
    await sent(door, event())
    await sent(door, event(summary="the disk is still full"))
    assert telling(door) == heard
    assert (await door.whole.daemon.desk.look_at("INC-1")).phase == "acknowledged"


async def test_what_is_not_open_cannot_be_acknowledged_or_resolved_and_is_accepted_all_the_same(door: Door):
    for action in ("acknowledge", "resolve"):
        assert (await sent(door, {"routing_key": KEY, "event_action": action, "dedup_key": "unknown"}))[0] == 202
    assert await door.incidents() == []
    assert door.whole.daemon.alerts.firing() == []


async def test_a_person_keeps_what_a_program_acknowledges_later(door: Door):
    await sent(door, event())
    body = {"by": "amina"}
    async with door.http.post("/api/v1/incidents/INC-1/acknowledge", json=body) as answer:
        assert answer.status == 200
    assert (await sent(door, event("acknowledge")))[0] == 202
    assert (await door.whole.daemon.desk.look_at("INC-1")).acknowledged_by == "amina"


async def test_a_key_names_the_alert_within_its_integration_and_one_is_made_where_none_is_given(door: Door):
    await sent(door, event())
    await sent(door, event() | {"routing_key": OTHER_KEY})
    body = event()
    del body["dedup_key"]
    _, said = await sent(door, body)
    assert re.fullmatch(r"[0-9a-f]{32}", said["dedup_key"])
    assert len(door.whole.daemon.alerts.firing()) == 3
    await sent(door, event("resolve", said["dedup_key"]))
    firing = {(one.labels["integration"], one.labels["dedup_key"]) for one in door.whole.daemon.alerts.firing()}
    assert firing == {("legacy", "disk-1"), ("lab", "disk-1")}


@pytest.mark.parametrize("path", [V2, FIRST])
async def test_the_first_version_says_the_same_with_other_names(door: Door, path: str):
    body = {"service_key": KEY, "event_type": "trigger", "incident_key": "db1", "description": "db1 is down"}
    details = {
        "details": {"load": 17, "site": "paris"},
        "client": "Nagios",
        "client_url": "https://nagios.example.org/",
    }
    status, said = await sent(door, body | details, path)
    assert (status, said["incident_key"]) == (200 if path == FIRST else 202, "db1")
    (incident,) = await door.incidents()
    assert (incident["title"], incident["priority"], incident["service"]) == ("db1 is down", "P2", "campus")
    state = await door.whole.daemon.desk.look_at("INC-1")
    (standing,) = state.signals.values()
    assert standing.signal.detail.splitlines()[:2] == ["load: 17", "site: paris"]
    assert (await sent(door, body | {"event_type": "resolve"}, path))[0] == status
    assert [one["state"] for one in await door.incidents()] == ["resolved"]


async def test_a_change_stands_in_the_open_incidents_of_its_service_and_tells_nobody(door: Door):
    change = {
        "routing_key": KEY,
        "payload": {"summary": "release 4.2", "source": "deploy", "timestamp": "2026-11-21T21:58:00.000+0000"},
        "links": [{"href": "https://deploy.example.org/42", "text": "Build 42"}],
    }
    assert await sent(door, change, CHANGE) == (202, {"status": "success", "message": "Change event processed"})
    await sent(door, event())
    await sent(door, event() | {"routing_key": OTHER_KEY})
    assert (await sent(door, change, CHANGE))[0] == 202
    text = "Change: release 4.2 (deploy, 2026-11-21 21:58 UTC)\nBuild 42: https://deploy.example.org/42"
    assert await noted(door) == [("legacy", text, ())]
    assert await noted(door, "INC-2") == []
    assert (await sent(door, change | {"routing_key": OTHER_KEY}, CHANGE))[0] == 202  # It is about no service.
    assert len(await noted(door)) == 1
    assert (await sent(door, {"routing_key": KEY, "payload": {}}, CHANGE))[0] == 400


async def test_what_is_no_event_is_refused_in_pagerdutys_own_shape(door: Door):
    refused: list[tuple[Any, str]] = [
        (b"", "The body is no JSON"),
        (b"[]", "The body is no object"),
        (b"[" * 100_000, "The body is no JSON"),
        (b'{"routing_key": "\xff"}', "The body is no JSON"),
        (rb'{"routing_key": "\ud800"}', "'routing_key' is not that of an integration"),
        ({}, "'routing_key' is missing or blank"),
        (event() | {"routing_key": "x" * 32}, "'routing_key' is not that of an integration"),
        (event() | {"routing_key": [KEY]}, "'routing_key' is missing or blank"),
        ({"service_key": "x"}, "'service_key' is not that of an integration"),
        (event("close"), "'event_action' is invalid"),
        (event("resolve", ""), "'dedup_key' is missing or blank"),
        (event(dedup_key="k" * 256), "Length of 'dedup_key' is incorrect"),
        (event(summary=" "), "'payload.summary' is missing or blank"),
        (event(severity="fatal"), "'payload.severity' is invalid"),
        ({"routing_key": KEY, "event_action": "trigger", "payload": []}, "'payload.source' is missing or blank"),
    ]
    for body, why in refused:
        status, said = await sent(door, body)
        assert (status, said["status"], said["message"]) == (400, "invalid event", "Event object is invalid")
        assert any(error.startswith(why) for error in said["errors"]), said
    assert await door.incidents() == []
    assert door.whole.value("sentinel_alerts_invalid_total", source="pagerduty") == len(refused)
    status, said = await sent(door, event(custom_details={"text": "x" * 524_288}))
    assert (status, "512 KiB" in said["message"]) == (413, True)


async def test_a_key_may_stand_in_the_header_and_who_guesses_keys_is_slowed_down(tmp_path: Path):
    async with opened(tmp_path, f"{CONFIGURATION}auth: {{rate: 1, burst: 10}}\n") as door:
        body = event()
        del body["routing_key"]
        assert (await sent(door, body, **{"X-Routing-Key": KEY}))[0] == 202
        codes = [(await sent(door, event() | {"routing_key": f"{number:032}"}))[0] for number in range(8)]
        assert (codes[0], codes[-1]) == (400, 429)
        assert (await sent(door, event("resolve")))[0] == 202


async def test_the_door_is_closed_without_keys(tmp_path: Path):
    async with opened(tmp_path) as door, door.http.post(V2, json=event()) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("stamp", "since"),
    [
        ("2026-11-21T21:00:00Z", "21:00"),
        ("2026-11-21T21:00:00.123+0000", "21:00"),
        ("2026-11-21T22:30:00+01:00", "21:30"),
        ("2026-11-21T23:59:00Z", "22:10"),  # A clock that is ahead.
        ("yesterday", "22:10"),
        ("", "22:10"),
        (17, "22:10"),
    ],
)
def test_a_trigger_counts_from_its_timestamp_if_it_says_one_that_has_been(stamp: Any, since: str):
    alert = alert_of(event_of(body_of(json.dumps(event(timestamp=stamp)).encode())), "legacy", NOW)
    assert f"{alert.starts_at:%H:%M}" == since


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(Invalid) as refusal:
        event_of({"event_action": "trigger", "payload": {"severity": "none"}})
    assert len(refusal.value.errors) == 3
