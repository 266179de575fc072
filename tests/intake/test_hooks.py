"""JSON bodies of other tools at ``/hooks/KEY``: those that tools really send, lists, limits, what cannot be read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.intake.conftest import ALERTS, Door, opened

ZABBIX, GRAFANA, KUMA = (f"{name}-0123456789abcdef" for name in ("zabbix", "grafana", "kuma"))
CONFIGURATION = f"""{ALERTS}
  hooks:
    zabbix:
      key: {ZABBIX}
      id: "{{event.id}}"
      firing: {{event.value: "1"}}
      resolved: {{event.value: "0"}}
      ignore: {{event.source: [test, "dry*"]}}
      title: "{{host.name}}: {{trigger.name|unknown}}"
      detail: "{{message|}}"
      url: "{{url|}}"
      since: event.clock
      labels: {{severity: "{{trigger.severity}}", host: "{{host.name}}", tags: "{{tags|}}"}}
      translate: {{severity: {{Disaster: critical, High: error, "*": info}}}}
      service: campus
    grafana:
      key: {GRAFANA}
      many: alerts
      id: "{{fingerprint}}"
      firing: {{status: firing}}
      resolved: {{status: resolved}}
      title: "{{annotations.summary|}}"
      url: "{{generatorURL}}"
      since: startsAt
      labels: {{alertname: "{{labels.alertname}}", severity: "{{labels.severity|warning}}", to: "{{$.receiver}}"}}
    kuma:
      key: {KUMA}
      id: "{{monitor.id}}"
      firing: {{heartbeat.status: "0"}}
      resolved: {{heartbeat.status: "1"}}
      ignore: {{heartbeat: ""}}
      title: "{{monitor.name}}: {{heartbeat.msg}}"
      expires: 2d
"""


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(tmp_path, CONFIGURATION) as made:
        yield made


async def sent(door: Door, key: str, body: Any) -> tuple[int, dict[str, Any]]:
    """Send a body from far away: the key in the address is all that lets it in."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with door.http.post(f"/hooks/{key}", data=content, headers={"X-Forwarded-For": "203.0.113.9"}) as answer:
        return answer.status, await answer.json()


def problem(value: Any = 1, **changes: Any) -> dict[str, Any]:
    """Return what Zabbix' own webhook could send."""
    return {
        "event": {"id": 4711, "value": value, "clock": "1795298400", "source": "trigger"},
        "host": {"name": "db1"},
        "trigger": {"name": "Disk is full", "severity": "Disaster"},
        "tags": ["disk", "prod"],
        "url": "https://zabbix.example.org/tr_events.php?eventid=4711",
        **changes,
    }


@pytest.mark.rule("SRC-2")
async def test_a_problem_opens_an_incident_with_what_the_mapping_says_and_its_end_resolves_it(door: Door):
    for _ in range(2):
        assert await sent(door, ZABBIX, problem()) == (200, {"firing": 1, "resolved": 0, "ignored": 0})
    (incident,) = await door.incidents()
    wanted = {"title": "db1: Disk is full", "priority": "P1", "service": "campus", "t0": "2026-11-21T22:00:00Z"}
    assert {name: incident[name] for name in wanted} == wanted
    state = await door.whole.daemon.desk.look_at("INC-1")
    (standing,) = state.signals.values()
    assert standing.signal.labels == {
        "alertname": "zabbix",
        "hook": "zabbix",
        "id": "4711",
        "service": "campus",
        "severity": "critical",
        "host": "db1",
        "tags": "disk, prod",
    }
    assert standing.signal.detail.endswith("eventid=4711")
    assert await sent(door, ZABBIX, problem("0")) == (200, {"firing": 0, "resolved": 1, "ignored": 0})
    assert [one["state"] for one in await door.incidents()] == ["resolved"]
    assert door.whole.value("sentinel_alerts_received_total", source="hook", status="firing") == 2


async def test_what_is_to_be_ignored_is_and_needs_nothing_else(door: Door):
    assert await sent(door, ZABBIX, {"event": {"source": "dry run"}}) == (
        200,
        {"firing": 0, "resolved": 0, "ignored": 1},
    )
    assert (await sent(door, KUMA, {"msg": "Testing", "heartbeat": None}))[1]["ignored"] == 1
    assert await door.incidents() == []


async def test_each_entry_of_a_list_is_a_signal_and_a_bad_one_does_not_keep_the_others_out(door: Door):
    def entry(number: int, status: str = "firing") -> dict[str, Any]:
        labels = {"alertname": f"A{number}", "severity": "critical"}
        times = {"startsAt": "2026-11-21T21:30:00.5+00:00", "generatorURL": "https://grafana.example.org/a"}
        return {"status": status, "fingerprint": f"f{number}", "labels": labels, **times}

    body = {"receiver": "sentinel", "alerts": [entry(1), {"status": "firing"}, entry(2), {"status": "odd"}]}
    status, said = await sent(door, GRAFANA, body)
    assert status == 422
    assert said["detail"] == (
        "The hook `grafana`: alerts[1]: `fingerprint` is not there, and no default stands behind a `|`; "
        "alerts[3]: `firing` and `resolved` fit neither: `status` is 'odd'. The other 2 of the body were taken."
    )
    assert [(one["title"], one["priority"]) for one in await door.incidents()] == [
        ("grafana: f1", "P1"),
        ("grafana: f2", "P1"),
    ]
    assert door.whole.value("sentinel_alerts_invalid_total", source="hook") == 2
    assert (await sent(door, GRAFANA, {"receiver": "x", "alerts": [entry(1, "resolved"), entry(2, "resolved")]}))[
        0
    ] == 200
    assert [one["state"] for one in await door.incidents()] == ["resolved", "resolved"]


async def test_what_cannot_be_read_is_refused_with_the_hook_and_the_path(door: Door):
    refused: list[tuple[str, Any, int, str]] = [
        (ZABBIX, b"", 400, "The hook `zabbix`: the body is no JSON"),
        (ZABBIX, b"[" * 100_000, 400, "The hook `zabbix`: the body is nested too deep"),
        (ZABBIX, b'{"event": "\xff"}', 400, "the body is no JSON"),
        (ZABBIX, rb'{"event": {"value": "\ud800", "id": 1}}', 422, "fit neither"),
        (ZABBIX, [], 422, "`event.value` is not there"),
        (ZABBIX, problem(host={}), 422, "`host.name` is not there"),
        (ZABBIX, problem(host={"name": {}}), 422, "`host.name` is an object"),
        (ZABBIX, problem(event={"value": 1, "id": ""}), 422, "`id` is empty"),
        (ZABBIX, problem(event={"value": 1, "id": "x" * 501}), 422, "`id` is longer than 500 characters"),
        (GRAFANA, {"alerts": {}}, 422, "`alerts` is an object, not the list that `many` names"),
        (GRAFANA, {"alerts": [0] * 501}, 422, "`alerts` has more than 500 entries"),
    ]
    for key, body, status, why in refused:
        code, said = await sent(door, key, body)
        assert code == status
        assert why in said["detail"]
    assert await door.incidents() == []
    assert (await sent(door, ZABBIX, problem(message="x" * 524_288)))[0] == 413


async def test_a_moment_that_is_none_costs_no_alert_and_it_counts_from_its_arrival(door: Door):
    event = {"id": 1, "value": 1, "clock": "21.11.2026 22:00"}
    assert (await sent(door, ZABBIX, problem(event=event)))[0] == 200
    (incident,) = await door.incidents()
    assert incident["t0"].startswith("2026-11-21T22:10")


async def test_who_does_not_know_a_key_finds_nothing_and_is_slowed_down(tmp_path: Path):
    async with opened(tmp_path, f"{CONFIGURATION}auth: {{rate: 1, burst: 10}}\n") as door:
        codes = [(await sent(door, f"guess-{number}", problem()))[0] for number in range(8)]
        assert (codes[0], codes[-1]) == (404, 429)
        assert (await sent(door, ZABBIX, problem()))[0] == 200
        async with door.http.get(f"/hooks/{ZABBIX}") as answer:
            assert answer.status == 405
